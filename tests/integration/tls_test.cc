// A server with TLS: which clients are served, which are not, and what the errors and the log say.
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/certificates/certificates.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using client::Client;
using client::TlsOptions;
using ::testing::HasSubstr;
using testing_support::CertificateFiles;
using testing_support::CommandResult;
using testing_support::RunSigserve;
using testing_support::ServerProcess;
using testing_support::TempRepository;
using testing_support::TestAuthority;

class TlsTest : public testing::Test {
 protected:
  TlsTest() { repository_.AddExample("linear_3_2"); }

  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--tls_certificate=" + server_files_.certificate,
                                          "--tls_key=" + server_files_.key};
    arguments.insert(arguments.end(), more.begin(), more.end());
    server_ = ServerProcess::Start(repository_.path(), arguments);
    ASSERT_NE(server_, nullptr);
    EXPECT_THAT(server_->announcement(), HasSubstr("; gRPC with TLS)"));
  }

  absl::Status Predict(const std::optional<TlsOptions>& tls) {
    client::ClientOptions options;
    options.max_attempts = 1;
    options.tls = tls;
    const auto client = Client::Create(server_->grpc_address(), options);
    if (!client.ok()) return client.status();
    const std::vector<float> row = {0.5F, -0.2F, 3.0F};
    return (*client)->Predict({.name = "linear_3_2"}, row, 3).status();
  }

  TempRepository files_;
  TempRepository repository_;
  TestAuthority authority_{files_.path(), "authority"};
  TestAuthority stranger_{files_.path(), "stranger"};
  CertificateFiles server_files_ = authority_.Sign("server", "DNS:sigserve.test,IP:127.0.0.1");
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(TlsTest, ServesClientsThatTrustItsCertificate) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_OK(Predict(TlsOptions{.ca_file = authority_.certificate()}));
  EXPECT_OK(
      Predict(TlsOptions{.ca_file = authority_.certificate(), .server_name = "sigserve.test"}));
  const auto unreachable = StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot reach"));
  EXPECT_THAT(Predict(std::nullopt), unreachable) << "plain text";
  EXPECT_THAT(Predict(TlsOptions{.ca_file = stranger_.certificate()}), unreachable);
  EXPECT_THAT(
      Predict(TlsOptions{.ca_file = authority_.certificate(), .server_name = "another.test"}),
      unreachable);
  EXPECT_OK(Predict(TlsOptions{.ca_file = authority_.certificate()})) << "after the failures";
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(TlsTest, RequiresClientCertificates) {
  ASSERT_NO_FATAL_FAILURE(Start({"--tls_client_ca=" + authority_.certificate()}));
  const auto with = [&](const CertificateFiles& own) {
    return TlsOptions{.ca_file = authority_.certificate(),
                      .certificate_file = own.certificate,
                      .key_file = own.key};
  };
  EXPECT_OK(Predict(with(authority_.Sign("client", "DNS:client.test"))));
  const auto unreachable = StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot reach"));
  EXPECT_THAT(Predict(with(stranger_.Sign("strange_client", "DNS:client.test"))), unreachable);
  EXPECT_THAT(Predict(TlsOptions{.ca_file = authority_.certificate()}), unreachable);
  EXPECT_OK(Predict(with(authority_.Sign("another_client", "DNS:client.test"))));
}

TEST_F(TlsTest, TheLogExplainsFailedHandshakes) {
  ASSERT_NO_FATAL_FAILURE(Start({"--tls_client_ca=" + authority_.certificate()}));
  EXPECT_FALSE(Predict(std::nullopt).ok());
  EXPECT_FALSE(Predict(TlsOptions{.ca_file = authority_.certificate()}).ok());
  EXPECT_EQ(server_->Stop(), 0);
  const std::string log = server_->log();
  EXPECT_THAT(log, HasSubstr("] TLS handshake failed: the client does not use TLS\n"));
  EXPECT_THAT(log, HasSubstr("] TLS handshake failed: the client has no certificate, but "
                             "--tls_client_ca asks for one\n"));
  // One format for all lines, gRPC's included.
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, testing::MatchesRegex(
                          "[0-9]+-[0-9]+-[0-9]+T[0-9:.]+Z [IWE] [a-z_0-9]+\\.cc:[0-9]+\\] .*"));
  }
}

TEST_F(TlsTest, SighupReloadsTheFiles) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const TlsOptions old_authority = {.ca_file = authority_.certificate()};
  const TlsOptions new_authority = {.ca_file = stranger_.certificate()};
  EXPECT_OK(Predict(old_authority));

  // A bad pair changes nothing.
  const CertificateFiles next = stranger_.Sign("next", "DNS:sigserve.test,IP:127.0.0.1");
  std::filesystem::rename(next.certificate, server_files_.certificate);
  server_->Signal(SIGHUP);
  while (server_->log().find("the TLS files stay as they were: tls.key_file is '") ==
         std::string::npos) {
    ASSERT_TRUE(server_->running());
  }
  EXPECT_OK(Predict(old_authority));

  std::filesystem::rename(next.key, server_files_.key);
  server_->Signal(SIGHUP);
  while (!Predict(new_authority).ok()) ASSERT_TRUE(server_->running());
  EXPECT_FALSE(Predict(old_authority).ok());
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(TlsTest, ManyCallsOnManyConnections) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const TlsOptions tls = {.ca_file = authority_.certificate()};
  std::vector<std::thread> callers;
  std::atomic<int> answered{0};
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      client::ClientOptions options;
      options.tls = tls;
      const auto client = Client::Create(server_->grpc_address(), options);
      ASSERT_OK(client.status());
      const std::vector<float> rows(3 * 512, 0.25F);
      for (int call = 0; call < 50; ++call) {
        answered += (*client)->Predict({.name = "linear_3_2"}, rows, 3).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answered, 8 * 50);
}

TEST_F(TlsTest, BadFilesAreNamed) {
  const CertificateFiles other = authority_.Sign("other", "DNS:other.test");
  struct Case {
    std::vector<std::string> arguments;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {{"--tls_certificate=/nowhere.pem", "--tls_key=" + server_files_.key},
       "tls.certificate_file: cannot open '/nowhere.pem': No such file or directory"},
      {{"--tls_certificate=" + server_files_.key, "--tls_key=" + server_files_.key},
       "expected a certificate in a PEM file"},
      {{"--tls_certificate=" + server_files_.certificate, "--tls_key=" + other.key},
       "expected the certificate's private key"},
      {{"--tls_certificate=" + server_files_.certificate,
        "--tls_key=" + authority_.Sign("locked", "DNS:locked.test", "passphrase").key},
       "expected the certificate's private key, without a passphrase"},
      {{"--tls_certificate=" + server_files_.certificate, "--tls_key=" + server_files_.key,
        "--tls_client_ca=" + server_files_.key},
       "tls.client_ca_file"},
      {{"--tls_certificate=" + server_files_.certificate}, "tls.key_file is empty"},
      {{"--tls_key=" + server_files_.key}, "tls.certificate_file is empty"}};
  for (const Case& c : cases) {
    std::vector<std::string> arguments = c.arguments;
    arguments.push_back("--repository=" + repository_.path());
    const CommandResult result = RunSigserve(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(c.expected));
  }
}

TEST_F(TlsTest, BadClientFilesAreNamed) {
  const CertificateFiles own = authority_.Sign("client", "DNS:client.test");
  const std::string other_key = authority_.Sign("other", "DNS:other.test").key;
  const std::string locked_key = authority_.Sign("locked", "DNS:locked.test", "passphrase").key;
  struct Case {
    TlsOptions tls;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {{.certificate_file = own.certificate, .key_file = other_key},
       "the client's TLS key is '" + other_key + "'; expected that of the certificate '" +
           own.certificate + "'"},
      {{.certificate_file = own.certificate, .key_file = locked_key},
       "'; expected a PEM file that can be read, with a PRIVATE KEY without a passphrase"},
      {{.certificate_file = own.certificate, .key_file = own.certificate},
       "the client's TLS key is '" + own.certificate + "'"},
      {{.certificate_file = own.key, .key_file = own.key},
       "the client's TLS certificate is '" + own.key + "'; expected a PEM file"},
      {{.certificate_file = own.certificate}, "go together; only one is given"},
      {{.key_file = own.key}, "go together; only one is given"},
      {{.ca_file = own.key}, "the TLS authority's file is '" + own.key + "'"}};
  for (const Case& c : cases) {
    EXPECT_THAT(Client::Create("127.0.0.1:1", {.tls = c.tls}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.expected)));
  }
}

}  // namespace
}  // namespace sigserve
