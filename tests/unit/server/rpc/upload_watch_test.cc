#include "server/rpc/upload_watch.h"

#include "absl/synchronization/mutex.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;

class FakeUpload final : public WatchedUpload {
 public:
  explicit FakeUpload(MonotonicTime heard) : heard_(heard) {}
  MonotonicTime last_heard() const override { return heard_; }
  void End(const absl::Status& error) override {
    absl::MutexLock lock(&mutex_);
    end_ = error;
  }
  absl::Status end() const {
    absl::MutexLock lock(&mutex_);
    return end_;
  }

 private:
  const MonotonicTime heard_;
  mutable absl::Mutex mutex_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

class UploadWatchTest : public testing::Test {
 protected:
  FakeClock clock_;
  UploadWatch watch_{&clock_, absl::Seconds(60)};
};

TEST_F(UploadWatchTest, EndsStalledUploads) {
  const auto silent = std::make_shared<FakeUpload>(clock_.Monotonic());
  const auto active = std::make_shared<FakeUpload>(clock_.Monotonic() + absl::Seconds(10));
  const auto in_progress = std::make_shared<FakeUpload>(MonotonicTime::InfiniteFuture());
  const auto removed = std::make_shared<FakeUpload>(clock_.Monotonic());
  for (const auto& upload : {silent, active, in_progress, removed}) watch_.Add(upload);
  watch_.Remove(removed.get());
  clock_.Advance(absl::Seconds(59));
  watch_.CheckStalled();
  EXPECT_OK(silent->end());
  clock_.Advance(absl::Seconds(1));
  watch_.CheckStalled();
  EXPECT_THAT(silent->end(), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                      HasSubstr("TRAIN_STALLED: no data arrived for 1m")));
  EXPECT_OK(active->end());
  EXPECT_OK(in_progress->end());
  EXPECT_OK(removed->end());
}

TEST_F(UploadWatchTest, EndsAllWhenTheServerStops) {
  const auto upload = std::make_shared<FakeUpload>(clock_.Monotonic());
  watch_.Add(upload);
  watch_.Add(std::make_shared<FakeUpload>(clock_.Monotonic()));  // destroyed by now
  watch_.EndAll(absl::UnavailableError("bye"));
  EXPECT_THAT(upload->end(), StatusIs(absl::StatusCode::kUnavailable, "bye"));
}

}  // namespace
}  // namespace sigserve
