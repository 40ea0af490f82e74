#include "server/config/server_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ServerOptions Valid() {
  ServerOptions options;
  options.repository = "/models";
  return options;
}

TEST(ParseServerConfig, ReadsEveryField) {
  ASSERT_OK_AND_ASSIGN(const ServerOptions options, ParseServerConfig(R"(
      repository: "/srv/models"
      grpc_address: "127.0.0.1:9001"
      http_address: "[::1]:9002"
      max_message_bytes: 1000
      drain_seconds: 3
      repository_poll_seconds: 60
      server_name: "triton"
      compute_threads: 3
      io_threads: 2
      no_spin: true
      tls { certificate_file: "c.pem" key_file: "k.pem" client_ca_file: "a.pem" }
      training {
        disabled: true max_queued_jobs: 2 max_data_bytes: 4096 upload_stall_seconds: 7
      }
      connections { max_connections: 5 max_calls: 6 max_age_seconds: 8 share_port: true })",
                                                                      "server.pbtxt"));
  EXPECT_EQ(options.repository, "/srv/models");
  EXPECT_EQ(options.threads.compute_threads, 3);
  EXPECT_EQ(options.threads.io_threads, 2);
  EXPECT_FALSE(options.threads.spin);
  EXPECT_EQ(options.listen.grpc_address, "127.0.0.1:9001");
  EXPECT_EQ(options.listen.http_address, "[::1]:9002");
  EXPECT_EQ(options.listen.max_message_bytes, 1000);
  EXPECT_EQ(options.listen.drain, absl::Seconds(3));
  EXPECT_EQ(options.repository_poll, absl::Seconds(60));
  EXPECT_EQ(options.server_name, "triton");
  EXPECT_TRUE(options.listen.tls.enabled());
  EXPECT_EQ(options.listen.tls.certificate_file, "c.pem");
  EXPECT_EQ(options.listen.tls.key_file, "k.pem");
  EXPECT_EQ(options.listen.tls.client_ca_file, "a.pem");
  EXPECT_TRUE(options.training.disabled);
  EXPECT_EQ(options.training.max_queued_jobs, 2);
  EXPECT_EQ(options.training.max_data_bytes, 4096);
  EXPECT_EQ(options.training.upload_stall, absl::Seconds(7));
  EXPECT_EQ(options.listen.connections.max_connections, 5);
  EXPECT_EQ(options.listen.connections.max_calls, 6);
  EXPECT_EQ(options.listen.connections.max_age, absl::Seconds(8));
  EXPECT_TRUE(options.listen.connections.share_port);
  EXPECT_OK(Validate(options));
}

TEST(ParseServerConfig, EmptyFileIsTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const ServerOptions options, ParseServerConfig("# nothing", "f"));
  EXPECT_EQ(options.listen.grpc_address, "0.0.0.0:8001");
  EXPECT_EQ(options.listen.http_address, "0.0.0.0:8002");
  EXPECT_EQ(options.listen.max_message_bytes, 64 << 20);
  EXPECT_EQ(options.listen.drain, absl::Seconds(10));
  EXPECT_EQ(options.repository_poll, absl::ZeroDuration());
  EXPECT_EQ(options.server_name, "sigserve");
  EXPECT_EQ(options.listen.connections.max_calls, 128);
  EXPECT_EQ(options.threads.io_threads, 0);
  EXPECT_TRUE(options.threads.spin);
  EXPECT_FALSE(options.training.disabled);
}

TEST(ParseServerConfig, NamesAnUnknownFieldWithItsLine) {
  EXPECT_THAT(ParseServerConfig("repository: \"/m\"\nport: 8001\n", "server.pbtxt"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("server.pbtxt:2:"), HasSubstr("unknown field 'port'"))));
}

TEST(ParseServerConfig, SuggestsAFieldForAMisspeltOne) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"repositry: \"/m\"", "f:1:10: unknown field 'repositry'; did you mean 'repository'?"},
      {"training { disable: true }", "unknown field 'disable'; did you mean 'disabled'?"},
      {"tls {}\n\nxyz: 1", "f:3:4: unknown field 'xyz' of ServerConfig"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(ParseServerConfig(c.text, "f"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(ParseServerConfig, NamesAValueOfTheWrongType) {
  EXPECT_THAT(ParseServerConfig("drain_seconds: \"ten\"", "f"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("f:1:16")));
}

TEST(Validate, HttpMayBeOff) {
  ServerOptions options = Valid();
  EXPECT_TRUE(options.listen.http_enabled());
  options.listen.http_address = "none";
  EXPECT_FALSE(options.listen.http_enabled());
  EXPECT_OK(Validate(options));
  options.listen.grpc_address = "none";
  EXPECT_THAT(Validate(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("grpc_address is 'none'")));
}

TEST(Validate, TakesAUnixSocketForGrpcAlone) {
  ServerOptions options = Valid();
  options.listen.grpc_address = "unix:/run/sigserve.sock";
  EXPECT_OK(Validate(options));
  options.listen.http_address = "unix:/run/http.sock";
  EXPECT_THAT(Validate(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("http_address")));
}

struct Invalid {
  const char* name;
  void (*spoil)(ServerOptions*);
  const char* message;
};

class ValidateTest : public testing::TestWithParam<Invalid> {};

TEST_P(ValidateTest, NamesTheField) {
  ServerOptions options = Valid();
  ASSERT_OK(Validate(options));
  GetParam().spoil(&options);
  EXPECT_THAT(Validate(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, ValidateTest,
    testing::Values(
        Invalid{"repository", [](auto* o) { o->repository = ""; }, "repository is empty"},
        Invalid{"tls_without_key", [](auto* o) { o->listen.tls.certificate_file = "c"; },
                "tls.key_file is empty, but tls.certificate_file is given"},
        Invalid{"tls_without_certificate", [](auto* o) { o->listen.tls.client_ca_file = "a"; },
                "tls.certificate_file is empty, but tls.client_ca_file is given"},
        Invalid{"no_port", [](auto* o) { o->listen.grpc_address = "localhost"; },
                "grpc_address is 'localhost'; expected HOST:PORT"},
        Invalid{"no_host", [](auto* o) { o->listen.http_address = ":8002"; },
                "http_address is ':8002'; expected HOST:PORT"},
        Invalid{"port_too_high", [](auto* o) { o->listen.grpc_address = "h:65536"; },
                "grpc_address is 'h:65536'"},
        Invalid{"port_signed", [](auto* o) { o->listen.grpc_address = "h:+1"; },
                "grpc_address is 'h:+1'"},
        Invalid{"bare_ipv6", [](auto* o) { o->listen.grpc_address = "::1:80"; },
                "grpc_address is '::1:80'"},
        Invalid{"a_url", [](auto* o) { o->listen.grpc_address = "http://h:80"; },
                "grpc_address is 'http://h:80'"},
        Invalid{"max_message", [](auto* o) { o->listen.max_message_bytes = int64_t{1} << 31; },
                "max_message_bytes is 2147483648; expected 1 to 2147483647"},
        Invalid{"drain", [](auto* o) { o->listen.drain = absl::Seconds(-1); },
                "drain_seconds is -1"},
        Invalid{"poll", [](auto* o) { o->repository_poll = absl::Seconds(-5); },
                "repository_poll_seconds is -5"},
        Invalid{"queue", [](auto* o) { o->training.max_queued_jobs = 0; },
                "training.max_queued_jobs is 0"},
        Invalid{"data", [](auto* o) { o->training.max_data_bytes = -1; },
                "training.max_data_bytes is -1"},
        Invalid{"stall", [](auto* o) { o->training.upload_stall = absl::ZeroDuration(); },
                "training.upload_stall_seconds is 0; expected 1 to 86400"},
        Invalid{"connections", [](auto* o) { o->listen.connections.max_connections = 0; },
                "connections.max_connections is 0"},
        Invalid{"calls", [](auto* o) { o->listen.connections.max_calls = -4; },
                "connections.max_calls is -4"},
        Invalid{"io_threads", [](auto* o) { o->threads.io_threads = -1; },
                "io_threads is -1; expected 0 to 1024"},
        Invalid{"age", [](auto* o) { o->listen.connections.max_age = absl::Seconds(-1); },
                "connections.max_age_seconds is -1"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sigserve
