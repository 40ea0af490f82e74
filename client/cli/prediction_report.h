// The answer of `sigctl predict`: joins the answers of several requests into one, compares it with
// the true labels, writes it. No I/O but the given stream.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/context.h"
#include "client/cli/input_data.h"
#include "client/types.h"

namespace sigserve::cli {

class PredictionReport {
 public:
  /// The next rows. INTERNAL if an answer does not fit the ones before, or itself.
  absl::Status Append(client::Prediction prediction);
  /// Compares with `data`'s label columns, if any. Call once, after the last Append.
  void Judge(const InputData& data, const client::ModelInfo& model);

  /// The first `limit` rows (0 = all) as a table, CSV or JSON. JSON holds the summary too.
  void Write(OutputFormat format, int64_t limit, std::ostream& out) const;
  /// "143 rows by breast_cancer version 1, accuracy 0.9650 (5 wrong)", and the timing if it was
  /// asked for, on a second line. Each with a line end.
  std::string Summary() const;

 private:
  int64_t rows() const;
  void WriteRows(OutputFormat format, int64_t count, std::ostream& out) const;
  void WriteJson(int64_t count, std::ostream& out) const;

  client::Prediction joined_;
  int64_t requests_ = 0;
  std::vector<client::Timing> timings_;
  std::vector<std::string> label_names_;
  std::vector<std::string> labels_;
  std::vector<bool> right_;  // one per row once judged; empty if there was nothing to judge by
  std::string not_judged_;   // why, when labels were given and yet not compared
};

}  // namespace sigserve::cli
