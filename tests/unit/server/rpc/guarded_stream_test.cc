#include "server/rpc/guarded_stream.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_stream.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using testing_support::FakeStream;
using testing_support::StatusIs;

/// Logs its events, throws in the one named `throws_in`, and writes "x" first if `writes_first`.
class Reactor final : public StreamReactor {
 public:
  void OnStart(ServerStream* s) override {
    stream = s;
    On("start");
  }
  void OnReadDone(bool) override { On("read"); }
  void OnWriteDone(bool) override { On("written"); }
  void OnCancel() override { On("cancel"); }
  void OnDone() override { On("done"); }

  std::string throws_in;
  bool writes_first = false;
  std::vector<std::string> events;
  ServerStream* stream = nullptr;

 private:
  void On(const std::string& event) {
    events.push_back(event);
    if (event != throws_in) return;
    if (writes_first) stream->Write("x");
    throw std::runtime_error("oops");
  }
};

class GuardedStreamTest : public testing::Test {
 protected:
  FakeStream stream_;
  std::shared_ptr<Reactor> reactor_ = std::make_shared<Reactor>();
  GuardedStream guarded_{"/s/m", reactor_};
};

TEST_F(GuardedStreamTest, PassesEventsAndOperations) {
  guarded_.OnStart(&stream_);
  reactor_->stream->Read();
  EXPECT_TRUE(stream_.reading);
  stream_.Deliver(&guarded_, "m");
  EXPECT_EQ(reactor_->stream->message()[0], "m");
  reactor_->stream->Write("w");
  stream_.WriteDone(&guarded_);
  guarded_.OnCancel();
  reactor_->stream->WriteAndFinish("last");
  guarded_.OnDone();
  EXPECT_THAT(stream_.written, ElementsAre("w", "last"));
  EXPECT_OK(*stream_.finished);
  EXPECT_THAT(reactor_->events, ElementsAre("start", "read", "written", "cancel", "done"));
}

TEST_F(GuardedStreamTest, AnExceptionFromAnyEventEndsTheStream) {
  for (const char* event : {"start", "read", "written", "cancel"}) {
    FakeStream stream;
    const auto reactor = std::make_shared<Reactor>();
    reactor->throws_in = event;
    GuardedStream guarded("/s/m", reactor);
    guarded.OnStart(&stream);
    guarded.OnReadDone(true);
    guarded.OnWriteDone(true);
    guarded.OnCancel();
    EXPECT_THAT(stream.finished,
                Optional(StatusIs(absl::StatusCode::kInternal, HasSubstr("/s/m: oops"))))
        << event;
    EXPECT_EQ(reactor->events.back(), event);  // the last that it hears
    guarded.OnDone();
    EXPECT_EQ(reactor->events.back(), "done");
  }
}

TEST_F(GuardedStreamTest, AStreamThatIsWritingEndsAfterTheWrite) {
  reactor_->throws_in = "start";
  reactor_->writes_first = true;
  guarded_.OnStart(&stream_);
  EXPECT_THAT(stream_.written, ElementsAre("x"));
  EXPECT_FALSE(stream_.finished.has_value());
  stream_.WriteDone(&guarded_);
  EXPECT_THAT(stream_.finished, Optional(StatusIs(absl::StatusCode::kInternal, testing::_)));
  EXPECT_THAT(reactor_->events, ElementsAre("start"));
}

TEST_F(GuardedStreamTest, AfterTheEndOperationsDoNothing) {
  guarded_.OnStart(&stream_);
  reactor_->stream->Finish(absl::AbortedError("first"));
  reactor_->stream->Finish(absl::AbortedError("second"));
  reactor_->stream->Write("late");
  reactor_->stream->Read();
  reactor_->throws_in = "cancel";
  guarded_.OnCancel();
  EXPECT_THAT(stream_.finished, Optional(absl::AbortedError("first")));
  EXPECT_THAT(stream_.written, ElementsAre());
  EXPECT_FALSE(stream_.reading);
}

}  // namespace
}  // namespace sigserve
