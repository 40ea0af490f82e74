#include "server/rpc/dispatcher.h"

#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/status.h"
#include "sigserve/v1/model.pb.h"
#include "tests/support/fake_message.h"
#include "tests/support/fake_stream.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FakeMessage;
using testing_support::FakeStream;
using testing_support::StatusIs;
using Bytes = absl::Span<const absl::string_view>;

/// Binds the methods it is given; writes a line for each call.
class FakeTurnHandler final : public TurnHandler {
 public:
  FakeTurnHandler(std::map<std::string, OnMessage> methods, std::vector<std::string>* calls)
      : methods_(std::move(methods)), calls_(calls) {}
  OnMessage Bind(absl::string_view path) override {
    const auto found = methods_.find(std::string(path));
    return found == methods_.end() ? nullptr : found->second;
  }
  void OnDrained() override { calls_->push_back("drained"); }

 private:
  const std::map<std::string, OnMessage> methods_;
  std::vector<std::string>* const calls_;
};

class DispatcherTest : public testing::Test {
 protected:
  /// Sends `bytes` to the only method of a table; returns when it is answered.
  FakeMessage Send(ServiceMethod method, const std::string& bytes) {
    const std::vector<ServiceMethod> table{std::move(method)};
    FakeMessage message(bytes);
    ControlThreads control;
    ControlThreads load(1);
    Dispatcher dispatcher(&table, std::make_unique<FakeTurnHandler>(turn_methods_, &calls_),
                          {.control = &control, .load = &load});
    dispatcher.OnMessage(0, &message);
    dispatcher.OnDrained();
    return message;
  }
  /// The reactor that a table of this one stream opens.
  static std::shared_ptr<StreamReactor> Open(const std::vector<ServiceMethod>& table) {
    std::vector<std::string> calls;
    Dispatcher dispatcher(
        &table,
        std::make_unique<FakeTurnHandler>(std::map<std::string, TurnHandler::OnMessage>(), &calls),
        {});
    return dispatcher.OpenStream(0);
  }

  std::map<std::string, TurnHandler::OnMessage> turn_methods_;
  std::vector<std::string> calls_;
};

ServiceMethod Function(decltype(FunctionHandler::answer) answer,
                       RunsOn runs_on = RunsOn::kControlThread) {
  return {.method = {.path = "/s/m"},
          .handler = FunctionHandler{.answer = std::move(answer), .runs_on = runs_on}};
}

ServiceMethod Stream(StreamReactorFactory factory) {
  return {.method = {.path = "/s/m", .kind = MethodKind::kReactorStream},
          .handler = std::move(factory)};
}

TEST_F(DispatcherTest, FunctionsRunOnTheThreadsOfTheirMethod) {
  for (const RunsOn runs_on : {RunsOn::kIoThread, RunsOn::kControlThread, RunsOn::kLoadThread}) {
    std::thread::id ran_on;
    const auto answer = [&](Bytes bytes, std::string* reply) {
      ran_on = std::this_thread::get_id();
      *reply = absl::StrCat("<", bytes[0], ">");
      return absl::OkStatus();
    };
    const FakeMessage message = Send(Function(answer, runs_on), "hello");
    ASSERT_TRUE(message.status.has_value());
    EXPECT_OK(*message.status);
    EXPECT_EQ(message.reply, "<hello>");
    EXPECT_EQ(ran_on == std::this_thread::get_id(), runs_on == RunsOn::kIoThread);
  }
}

TEST_F(DispatcherTest, LargeRequestsLeaveTheIoThread) {
  std::thread::id ran_on;
  const ServiceMethod method = Function(
      [&](Bytes, std::string*) {
        ran_on = std::this_thread::get_id();
        return absl::OkStatus();
      },
      RunsOn::kIoThread);
  EXPECT_OK(*Send(method, std::string(4096, 'x')).status);
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_OK(*Send(method, std::string(4097, 'x')).status);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(DispatcherTest, FunctionMethodsParseTheirRequest) {
  struct Service {
    absl::Status Get(const v1::GetModelRequest& request, v1::GetModelResponse* response) {
      response->set_version(static_cast<int64_t>(request.model().name().size()));
      return absl::OkStatus();
    }
  } service;
  const ServiceMethod method = FunctionMethod("/s/Get", &service, &Service::Get);
  v1::GetModelRequest request;
  request.mutable_model()->set_name("seven77");
  const FakeMessage message = Send(method, request.SerializeAsString());
  ASSERT_OK(*message.status);
  v1::GetModelResponse response;
  ASSERT_TRUE(response.ParseFromString(message.reply));
  EXPECT_EQ(response.version(), 7);
  EXPECT_THAT(*Send(method, "\xFF").status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("GetModelRequest")));
}

TEST_F(DispatcherTest, TheTurnHandlerTakesTheMethodsItBinds) {
  turn_methods_["/s/m"] = [this](InboundMessage* message) {
    calls_.push_back("message");
    message->Reply(absl::OkStatus());
  };
  EXPECT_OK(*Send({.method = {.path = "/s/m"}}, "").status);
  EXPECT_THAT(calls_, ElementsAre("message", "drained"));
  EXPECT_THAT(*Send({.method = {.path = "/s/other"}}, "").status,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("/s/other has no handler")));
}

TEST_F(DispatcherTest, StreamsGoToTheReactorOfTheirMethod) {
  struct Reactor final : StreamReactor {
    void OnStart(ServerStream* stream) override { stream->Write("hello"); }
  };
  const std::vector<ServiceMethod> table{Stream([] { return std::make_shared<Reactor>(); })};
  const std::shared_ptr<StreamReactor> reactor = Open(table);
  FakeStream stream;
  reactor->OnStart(&stream);
  EXPECT_THAT(stream.written, ElementsAre("hello"));
}

TEST_F(DispatcherTest, AnUnknownMethodIsToldTheMethodsOfItsService) {
  std::vector<ServiceMethod> table;
  for (const char* path : {"/a.B/One", "/a.B/Two", "/c.D/Three"}) {
    table.push_back({.method = {.path = path}});
  }
  const auto unimplemented = [&](absl::string_view path, const char* text) {
    EXPECT_EQ(UnknownMethodError(path, table), absl::UnimplementedError(text));
  };
  unimplemented("/a.B/Oen", "service a.B has no method 'Oen'; it has One, Two");
  unimplemented("/a.B/", "service a.B has no method ''; it has One, Two");
  unimplemented("/a.b/One", "no service 'a.b'; this server has a.B, c.D");
  unimplemented("/", "no service '/'; this server has a.B, c.D");
  unimplemented("", "no service ''; this server has a.B, c.D");
  unimplemented("a.B/One", "no service 'a.B/One'; this server has a.B, c.D");
}

TEST_F(DispatcherTest, AnUnknownPathComesBackPrintableAndCut) {
  std::vector<ServiceMethod> table;
  for (int i = 0; i < 1000; ++i) table.push_back({.method = {.path = absl::StrCat("/s", i, "/m")}});
  const absl::Status status =
      UnknownMethodError(absl::StrCat("/x\n\xFF", std::string(5000, 'y'), "/m"), table);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnimplemented,
                               testing::StartsWith("no service 'x??yyy")));
  EXPECT_LT(status.message().size(), kMaxMessageBytes + 10);
}

// Errors and exceptions.

TEST_F(DispatcherTest, AFunctionsErrorIsTheReply) {
  const absl::Status error = absl::NotFoundError("none");
  EXPECT_EQ(*Send(Function([&](Bytes, std::string*) { return error; }), "").status, error);
}

TEST_F(DispatcherTest, ExceptionsBecomeStatuses) {
  EXPECT_THAT(
      *Send(Function([](Bytes, std::string*) -> absl::Status { throw std::bad_alloc(); }), "")
           .status,
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory")));
  EXPECT_THAT(
      *Send(Function([](Bytes, std::string*) -> absl::Status { throw std::runtime_error("x"); }),
            "")
           .status,
      StatusIs(absl::StatusCode::kInternal, HasSubstr("/s/m: x")));
}

TEST_F(DispatcherTest, ExceptionsOfTheTurnHandlerBecomeStatuses) {
  turn_methods_["/s/m"] = [](InboundMessage*) { throw std::bad_alloc(); };
  EXPECT_THAT(*Send({.method = {.path = "/s/m"}}, "").status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory")));
}

TEST_F(DispatcherTest, AStreamThatCannotBeMadeEndsWithTheError) {
  const std::vector<ServiceMethod> throws{
      Stream([]() -> std::shared_ptr<StreamReactor> { throw std::bad_alloc(); })};
  FakeStream stream;
  Open(throws)->OnStart(&stream);
  EXPECT_THAT(stream.finished,
              testing::Optional(StatusIs(absl::StatusCode::kResourceExhausted, testing::_)));
  const std::vector<ServiceMethod> unbound{{.method = {.path = "/s/m"}}};
  FakeStream other;
  Open(unbound)->OnStart(&other);
  EXPECT_THAT(other.finished, testing::Optional(StatusIs(absl::StatusCode::kInternal, testing::_)));
}

}  // namespace
}  // namespace sigserve
