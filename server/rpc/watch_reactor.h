// A stream of updates to one client: a request, then a message whenever there is something new.
// It keeps one message in memory, however slow the client is. Thread-safe.
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

  /// Writes the next update if there is one and no write is under way. Call it after every change,
  /// until OnDone().
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  struct Update {
    std::optional<std::string> message;
    bool ended = false;  // no message, and none will follow
  };
  /// Takes the request (at most 4 KiB); an error ends the stream. From here on Notify() may be
  /// called.
  virtual absl::Status Open(absl::Span<const absl::string_view> request) = 0;
  /// The next message, if there is one. One call at a time.
  virtual Update Next() = 0;

 private:
  enum class Step { kWait, kWrite, kFinish };

  absl::Status CheckAndOpen();
  /// What the caller is to do. kWrite is given to one caller until OnWriteDone(), kFinish once.
  Step NextStep(std::string* message, absl::Status* end) ABSL_LOCKS_EXCLUDED(mutex_);

  ServerStream* stream_ = nullptr;
  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sigserve
