// Stands between a stream and its reactor: an exception from the reactor ends the stream with a
// status instead of ending the process. After that the reactor receives no event but OnDone().
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/stream.h"

namespace sigserve {

class GuardedStream final : public StreamReactor, private ServerStream {
 public:
  /// `path` names the method in errors and must outlive the stream.
  GuardedStream(absl::string_view path, std::shared_ptr<StreamReactor> reactor);

  void OnStart(ServerStream* stream) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // For the reactor.
  void Read() override;
  absl::Span<const absl::string_view> message() const override { return stream_->message(); }
  void Write(const std::string& message) override;
  void Finish(const absl::Status& status) override;
  void WriteAndFinish(const std::string& message) override;
  bool cancelled() const override { return stream_->cancelled(); }

  template <typename Event>
  void Deliver(Event&& event) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);
  /// True for one caller, which then finishes the stream.
  bool TakeFinish() ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::string_view path_;
  const std::shared_ptr<StreamReactor> reactor_;
  ServerStream* stream_ = nullptr;
  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;  // the reactor threw
  absl::Status error_ ABSL_GUARDED_BY(mutex_);   // what it threw
};

}  // namespace sigserve
