// Servers inside the test's own process: they start, answer, stop and leave nothing behind, so that
// the next one starts.
#include "server/server.h"

#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;
using testing_support::HttpGet;
using testing_support::TempRepository;

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    repository_.AddExample("linear_3_2");
    options_.repository = repository_.path();
    options_.listen.grpc_address = "127.0.0.1:0";
    options_.listen.http_address = "127.0.0.1:0";
  }
  static absl::Status LoadAndStart(Server* server) {
    SIGSERVE_RETURN_IF_ERROR(server->LoadModels());
    return server->Start();
  }
  static absl::Status Predict(const Server& server) {
    SIGSERVE_ASSIGN_OR_RETURN(const auto client, client::Client::Create(server.grpc_address()));
    const std::vector<float> row = {0.5F, -0.2F, 3.0F};
    return client->Predict({.name = "linear_3_2"}, row, 3).status();
  }

  TempRepository repository_;
  PosixFileSystem files_;
  ServerOptions options_;
};

TEST_F(ServerTest, StartsPredictsAndStopsTwiceInARow) {
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK_AND_ASSIGN(const auto server, Server::Create(options_, &files_));
    ASSERT_OK(LoadAndStart(server.get()));
    EXPECT_EQ(server->ModelSummary(), "1 model ready, 0 failed");
    EXPECT_OK(Predict(*server));
    server->Stop(absl::Hours(1));
    EXPECT_FALSE(Predict(*server).ok());
  }
}

TEST_F(ServerTest, TwoServersInOneProcess) {
  ASSERT_OK_AND_ASSIGN(const auto one, Server::Create(options_, &files_));
  ASSERT_OK(LoadAndStart(one.get()));
  options_.training.disabled = true;
  ASSERT_OK_AND_ASSIGN(const auto two, Server::Create(options_, &files_));
  ASSERT_OK(LoadAndStart(two.get()));
  EXPECT_OK(Predict(*one));
  EXPECT_OK(Predict(*two));
  one->Stop(absl::Hours(1));
  EXPECT_OK(Predict(*two));
}

TEST_F(ServerTest, HttpAnswersFromCreateUntilTheEnd) {
  ASSERT_OK_AND_ASSIGN(const auto server, Server::Create(options_, &files_));
  const auto loading = HttpGet(server->http_address(), "/readyz");
  EXPECT_EQ(loading.code, 503);
  EXPECT_THAT(loading.body, HasSubstr("models are being loaded"));
  ASSERT_OK(LoadAndStart(server.get()));
  EXPECT_EQ(HttpGet(server->http_address(), "/readyz").code, 200);
  server->Stop(absl::ZeroDuration());
  const auto stopped = HttpGet(server->http_address(), "/readyz");
  EXPECT_EQ(stopped.code, 503);
  EXPECT_THAT(stopped.body, HasSubstr("the server is shutting down"));
  EXPECT_THAT(HttpGet(server->http_address(), "/metrics").body, HasSubstr("sigserve_build_info{"));
}

TEST_F(ServerTest, EndsWithoutStopAndWithoutStart) {
  {
    ASSERT_OK_AND_ASSIGN(const auto never_started, Server::Create(options_, &files_));
    never_started->Stop(absl::Hours(1));
  }
  ASSERT_OK_AND_ASSIGN(auto server, Server::Create(options_, &files_));
  ASSERT_OK(LoadAndStart(server.get()));
  EXPECT_OK(Predict(*server));
  server = nullptr;
}

TEST_F(ServerTest, RunsWithoutHttp) {
  options_.listen.http_address = "none";
  ASSERT_OK_AND_ASSIGN(const auto server, Server::Create(options_, &files_));
  ASSERT_OK(LoadAndStart(server.get()));
  EXPECT_EQ(server->http_address(), "");
  EXPECT_OK(Predict(*server));
}

TEST_F(ServerTest, AStartThatFailsLeavesNothingBehind) {
  ASSERT_OK_AND_ASSIGN(const auto first, Server::Create(options_, &files_));
  ASSERT_OK(LoadAndStart(first.get()));
  options_.listen.grpc_address = first->grpc_address();
  options_.training.disabled = true;
  ASSERT_OK_AND_ASSIGN(auto second, Server::Create(options_, &files_));
  EXPECT_THAT(LoadAndStart(second.get()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       HasSubstr("cannot listen for gRPC on '" + options_.listen.grpc_address)));
  second = nullptr;
  EXPECT_OK(Predict(*first));
  options_.repository = "/no/such/directory";
  EXPECT_THAT(Server::Create(options_, &files_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/directory")));
  options_.listen.max_message_bytes = 0;
  EXPECT_THAT(Server::Create(options_, &files_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_message_bytes is 0")));
}

}  // namespace
}  // namespace sigserve
