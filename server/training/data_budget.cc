#include "server/training/data_budget.h"

#include "absl/strings/str_cat.h"

namespace sigserve {

absl::Status DataBudget::Share::Grow(int64_t bytes) {
  absl::Status status = budget_->Take(bytes);
  if (status.ok()) bytes_ += bytes;
  return status;
}

absl::Status DataBudget::Take(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (bytes > limit_ - used_) {
    return absl::ResourceExhaustedError(absl::StrCat("training data: ", bytes, " more bytes; ",
                                                     used_, " are held for uploads and jobs, and ",
                                                     "max_data_bytes is ", limit_));
  }
  used_ += bytes;
  return absl::OkStatus();
}

void DataBudget::Give(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  used_ -= bytes;
}

int64_t DataBudget::used() const {
  absl::MutexLock lock(&mutex_);
  return used_;
}

}  // namespace sigserve
