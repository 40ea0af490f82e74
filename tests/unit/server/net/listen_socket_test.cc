#include "server/net/listen_socket.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;
using testing_support::MachineHasIpv6;
using testing_support::RawClient;

bool ConnectsV4(int port) { return RawClient(port).connected(); }
bool ConnectsV6(int port) { return RawClient(port, AF_INET6).connected(); }

TEST(ParseHostPort, SplitsHostAndPort) {
  ASSERT_OK_AND_ASSIGN(const HostPort v4, ParseHostPort("127.0.0.1:0", "a"));
  EXPECT_EQ(v4.host, "127.0.0.1");
  EXPECT_EQ(v4.port, 0);
  ASSERT_OK_AND_ASSIGN(const HostPort v6, ParseHostPort("[::]:8001", "a"));
  EXPECT_EQ(v6.host, "::");
  EXPECT_EQ(v6.port, 8001);
}

TEST(ParseHostPort, ErrorsNameTheFieldAndTheValue) {
  for (const char* bad : {"", "h", ":1", "h:", "h:x", "h:+1", "h:-1", "h:65536", "::1:80",
                          "http://h:80", "h:1,h:2", "a b:1", "[::1:80"}) {
    EXPECT_THAT(ParseHostPort(bad, "http_address"),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("http_address is '", bad,
                                                "'; expected "
                                                "HOST:PORT"))));
  }
}

TEST(ListenSocket, Ipv4) {
  ASSERT_OK_AND_ASSIGN(const auto socket, ListenSocket::Open("127.0.0.1:0"));
  EXPECT_EQ(socket->address(), absl::StrCat("127.0.0.1:", socket->port()));
  EXPECT_TRUE(ConnectsV4(socket->port()));
}

TEST(ListenSocket, Ipv6) {
  if (!MachineHasIpv6()) GTEST_SKIP() << "no IPv6 here";
  ASSERT_OK_AND_ASSIGN(const auto socket, ListenSocket::Open("[::1]:0"));
  EXPECT_EQ(socket->address(), absl::StrCat("[::1]:", socket->port()));
  EXPECT_TRUE(ConnectsV6(socket->port()));
  EXPECT_FALSE(ConnectsV4(socket->port()));
}

TEST(ListenSocket, TheIpv6WildcardTakesIpv4Too) {
  if (!MachineHasIpv6()) GTEST_SKIP() << "no IPv6 here";
  ASSERT_OK_AND_ASSIGN(const auto socket, ListenSocket::Open("[::]:0"));
  EXPECT_TRUE(ConnectsV6(socket->port()));
  EXPECT_TRUE(ConnectsV4(socket->port()));
}

TEST(ListenSocket, CloseFreesThePort) {
  ASSERT_OK_AND_ASSIGN(const auto socket, ListenSocket::Open("127.0.0.1:0"));
  socket->Close();
  socket->Close();
  EXPECT_EQ(socket->fd(), -1);
  EXPECT_FALSE(ConnectsV4(socket->port()));
  EXPECT_OK(ListenSocket::Open(socket->address()).status());
}

TEST(ListenSocket, BindErrorsSayWhyAndWhatToDo) {
  ASSERT_OK_AND_ASSIGN(const auto socket, ListenSocket::Open("127.0.0.1:0"));
  EXPECT_THAT(ListenSocket::Open(socket->address()),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       absl::StrCat("cannot bind ", socket->address(),
                                    ": Address already in use; another process listens there")));
  EXPECT_THAT(ListenSocket::Open("192.0.2.1:0"),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("no network interface of this machine has that address")));
  EXPECT_THAT(
      ListenSocket::Open("no.such.host.invalid:1"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot resolve 'no.such.host")));
}

}  // namespace
}  // namespace sigserve
