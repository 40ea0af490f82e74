#include "server/transport/grpc/grpc_log.h"

#include <grpc/support/log.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(ExplainGrpcError, TlsHandshakes) {
  const struct {
    const char* openssl;
    const char* text;
  } cases[] = {
      {"error:0A00009C:SSL routines::http request", "the client sent plain HTTP to the TLS port"},
      {"error:0A00010B:SSL routines::wrong version number", "the client does not use TLS"},
      {"error:0A0000C7:SSL routines::peer did not return a certificate",
       "the client has no certificate, but --tls_client_ca asks for one"},
      {"error:0A000086:SSL routines::certificate verify failed",
       "the client's certificate is not signed by an authority in --tls_client_ca"},
      {"error:0A000418:SSL routines::tlsv1 alert unknown ca",
       "the client does not trust the server's certificate"},
      {"error:0A000102:SSL routines::unsupported protocol", "the client's TLS version is too old"},
      {"error:0A000999:SSL routines::something new",
       "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000999:SSL routines::something "
       "new."},
  };
  for (const auto& c : cases) {
    const GrpcLogLine line = ExplainGrpcError(
        absl::StrCat("Handshake failed with fatal error SSL_ERROR_SSL: ", c.openssl, "."));
    EXPECT_EQ(line.level, LogLevel::kWarning) << c.openssl;
    EXPECT_EQ(line.text, absl::StrCat("TLS handshake failed: ", c.text));
  }
}

TEST(ExplainGrpcError, OtherErrorsStayAsTheyAre) {
  const GrpcLogLine line = ExplainGrpcError("No address added out of total 1 resolved");
  EXPECT_EQ(line.level, LogLevel::kError);
  EXPECT_EQ(line.text, "gRPC: No address added out of total 1 resolved");
}

TEST(RouteGrpcLog, UsesTheServersFormat) {
  RouteGrpcLog();
  testing::internal::CaptureStderr();
  gpr_log("/src/core/lib/file.cc", 42, GPR_LOG_SEVERITY_ERROR, "%s", "something");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("[0-9-]+T[0-9:.]+Z E file.cc:42\\] gRPC: something\n"));
}

}  // namespace
}  // namespace sigserve
