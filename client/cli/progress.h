// The progress of a training job, epoch by epoch. On a terminal one line is drawn over and over; in
// a log every tenth of the epochs is a line of its own.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "client/types.h"

namespace sigserve::cli {

/// "epoch  37/100 [=======>            ] loss 0.1234, validation 0.1201, ROC-AUC 0.9910, 12 s
/// left". Without the bar if `with_bar` is false; the time left is guessed from the epochs so far.
std::string ProgressLine(const client::EpochMetrics& epoch, int64_t total, bool with_bar);

/// The first, the last, and every epoch that begins a new tenth.
bool IsMilestone(int64_t epoch, int64_t total);

class Progress {
 public:
  Progress(std::ostream& out, bool is_terminal) : out_(out), is_terminal_(is_terminal) {}

  void Show(const client::EpochMetrics& epoch, int64_t total);
  /// Ends the line that is being drawn over. Call before anything else is written.
  void Finish();

 private:
  std::ostream& out_;
  const bool is_terminal_;
  bool drawn_ = false;
};

}  // namespace sigserve::cli
