// Labelled rows in memory: checking them, and holding a part of them out. Owns its tensors.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tensor/tensor.h"
#include "model/train/train_spec.h"

namespace sigserve {

/// Features [rows, feature_count] and labels [rows, label_count], both FLOAT32.
struct Rows {
  Tensor features;
  Tensor labels;

  int64_t count() const { return labels.shape()[0]; }
};

/// INVALID_ARGUMENT, first offence in row order: "TRAIN_FEATURE" for features of the wrong dtype
/// or shape or not finite, "TRAIN_LABEL" for labels of the wrong dtype or shape or other than 0
/// and 1, for no rows, and for different numbers of rows. Names row and column, from 0.
absl::Status CheckRows(const TrainSpec& spec, const Rows& rows);

/// INVALID_ARGUMENT "TRAIN_LABEL" for a label (column) that has the same value in every row: there
/// is nothing to learn.
absl::Status CheckBothClasses(const Rows& rows);

struct SplitRows {
  Rows training;
  Rows validation;  // of 0 rows when the fraction is 0
};

/// Holds out `fraction` of the rows, rounded to the nearest row, with the classes of the first
/// label in their shares; never a class's last row. Who is held out depends on the seed alone; both
/// parts keep the order of the rows.
SplitRows SplitStratified(Rows rows, double fraction, uint64_t seed);

}  // namespace sigserve
