// A bidirectional stream of independent requests over gRPC's callback API: every message is
// answered once, one bad message does not end the stream, and answers are written one at a time.
// At most kMaxInFlight messages of a stream are read and not yet written; beyond that the client
// waits (flow control). Half-close: what was read is answered, then the stream ends OK. Cancel or a
// broken connection: answers are dropped, and the stream ends once every handler has called back.
// Owns itself; deleted by gRPC's OnDone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/support/server_callback.h"

namespace sigserve {

enum class AnswerOrder {
  kAsReady,
  kAsAsked,
};

template <typename Request, typename Response>
class MessageStream final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  static constexpr size_t kMaxInFlight = 64;

  /// Fills the response, errors included, then calls `done` exactly once, from any thread.
  using Answer =
      std::function<void(const Request& request, Response* response, std::function<void()> done)>;

  MessageStream(AnswerOrder order, Answer answer) : order_(order), answer_(std::move(answer)) {
    Act([] {});
  }

 private:
  struct Exchange {
    Request request;
    Response response;
    bool answered = false;
  };

  /// What to start, decided under the lock and done outside it. Whatever is started keeps the
  /// stream alive, so nothing may be touched after the last start.
  struct Step {
    Exchange* read = nullptr;
    Exchange* write = nullptr;
    bool finish = false;
    bool broken = false;
  };

  Step Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Step step;
    if (finished_) return step;
    if (broken_) {
      half_closed_ = true;
    } else {
      if (writing_ == nullptr) step.write = TakeAnswered();
      if (!half_closed_ && reading_ == nullptr && exchanges_.size() < kMaxInFlight) {
        reading_ = std::make_unique<Exchange>();
        step.read = reading_.get();
      }
    }
    const bool idle = reading_ == nullptr && writing_ == nullptr && unanswered_ == 0;
    if (half_closed_ && idle && (broken_ || exchanges_.empty())) {
      finished_ = true;
      step.finish = true;
      step.broken = broken_;
    }
    return step;
  }

  Exchange* TakeAnswered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto it = exchanges_.begin(); it != exchanges_.end(); ++it) {
      if ((*it)->answered) {
        writing_ = std::move(*it);
        exchanges_.erase(it);
        return writing_.get();
      }
      if (order_ == AnswerOrder::kAsAsked) break;
    }
    return nullptr;
  }

  void Do(const Step& step) {
    if (step.read != nullptr) this->StartRead(&step.read->request);
    if (step.write != nullptr) this->StartWrite(&step.write->response);
    if (step.finish) {
      this->Finish(step.broken ? grpc::Status(grpc::StatusCode::CANCELLED, "the stream was broken")
                               : grpc::Status::OK);
    }
  }

  /// Changes the state, then does what follows from it.
  template <typename Change>
  void Act(Change change) ABSL_LOCKS_EXCLUDED(mutex_) {
    Step step;
    {
      absl::MutexLock lock(&mutex_);
      change();
      step = Decide();
    }
    Do(step);
  }

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    Exchange* exchange = nullptr;
    Act([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      std::unique_ptr<Exchange> read = std::move(reading_);
      if (!ok) {
        half_closed_ = true;
        return;
      }
      exchange = read.get();
      exchanges_.push_back(std::move(read));
      ++unanswered_;  // keeps the stream alive until OnAnswer
    });
    if (exchange == nullptr) return;
    answer_(exchange->request, &exchange->response, [this, exchange] {
      Act([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        exchange->answered = true;
        --unanswered_;
      });
    });
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    Act([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      writing_.reset();
      broken_ = broken_ || !ok;
    });
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    Act([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { broken_ = true; });
  }

  void OnDone() override { delete this; }

  const AnswerOrder order_;
  const Answer answer_;
  absl::Mutex mutex_;
  std::deque<std::unique_ptr<Exchange>> exchanges_ ABSL_GUARDED_BY(mutex_);  // read, not written
  std::unique_ptr<Exchange> reading_ ABSL_GUARDED_BY(mutex_);                // StartRead under way
  std::unique_ptr<Exchange> writing_ ABSL_GUARDED_BY(mutex_);                // StartWrite under way
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sigserve
