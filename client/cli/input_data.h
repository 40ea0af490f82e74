// What a user's file holds, before it meets a model: numbers as doubles (every CSV, JSON and .npy
// number that a model can take fits; 64-bit integers beyond 2^53 are refused), and the columns that
// were set aside as true labels, as text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// Row-major. An empty shape is a scalar with one value.
struct InputArray {
  std::string name = {};  // empty = the model's only input
  std::vector<int64_t> shape = {};
  std::vector<double> values = {};
};

struct InputData {
  std::string source = {};  // for messages: "rows.csv"
  std::vector<InputArray> arrays = {};
  std::vector<std::string> column_names = {};  // of a CSV with a header, label columns left out
  std::vector<std::string> label_names = {};   // the label columns
  std::vector<std::string> labels = {};        // rows x label_names.size()
};

/// The product of the dimensions; nothing if one is negative or it exceeds 2^40.
absl::StatusOr<int64_t> ElementCount(const std::vector<int64_t>& shape);

/// Reads one decimal number: "1", "-0.5", "+3e-7", "nan", "inf", blanks around it allowed.
/// False for anything else and for numbers out of double's range.
bool ParseNumber(absl::string_view text, double* value);

}  // namespace sigserve::cli
