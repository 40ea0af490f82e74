// Streams with reactors, called by gRPC's own client.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/stream.h"
#include "server/transport/grpc/grpc_transport.h"
#include "tests/support/message_handlers.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

std::string Text(absl::Span<const absl::string_view> pieces) {
  std::string text;
  for (const absl::string_view piece : pieces) absl::StrAppend(&text, piece);
  return text;
}

/// A reactor's events, for the test's thread.
class Log {
 public:
  void Add(const std::string& event) {
    absl::MutexLock lock(&mutex_);
    absl::StrAppend(&events_, events_.empty() ? "" : " ", event);
    if (event == "done") over_ = true;
    begun_ = true;
  }
  void AwaitFirst() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&begun_));
  }
  std::string Whole() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&over_));
    return events_;
  }

 private:
  absl::Mutex mutex_;
  std::string events_ ABSL_GUARDED_BY(mutex_);
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

/// Concatenates what it reads and answers once, at the end. "stop" ends it with an error, "watch"
/// makes it write until the client disconnects.
class Reactor final : public StreamReactor {
 public:
  explicit Reactor(Log* log) : log_(log) {}

  void OnStart(ServerStream* stream) override {
    stream_ = stream;
    stream_->Read();
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      log_->Add(stream_->cancelled() ? "cut-off" : "end");
      if (watching_ || stopped_) return;
      return stream_->cancelled() ? stream_->Finish(absl::CancelledError("gone"))
                                  : stream_->WriteAndFinish(all_);
    }
    const std::string text = Text(stream_->message());
    log_->Add(text);
    if (text == "stop") {
      stopped_ = true;
      stream_->Read();  // may be under way while the stream is finished
      return stream_->Finish(absl::AbortedError("stopped"));
    }
    if (text == "watch") {
      watching_ = true;
      return stream_->Write("update");
    }
    all_ += text;
    stream_->Read();
  }
  void OnWriteDone(bool ok) override {
    if (ok) return stream_->Write("update");
    stream_->Finish(absl::CancelledError("gone"));
  }
  void OnDone() override { log_->Add("done"); }

 private:
  Log* const log_;
  ServerStream* stream_ = nullptr;
  std::string all_;
  bool watching_ = false;
  bool stopped_ = false;
};

/// Has another thread end the stream once a message has arrived, while no event is pending.
class EndedFromOutside final : public StreamReactor {
 public:
  using End = std::function<void(ServerStream*)>;
  explicit EndedFromOutside(End end) : end_(std::move(end)) {}
  void OnStart(ServerStream* stream) override {
    stream_ = stream;
    stream_->Read();
  }
  void OnReadDone(bool ok) override {
    if (ok) end_(stream_);
  }

 private:
  const End end_;
  ServerStream* stream_ = nullptr;
};

class ReactorCallTest : public testing::Test {
 protected:
  void SetUp() override {
    TransportOptions options;
    options.listener.address = "127.0.0.1:0";
    // A thread for each event, so that events that may be concurrent are.
    options.executor = [](const std::function<void()>& work) { std::thread(work).detach(); };
    ASSERT_OK_AND_ASSIGN(
        transport_,
        GrpcTransport::Start(options,
                             {{.path = "/test/Outside", .kind = MethodKind::kReactorStream},
                              {.path = "/test/Reactor", .kind = MethodKind::kReactorStream}},
                             [this](int) {
                               return std::make_unique<testing_support::PlainHandler>(
                                   [this](int method) { return Open(method); });
                             }));
    grpc::GenericStub stub(
        grpc::CreateChannel(transport_->bound_address(), grpc::InsecureChannelCredentials()));
    stream_ = stub.PrepareCall(&context_, "/test/Reactor", &queue_);
    stream_->StartCall(nullptr);
    ASSERT_TRUE(Next());
  }

  std::shared_ptr<StreamReactor> Open(int method) {
    if (method == 1) return std::make_shared<Reactor>(&log_);
    return std::make_shared<EndedFromOutside>([this](ServerStream* stream) { EndLater(stream); });
  }
  /// Ends the stream on another thread.
  void EndLater(ServerStream* stream) {
    std::thread([stream] { stream->Finish(absl::UnavailableError("later")); }).detach();
  }
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  void Write(const std::string& text) {
    const grpc::Slice slice(text);
    stream_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(Next());
  }
  /// The next message; empty at the end.
  std::string Read() {
    grpc::ByteBuffer bytes;
    stream_->Read(&bytes, nullptr);
    if (!Next()) return "";
    grpc::Slice slice;
    EXPECT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
    return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Next();
    return status;
  }

  Log log_;
  std::unique_ptr<GrpcTransport> transport_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

TEST_F(ReactorCallTest, ReadsAllThenAnswers) {
  Write("a");
  Write("b");
  stream_->WritesDone(nullptr);
  EXPECT_TRUE(Next());
  EXPECT_EQ(Read(), "ab");
  EXPECT_EQ(Read(), "");
  EXPECT_TRUE(Finish().ok());
  EXPECT_EQ(log_.Whole(), "a b end done");
}

TEST_F(ReactorCallTest, ADisconnectedClientHasNotSentEverything) {
  Write("a");
  log_.AwaitFirst();
  context_.TryCancel();
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(log_.Whole(), "a cut-off done");
}

TEST_F(ReactorCallTest, EndsEarlyWithAnError) {
  Write("stop");
  const grpc::Status status = Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "stopped");
  EXPECT_THAT(log_.Whole(), testing::StartsWith("stop "));
}

TEST_F(ReactorCallTest, WritesUntilTheClientDisconnects) {
  Write("watch");
  EXPECT_EQ(Read(), "update");
  EXPECT_EQ(Read(), "update");
  context_.TryCancel();
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(log_.Whole(), "watch done");
}

// AddressSanitizer finds a use of the call after its end.
TEST_F(ReactorCallTest, EndedByAnotherThread) {
  grpc::GenericStub stub(
      grpc::CreateChannel(transport_->bound_address(), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < 500; ++i) {
    grpc::ClientContext context;
    const auto stream = stub.PrepareCall(&context, "/test/Outside", &queue_);
    stream->StartCall(nullptr);
    ASSERT_TRUE(Next());
    const grpc::Slice slice("end");
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    Next();
    grpc::Status status;
    stream->Finish(&status, nullptr);
    Next();
    ASSERT_EQ(status.error_message(), "later");
  }
  context_.TryCancel();
  Finish();
}

TEST_F(ReactorCallTest, EndsWithTheServer) {
  Write("a");
  log_.AwaitFirst();
  transport_->BeginShutdown(absl::Now());
  EXPECT_FALSE(Finish().ok());
  EXPECT_EQ(log_.Whole(), "a cut-off done");
}

}  // namespace
}  // namespace sigserve
