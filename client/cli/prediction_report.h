// The result of `sigctl predict`: joins the answers of several requests, compares them with the
// true labels, and writes them to the given stream.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/context.h"
#include "client/cli/input_data.h"
#include "client/cli/verdicts.h"
#include "client/types.h"

namespace sigserve::cli {

class PredictionReport {
 public:
  /// The next rows. INTERNAL if an answer does not match the ones before, or its own shape.
  absl::Status Append(client::Prediction prediction);
  /// Compares with `data`'s label columns, if any. Call once, after the last Append. Errors as in
  /// verdicts.h, INVALID_ARGUMENT only: if the outputs cannot be compared, Summary says so.
  absl::Status Judge(const InputData& data, const client::ModelInfo& model);

  /// The first `limit` rows (0 = all) as a table, CSV or JSON. JSON holds the summary, too.
  void Write(const OutputStyle& style, int64_t limit, std::ostream& out) const;
  /// "143 rows by breast_cancer version 1, accuracy 0.9650 (5 wrong), F1 0.9724, ROC-AUC 0.9951",
  /// for several labels a table of them, and the timing if it was requested.
  std::string Summary(size_t columns) const;

 private:
  int64_t rows() const;
  void WriteRows(const OutputStyle& style, int64_t count, std::ostream& out) const;
  void WriteJson(int64_t count, std::ostream& out) const;
  std::string AccuracyText() const;
  std::string TimingText() const;

  client::Prediction joined_;
  int64_t requests_ = 0;
  std::vector<client::Timing> timings_;
  std::vector<std::string> label_names_;
  std::vector<std::string> labels_;
  std::optional<Verdicts> verdicts_;
  std::string not_judged_;  // why labels were given but not compared
};

}  // namespace sigserve::cli
