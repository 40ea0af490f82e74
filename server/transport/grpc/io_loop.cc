#include "server/transport/grpc/io_loop.h"

#include <grpc/support/time.h>

#include <utility>

#include "absl/time/clock.h"
#include "server/transport/grpc/reactor_call.h"
#include "server/transport/grpc/stream_call.h"
#include "server/transport/grpc/unary_call.h"
#include "server/transport/grpc/unknown_call.h"

namespace sigserve {
namespace {

// Calls posted per method to be matched with arrivals; each arrival posts its successor. Few, so
// that gRPC's queue of requests stays short: 128 would cost 7 %.
constexpr int kPostedCalls = 16;
constexpr int kPostedRareCalls = 2;

gpr_timespec Immediately() { return gpr_time_0(GPR_CLOCK_MONOTONIC); }

}  // namespace

IoLoop::IoLoop(RawService* service, const Connections* connections,
               std::unique_ptr<grpc::ServerCompletionQueue> queue,
               std::unique_ptr<MessageHandler> handler, const TurnOptions& turn)
    : service_(service),
      connections_(connections),
      queue_(std::move(queue)),
      handler_(std::move(handler)),
      turn_(turn) {}

IoLoop::~IoLoop() { Stop(); }

void IoLoop::Start() {
  PostCalls();
  thread_ = std::thread([this] { Run(); });
}

void IoLoop::PostCalls() {
  const std::vector<Method>& methods = service_->methods();
  for (size_t i = 0; i < methods.size(); ++i) {
    const int wanted = methods[i].frequent ? kPostedCalls : kPostedRareCalls;
    for (int posted = 0; posted < wanted; ++posted) {
      PostCall(methods[i].kind, static_cast<int>(i));
    }
  }
  for (int posted = 0; posted < kPostedRareCalls; ++posted) UnknownCall::Post(this);
}

void IoLoop::PostCall(MethodKind kind, int method) {
  switch (kind) {
    case MethodKind::kUnary:
      return UnaryCall::Post(this, method);
    case MethodKind::kMessageStream:
      return StreamCall::Post(this, method);
    case MethodKind::kReactorStream:
      return ReactorCall::Post(this, method);
  }
}

void IoLoop::Stop() {
  if (!thread_.joinable()) return;
  // Replies need the queue, and handlers answer every message: no call can be left out. Polling is
  // enough for what happens once.
  while (calls_.load(std::memory_order_acquire) > 0) absl::SleepFor(absl::Milliseconds(1));
  queue_->Shutdown();
  thread_.join();
}

void IoLoop::EndStreams(StreamEnd end) {
  std::vector<StreamCall*> streams;
  {
    absl::MutexLock lock(&streams_mutex_);
    stream_end_ = end;
    streams.reserve(streams_.size());
    for (StreamCall* stream : streams_) {
      if (stream->RefUnlessOver()) streams.push_back(stream);
    }
  }
  for (StreamCall* stream : streams) {
    stream->Shutdown(end);
    stream->Unref();
  }
}

int64_t IoLoop::open_calls() const {
  absl::MutexLock lock(&streams_mutex_);
  return open_.load(std::memory_order_relaxed) + static_cast<int64_t>(streams_.size());
}

StreamEnd IoLoop::StreamOpened(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.insert(stream);
  return stream_end_;
}

void IoLoop::StreamClosed(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.erase(stream);
}

void IoLoop::Run() {
  turn_.PrepareThread();
  thread_id_ = std::this_thread::get_id();
  void* tag = nullptr;
  bool ok = false;
  const auto poll = [&] {
    switch (queue_->AsyncNext(&tag, &ok, Immediately())) {
      case grpc::CompletionQueue::GOT_EVENT:
        return WaitResult::kEvent;
      case grpc::CompletionQueue::TIMEOUT:
        return WaitResult::kTimeout;
      default:
        return WaitResult::kShutdown;
    }
  };
  const auto next = [&] {
    if (poll() != WaitResult::kEvent) return false;
    static_cast<CompletionTag*>(tag)->Complete(ok);
    return true;
  };
  while (turn_.Wait(poll, [&] { return queue_->Next(&tag, &ok); })) {
    turn_.BeginTurn();
    static_cast<CompletionTag*>(tag)->Complete(ok);
    turn_.Drain(next);
    handler_->OnDrained();
    FlushTurn();
    turn_.EndTurn();
  }
}

void IoLoop::FlushTurn() {
  if (to_flush_.empty()) return;
  const CorkScope cork(*connections_, to_flush_.size());
  for (Flushable* flushable : to_flush_) flushable->Flush();
  to_flush_.clear();
}

}  // namespace sigserve
