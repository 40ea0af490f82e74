// A stream of news to one client: a request, then messages as there are any. It holds one message,
// however slow its client is. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/stream.h"

namespace sigserve {

class WatchReactor : public StreamReactor, public std::enable_shared_from_this<WatchReactor> {
 public:
  void OnStart(ServerStream* stream) final;
  void OnReadDone(bool ok) final ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) final ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() final ABSL_LOCKS_EXCLUDED(mutex_);

  /// There may be news: writes it, unless a write is under way. Until OnDone().
  void Proceed() ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  struct News {
    std::optional<std::string> message;
    bool ended = false;  // no message, and none will come
  };
  /// Takes the request, which has at most 4 KiB; an error ends the stream. From here on Proceed()
  /// may be called.
  virtual absl::Status Open(absl::Span<const absl::string_view> request) = 0;
  /// The next message, if there is one. One call at a time.
  virtual News Next() = 0;

 private:
  enum class Step { kWait, kWrite, kFinish };

  absl::Status TryOpen();
  /// Writing and finishing are given out to one caller, until OnWriteDone() or for good.
  Step NextStep(std::string* message, absl::Status* end) ABSL_LOCKS_EXCLUDED(mutex_);

  ServerStream* stream_ = nullptr;
  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sigserve
