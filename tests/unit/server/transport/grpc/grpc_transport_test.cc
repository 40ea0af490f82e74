// The transport under a handler that echoes: unary calls and streams, answered at once, at the end
// of a turn, out of order, from another thread, and while the server shuts down.
#include "server/transport/grpc/grpc_transport.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/transport/grpc/stream_call.h"
#include "tests/support/message_handlers.h"
#include "tests/support/raw_client.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;

std::string Text(const InboundMessage& message) {
  std::string text;
  for (const absl::string_view piece : message.request()) text.append(piece.data(), piece.size());
  return text;
}

void Echo(InboundMessage* message) {
  const std::string text = Text(*message);
  std::copy(text.begin(), text.end(), message->AllocateReply(text.size()));
  message->Reply(absl::OkStatus());
}

/// Echoes at the end of the turn, except for: "error", "refuse", "thread" (answered from another
/// thread), "deadline" (answers whether there is one), "hold" (kept until "go", then answered last
/// to first; after "release" nothing is kept).
class EchoHandler final : public testing_support::PlainHandler {
 public:
  /// `held` counts the messages that are kept.
  explicit EchoHandler(std::atomic<int>* held) : held_(held) {}
  ~EchoHandler() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void OnMessage(int /*method*/, InboundMessage* message) override {
    const std::string text = Text(*message);
    if (text == "error") return message->Reply(absl::NotFoundError("no such thing"));
    if (text == "refuse") {
      return message->Refuse(absl::ResourceExhaustedError("busy"), absl::Milliseconds(20));
    }
    if (text == "thread") {
      threads_.emplace_back([message] { Echo(message); });
      return;
    }
    if (text == "deadline") {
      const bool infinite = message->deadline() == MonotonicTime::InfiniteFuture();
      *message->AllocateReply(1) = infinite ? 'n' : 'y';
      return message->Reply(absl::OkStatus());
    }
    turn_.push_back(message);
    if (text == "release") released_ = true;
    if (text.rfind("hold", 0) == 0 && !released_) {
      holding_ = true;
      ++*held_;
    }
    if (text == "go" || released_) holding_ = false;
  }
  void OnDrained() override {
    if (holding_) return;
    std::reverse(turn_.begin(), turn_.end());
    for (InboundMessage* message : turn_) Echo(message);
    turn_.clear();
  }

 private:
  std::atomic<int>* const held_;
  bool holding_ = false;
  bool released_ = false;
  std::vector<InboundMessage*> turn_;
  std::vector<std::thread> threads_;
};

class GrpcTransportTest : public testing::Test {
 protected:
  void SetUp() override { Start("127.0.0.1:0"); }
  void TearDown() override { Stop(); }

  void Start(const std::string& address, TurnOptions turn = {}) {
    TransportOptions options;
    options.listener.address = address;
    options.turn = std::move(turn);
    ASSERT_OK_AND_ASSIGN(
        transport_,
        GrpcTransport::Start(
            options,
            {{.path = "/test.Echo/Unary"},
             {.path = "/test.Echo/Stream", .kind = MethodKind::kMessageStream},
             {.path = "/test.Echo/Ordered", .kind = MethodKind::kMessageStream, .ordered = true}},
            [this](int) { return std::make_unique<EchoHandler>(&held_); }));
    const std::string& bound = transport_->bound_address();
    channel_ = grpc::CreateCustomChannel(bound, grpc::InsecureChannelCredentials(), {});
  }

  /// Lets calls in flight finish.
  void Stop() {
    channel_.reset();
    if (transport_ == nullptr) return;
    transport_->Drain(absl::Seconds(5), [] { return false; });
    transport_.reset();
  }

  static grpc::ByteBuffer Bytes(const std::string& text) {
    const grpc::Slice slice(text);
    return {&slice, 1};
  }
  static std::string Text(const grpc::ByteBuffer& bytes) {
    std::vector<grpc::Slice> slices;
    std::string text;
    if (!bytes.Dump(&slices).ok()) return "?";
    for (const grpc::Slice& slice : slices) {
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return text;
  }

  grpc::Status Call(const std::string& method, const std::string& text, std::string* answer,
                    grpc::ClientContext* context) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(context, method, Bytes(text), &queue);
    call->StartCall();
    grpc::ByteBuffer bytes;
    grpc::Status status;
    call->Finish(&bytes, &status, nullptr);
    Next(&queue);
    if (status.ok()) *answer = Text(bytes);
    return status;
  }
  grpc::Status Call(const std::string& text, std::string* answer) {
    grpc::ClientContext context;
    return Call("/test.Echo/Unary", text, answer, &context);
  }

  static bool Next(grpc::CompletionQueue* queue) {
    void* tag = nullptr;
    bool ok = false;
    return queue->Next(&tag, &ok) && ok;
  }

  /// Sends all, then reads all.
  std::vector<std::string> Stream(const std::string& method, const std::vector<std::string>& texts,
                                  grpc::Status* status) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto stream = stub.PrepareCall(&context, method, &queue);
    stream->StartCall(nullptr);
    EXPECT_TRUE(Next(&queue));
    for (const std::string& text : texts) {
      stream->Write(Bytes(text), nullptr);
      EXPECT_TRUE(Next(&queue));
    }
    stream->WritesDone(nullptr);
    Next(&queue);
    std::vector<std::string> answers;
    grpc::ByteBuffer bytes;
    for (;;) {
      stream->Read(&bytes, nullptr);
      if (!Next(&queue)) break;
      answers.push_back(Text(bytes));
    }
    stream->Finish(status, nullptr);
    Next(&queue);
    return answers;
  }

  std::atomic<int> held_{0};
  std::unique_ptr<GrpcTransport> transport_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(GrpcTransportTest, AThreadOverItsShareStillAnswers) {
  Stop();
  std::atomic<int> asked = 0;
  Start("127.0.0.1:0", {.spin = absl::Microseconds(50),
                        .processor_is_wanted = [&asked] { return ++asked % 100 != 0; },
                        .share_when_wanted = 0.01});
  for (int i = 0; i < 50; ++i) {
    std::string answer;
    ASSERT_TRUE(Call(absl::StrCat(i), &answer).ok());
    EXPECT_EQ(answer, absl::StrCat(i));
  }
  EXPECT_GE(asked, 50);
  Stop();
}

TEST_F(GrpcTransportTest, UnaryCallsOfAnySize) {
  for (const size_t size : {0, 1, 23, 24, 8191, 16384, 1000000}) {
    const std::string text(size, 'x');
    std::string answer = "none";
    EXPECT_TRUE(Call(text, &answer).ok());
    EXPECT_TRUE(answer == text) << size;
  }
}

TEST_F(GrpcTransportTest, ManyCallsAtOnceAndFromOtherThreads) {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([this, caller] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = i % 10 == 0 ? "thread" : absl::StrCat(caller, "/", i);
        std::string answer;
        EXPECT_TRUE(Call(text, &answer).ok());
        EXPECT_EQ(answer, text);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(GrpcTransportTest, Deadlines) {
  std::string answer;
  EXPECT_TRUE(Call("deadline", &answer).ok());
  EXPECT_EQ(answer, "n");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(1));
  EXPECT_TRUE(Call("/test.Echo/Unary", "deadline", &answer, &context).ok());
  EXPECT_EQ(answer, "y");
}

TEST_F(GrpcTransportTest, StreamsAnswerWhenReadyOrInOrder) {
  grpc::Status status;
  EXPECT_THAT(Stream("/test.Echo/Stream", {"hold 1", "2", "3", "go"}, &status),
              ElementsAre("go", "3", "2", "hold 1"));
  EXPECT_TRUE(status.ok());
  EXPECT_THAT(Stream("/test.Echo/Ordered", {"hold 1", "2", "3", "go"}, &status),
              ElementsAre("hold 1", "2", "3", "go"));
  EXPECT_TRUE(status.ok());
  EXPECT_THAT(Stream("/test.Echo/Ordered", {}, &status), ElementsAre());
  EXPECT_TRUE(status.ok());
}

TEST_F(GrpcTransportTest, UnixSocket) {
  Stop();
  Start(absl::StrCat("unix:", testing::TempDir(), "grpc_transport_test.", getpid()));
  std::string answer;
  EXPECT_TRUE(Call("hello", &answer).ok());
  EXPECT_EQ(answer, "hello");
}

TEST_F(GrpcTransportTest, Ipv6AndBoth) {
  if (!testing_support::MachineHasIpv6()) GTEST_SKIP() << "no IPv6 here";
  const struct {
    const char* listens;
    std::vector<const char*> hosts;
  } cases[] = {{"[::1]:0", {"[::1]"}}, {"[::]:0", {"[::1]", "127.0.0.1"}}};
  for (const auto& c : cases) {
    Stop();
    Start(c.listens);
    for (const char* host : c.hosts) {
      channel_ = grpc::CreateChannel(absl::StrCat(host, ":", transport_->port()),
                                     grpc::InsecureChannelCredentials());
      std::string answer;
      EXPECT_TRUE(Call("hello", &answer).ok()) << c.listens << " by " << host;
      EXPECT_EQ(answer, "hello");
    }
  }
}

TEST_F(GrpcTransportTest, EveryCallEndsWhenTheServerShutsDown) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 20; ++i) {
    callers.emplace_back([this] {
      std::string answer;
      const grpc::StatusCode code = Call("thread", &answer).error_code();
      // Each call ends. Unanswered ones arrived too late: after the port was closed, or (gRPC's
      // CANCELLED) while it was closing.
      EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::UNAVAILABLE ||
                  code == grpc::StatusCode::CANCELLED)
          << code;
    });
  }
  transport_->Drain(absl::Seconds(5), [] { return false; });
  for (std::thread& caller : callers) caller.join();
}

TEST_F(GrpcTransportTest, StreamsEndWithTheServer) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  const auto open = [&](grpc::ClientContext* context, const std::string& text) {
    auto stream = stub.PrepareCall(context, "/test.Echo/Stream", &queue);
    stream->StartCall(nullptr);
    EXPECT_TRUE(Next(&queue));
    stream->Write(Bytes(text), nullptr);
    EXPECT_TRUE(Next(&queue));
    return stream;
  };
  const auto read = [&](grpc::GenericClientAsyncReaderWriter* stream) {
    grpc::ByteBuffer bytes;
    stream->Read(&bytes, nullptr);
    return Next(&queue) ? Text(bytes) : "end";
  };
  const auto finish = [&](grpc::GenericClientAsyncReaderWriter* stream) {
    grpc::Status status;
    stream->Finish(&status, nullptr);
    Next(&queue);
    return status.error_code();
  };
  grpc::ClientContext idle_context, busy_context, late_context;
  const auto idle = open(&idle_context, "1");
  EXPECT_EQ(read(idle.get()), "1");
  const auto busy = open(&busy_context, "3");
  EXPECT_EQ(read(busy.get()), "3");
  EXPECT_EQ(transport_->open_calls(), 2);
  busy->Write(Bytes("hold 2"), nullptr);
  EXPECT_TRUE(Next(&queue));
  while (held_ == 0) {
  }

  transport_->EndStreams(StreamEnd::kWhenIdle);
  EXPECT_EQ(transport_->open_calls(), 2);  // a message may be on its way to either
  while (transport_->open_calls() > 1) transport_->EndStreams(StreamEnd::kWhenIdle);
  EXPECT_EQ(read(idle.get()), "end");
  EXPECT_EQ(finish(idle.get()), grpc::StatusCode::UNAVAILABLE);
  busy->Write(Bytes("go"), nullptr);
  EXPECT_TRUE(Next(&queue));
  EXPECT_EQ(read(busy.get()), "go");
  EXPECT_EQ(read(busy.get()), "hold 2");
  while (transport_->open_calls() > 0) transport_->EndStreams(StreamEnd::kWhenIdle);
  EXPECT_EQ(read(busy.get()), "end");
  EXPECT_EQ(finish(busy.get()), grpc::StatusCode::UNAVAILABLE);
}

// A stream is not read while kMaxUnanswered messages, or kMaxUnansweredBytes, are unanswered.
TEST_F(GrpcTransportTest, UnansweredMessagesOfAStreamAreBounded) {
  const struct {
    size_t message_bytes;
    int messages;
    int held;
  } cases[] = {{10, 1500, static_cast<int>(StreamCall::kMaxUnanswered)},
               {size_t{1} << 20, 10, static_cast<int>(StreamCall::kMaxUnansweredBytes >> 20)}};
  for (const auto& c : cases) {
    Stop();
    Start("127.0.0.1:0");
    held_ = 0;
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto stream = stub.PrepareCall(&context, "/test.Echo/Stream", &queue);
    stream->StartCall(nullptr);
    ASSERT_TRUE(Next(&queue));
    std::string text = "hold";
    text.resize(c.message_bytes, '.');
    int written = 0;
    int answers = 0;
    bool over = false;
    grpc::ByteBuffer bytes;
    void* const kWritten = &written;
    void* const kRead = &answers;
    const auto turn = [&](std::chrono::system_clock::time_point until) {
      void* tag = nullptr;
      bool ok = false;
      if (queue.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) return;
      if (tag == kWritten && ++written < c.messages) stream->Write(Bytes(text), kWritten);
      if (tag == kWritten && written == c.messages) stream->WritesDone(kWritten);
      if (tag != kRead) return;
      over = !ok;
      if (over) return;
      ++answers;
      stream->Read(&bytes, kRead);
    };
    stream->Write(Bytes(text), kWritten);
    stream->Read(&bytes, kRead);
    while (held_ < c.held) turn(std::chrono::system_clock::now());
    std::string answer;
    EXPECT_TRUE(Call("thread", &answer).ok());  // behind them on the same connection
    EXPECT_EQ(held_, c.held);
    EXPECT_TRUE(Call("release", &answer).ok());
    while (!over || written <= c.messages) turn(std::chrono::system_clock::time_point::max());
    EXPECT_EQ(answers, c.messages);
    grpc::Status status;
    stream->Finish(&status, nullptr);
    Next(&queue);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
}

// Errors.

TEST_F(GrpcTransportTest, ErrorsAndRefusals) {
  std::string answer;
  const grpc::Status error = Call("error", &answer);
  EXPECT_EQ(error.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(error.error_message(), "no such thing");
  grpc::ClientContext context;
  EXPECT_EQ(Call("/test.Echo/Unary", "refuse", &answer, &context).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto delay = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(delay, trailers.end());
  EXPECT_EQ(delay->second, "20");
}

TEST_F(GrpcTransportTest, AnErrorEndsAStream) {
  grpc::Status status;
  EXPECT_THAT(Stream("/test.Echo/Stream", {"error"}, &status), ElementsAre());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcTransportTest, TheHandlerRejectsUnknownPaths) {
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    std::string answer;
    const grpc::Status status = Call("/test.Echo/Other", "x", &answer, &context);
    ASSERT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    ASSERT_EQ(status.error_message(), "unknown: /test.Echo/Other");
  }
  grpc::Status status;
  EXPECT_THAT(Stream("/none/Stream", {}, &status), ElementsAre());
  EXPECT_EQ(status.error_message(), "unknown: /none/Stream");
}

}  // namespace
}  // namespace sigserve
