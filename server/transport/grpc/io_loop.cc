#include "server/transport/grpc/io_loop.h"

#include <grpc/support/time.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>

#include "absl/time/clock.h"
#include "server/transport/grpc/reactor_call.h"
#include "server/transport/grpc/stream_call.h"
#include "server/transport/grpc/unary_call.h"
#include "server/transport/time_slice.h"

namespace sigserve {
namespace {

// Calls of each method that wait to be matched with an arrival: few, so that the queue of gRPC's
// requests stays short (128 cost 7 %); each arrival posts its successor.
constexpr int kPostedCalls = 16;
constexpr int kPostedRareCalls = 2;
// The queue counts as drained when it was found empty so many times: a second look finds what
// arrived meanwhile (+10 %).
constexpr int kEmptyPolls = 2;
// A turn takes so many events at most: under overload events come as fast as they are taken.
constexpr int kMaxEventsPerTurn = 512;
// More than most turns take: who has used up its slice in the middle of one waits for whole ticks.
// Less than others' slices, 0.7 ms and more: who wakes with the shorter one goes first.
constexpr absl::Duration kTimeSlice = absl::Microseconds(400);

gpr_timespec Immediately() { return gpr_time_0(GPR_CLOCK_MONOTONIC); }

}  // namespace

grpc::Status GrpcStatus(const absl::Status& status) {
  // The codes have the same numbers.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

absl::Duration MonotonicDeadline(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return absl::InfiniteDuration();
  }
  const gpr_timespec t = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
  return absl::Seconds(t.tv_sec) + absl::Nanoseconds(t.tv_nsec);
}

void MessageBytes::Take(grpc::ByteBuffer* buffer) {
  slices_.resize(1);
  if (!buffer->TrySingleSlice(slices_.data()).ok()) {
    slices_.clear();
    // Fails only on a message that gRPC could not decompress, if ever: bytes then that are no
    // message of Protobuf's.
    if (!buffer->Dump(&slices_).ok()) slices_.assign(1, grpc::Slice("\xFF"));
  }
  buffer->Clear();
  views_.clear();
  for (const grpc::Slice& slice : slices_) {
    views_.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
}

IoLoop::IoLoop(RawService* service, const Connections* connections,
               std::unique_ptr<grpc::ServerCompletionQueue> queue,
               std::unique_ptr<MessageHandler> handler, IoLoopOptions options)
    : service_(service),
      connections_(connections),
      queue_(std::move(queue)),
      handler_(std::move(handler)),
      options_(std::move(options)),
      spin_(options_.spin, options_.processor_is_wanted),
      share_(options_.share_when_wanted) {}

IoLoop::~IoLoop() { Stop(); }

void IoLoop::Start() {
  const std::vector<Method>& methods = service_->methods();
  for (size_t i = 0; i < methods.size(); ++i) {
    const int wanted = methods[i].frequent ? kPostedCalls : kPostedRareCalls;
    for (int posted = 0; posted < wanted; ++posted) {
      PostCall(methods[i].kind, static_cast<int>(i));
    }
  }
  thread_ = std::thread([this] { Run(); });
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
  // Runs once, at the very end. Replies need the queue; whoever holds a message answers it.
  while (calls_.load(std::memory_order_acquire) > 0) absl::SleepFor(absl::Milliseconds(1));
  queue_->Shutdown();
  thread_.join();
}

void IoLoop::EndStreams(StreamEnd end) {
  // With the lock: no stream goes while it is spoken to.
  absl::MutexLock lock(&streams_mutex_);
  stream_end_ = end;
  for (StreamCall* stream : streams_) stream->EndLike(end);
}

int64_t IoLoop::open_calls() const {
  absl::MutexLock lock(&streams_mutex_);
  return open_unary_.load(std::memory_order_relaxed) + static_cast<int64_t>(streams_.size());
}

StreamEnd IoLoop::StreamOpens(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.insert(stream);
  return stream_end_;
}

void IoLoop::StreamIsOver(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.erase(stream);
}

bool IoLoop::WaitForEvent(void** tag, bool* ok) {
  if (options_.spin <= absl::ZeroDuration()) return queue_->Next(tag, ok);
  const absl::Duration begin = clock_.Monotonic();
  if (spin_.Spins(begin)) {
    const grpc::CompletionQueue::NextStatus status = Spin(tag, ok);
    if (status != grpc::CompletionQueue::TIMEOUT) {
      return status == grpc::CompletionQueue::GOT_EVENT;
    }
  }
  const bool got = queue_->Next(tag, ok);
  spin_.Slept(clock_.Monotonic() - begin);
  return got;
}

grpc::CompletionQueue::NextStatus IoLoop::Spin(void** tag, bool* ok) {
  const absl::Duration end = clock_.Monotonic() + options_.spin;
  for (;;) {
    const auto status = queue_->AsyncNext(tag, ok, Immediately());
    if (status != grpc::CompletionQueue::TIMEOUT) return status;
    const absl::Duration now = clock_.Monotonic();
    if (now < end) continue;
    spin_.SpunInVain(ThreadPreemptions(), now);
    return status;
  }
}

void IoLoop::Run() {
  AskForTimeSlice(absl::ToInt64Nanoseconds(kTimeSlice));
  thread_id_ = std::this_thread::get_id();
  void* tag = nullptr;
  bool ok = false;
  while (WaitForEvent(&tag, &ok)) {
    BeginTurn();
    static_cast<CompletionTag*>(tag)->Complete(ok);
    for (int empty = 0, events = 1; empty < kEmptyPolls && events < kMaxEventsPerTurn;) {
      if (queue_->AsyncNext(&tag, &ok, Immediately()) == grpc::CompletionQueue::GOT_EVENT) {
        static_cast<CompletionTag*>(tag)->Complete(ok);
        ++events;
      } else {
        ++empty;
      }
    }
    handler_->OnDrained();
    FlushTurn();
    if (share_.begun()) {
      absl::SleepFor(share_.Rest(thread_clock_.Monotonic(), clock_.Monotonic()));
    }
  }
}

void IoLoop::BeginTurn() {
  if (!share_.limits()) return;
  if (!ProcessorIsWanted()) {
    share_.End();
  } else if (!share_.begun()) {
    share_.Begin(thread_clock_.Monotonic(), clock_.Monotonic());
  }
}

void IoLoop::FlushTurn() {
  if (to_flush_.empty()) return;
  const CorkScope cork(*connections_, to_flush_.size());
  for (Flushable* flushable : to_flush_) flushable->Flush();
  to_flush_.clear();
}

}  // namespace sigserve
