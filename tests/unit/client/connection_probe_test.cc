// Clients and servers that do not agree on TLS: the fault is named at once, not after the deadline.
#include "client/connection_probe.h"

#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "client/client.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/certificates/certificates.h"
#include "tests/support/status_matchers.h"

namespace sigserve::client {
namespace {

using testing::HasSubstr;
using testing_support::CertificateFiles;
using testing_support::TestAuthority;

std::string Read(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

class ConnectionProbeTest : public testing::Test {
 protected:
  ~ConnectionProbeTest() override {
    server_->Shutdown();
    std::filesystem::remove_all(directory_);
  }

  static std::string NewDirectory() {
    std::string path = testing::TempDir() + "probe_XXXXXX";
    return mkdtemp(path.data());
  }

  void Start(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void StartTls(bool with_client_certificates) {
    grpc::SslServerCredentialsOptions options(
        with_client_certificates ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                 : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    options.pem_key_cert_pairs.push_back({Read(files_.key), Read(files_.certificate)});
    options.pem_root_certs = Read(authority_.certificate());
    Start(grpc::SslServerCredentials(options));
  }

  /// Without sleeping: a fault that is not named at once fails the test.
  absl::Status Call(const std::optional<TlsOptions>& tls) {
    ClientOptions options;
    options.tls = tls;
    const auto client = Client::Create(address_, options, {.sleep = [](absl::Duration) {
                                         ADD_FAILURE() << "waits although waiting is of no use";
                                       }});
    EXPECT_OK(client);
    return (*client)->CheckHealth("").status();
  }

  const std::string directory_ = NewDirectory();
  TestAuthority authority_{directory_, "authority"};
  TestAuthority stranger_{directory_, "stranger"};
  CertificateFiles files_ = authority_.Sign("server", "DNS:sigserve.test,IP:127.0.0.1");
  grpc::health::v1::Health::Service health_;  // answers UNIMPLEMENTED
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(ConnectionProbeTest, NothingToReportIfBothAgree) {
  StartTls(true);
  const CertificateFiles own = authority_.Sign("client", "DNS:client.test");
  const TlsOptions tls{.ca_file = authority_.certificate(),
                       .certificate_file = own.certificate,
                       .key_file = own.key};
  EXPECT_EQ(Call(tls).code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(ProbeConnection(address_, tls, absl::Seconds(5)).has_value());
}

TEST_F(ConnectionProbeTest, NothingToReportIfBothArePlainText) {
  Start(grpc::InsecureServerCredentials());
  EXPECT_FALSE(ProbeConnection(address_, std::nullopt, absl::Seconds(5)).has_value());
  EXPECT_FALSE(ProbeConnection("127.0.0.1:1", std::nullopt, absl::Seconds(5)).has_value());
  EXPECT_FALSE(ProbeConnection("no address", std::nullopt, absl::Seconds(5)).has_value());
}

TEST_F(ConnectionProbeTest, APlainClientOfATlsServer) {
  StartTls(false);
  const absl::Status status = Call(std::nullopt);
  EXPECT_EQ(ConnectFaultOf(status), ConnectFault::kServerUsesTls);
  EXPECT_EQ(status.message(),
            "cannot reach " + address_ + ": the server uses TLS, this client plain text");
}

TEST_F(ConnectionProbeTest, ATlsClientOfAPlainServer) {
  Start(grpc::InsecureServerCredentials());
  EXPECT_EQ(ConnectFaultOf(Call(TlsOptions{.ca_file = authority_.certificate()})),
            ConnectFault::kServerUsesPlainText);
}

TEST_F(ConnectionProbeTest, AServerThatIsNotTrusted) {
  StartTls(false);
  const absl::Status signer = Call(TlsOptions{.ca_file = stranger_.certificate()});
  EXPECT_EQ(ConnectFaultOf(signer), ConnectFault::kServerNotTrusted);
  const absl::Status name =
      Call(TlsOptions{.ca_file = authority_.certificate(), .server_name = "another.test"});
  EXPECT_EQ(ConnectFaultOf(name), ConnectFault::kServerNotTrusted);
  EXPECT_THAT(std::string(name.message()), HasSubstr("not for the name 'another.test'"));
}

TEST_F(ConnectionProbeTest, AClientWithoutTheRequiredCertificate) {
  StartTls(true);
  EXPECT_EQ(ConnectFaultOf(Call(TlsOptions{.ca_file = authority_.certificate()})),
            ConnectFault::kServerWantsCertificate);
  EXPECT_THAT(std::string(Call(std::nullopt).message()),
              HasSubstr("the server also requires a client certificate"));
}

}  // namespace
}  // namespace sigserve::client
