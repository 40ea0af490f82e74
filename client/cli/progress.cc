#include "client/cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/writers.h"

namespace sigserve::cli {

std::string ProgressLine(const client::EpochMetrics& epoch, int64_t total, bool with_bar) {
  constexpr int64_t kBarWidth = 20;
  total = std::max({total, epoch.epoch, int64_t{1}});
  const int digits = static_cast<int>(absl::StrCat(total).size());
  std::string line = absl::StrFormat("epoch %*d/%d", digits, epoch.epoch, total);
  if (with_bar) {
    const auto share = static_cast<double>(epoch.epoch) / static_cast<double>(total);
    const auto filled = std::clamp<int64_t>(static_cast<int64_t>(share * kBarWidth), 0, kBarWidth);
    std::string bar(filled, '=');
    if (filled < kBarWidth) bar += '>';
    bar.resize(kBarWidth, ' ');
    absl::StrAppend(&line, " [", bar, "]");
  }
  absl::StrAppendFormat(&line, " loss %.4f", epoch.training_loss);
  if (epoch.validation_loss) {
    absl::StrAppendFormat(&line, ", validation %.4f", *epoch.validation_loss);
  }
  if (epoch.validation_roc_auc) {
    absl::StrAppendFormat(&line, ", ROC-AUC %.4f", *epoch.validation_roc_auc);
  }
  if (epoch.epoch > 0 && epoch.epoch < total) {
    absl::StrAppend(&line, ", ",
                    DurationText(epoch.elapsed_seconds / static_cast<double>(epoch.epoch) *
                                 static_cast<double>(total - epoch.epoch)),
                    " left");
  }
  return line;
}

bool IsMilestone(int64_t epoch, int64_t total) {
  constexpr int64_t kLines = 10;
  if (epoch <= 1 || epoch >= total) return true;
  const auto tenth = [total](int64_t e) {
    return static_cast<int64_t>(static_cast<double>(e) * kLines / static_cast<double>(total));
  };
  return tenth(epoch) != tenth(epoch - 1);
}

void Progress::Show(const client::EpochMetrics& epoch, int64_t total) {
  if (is_terminal_) {
    out_ << "\r\033[K" << ProgressLine(epoch, total, true) << std::flush;
    drawn_ = true;
  } else if (IsMilestone(epoch.epoch, total)) {
    out_ << ProgressLine(epoch, total, false) << "\n" << std::flush;
  }
}

void Progress::Finish() {
  if (drawn_) out_ << "\n" << std::flush;
  drawn_ = false;
}

}  // namespace sigserve::cli
