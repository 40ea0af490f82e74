#include "server/transport/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;

/// A client's connection, blocking.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  /// Whether the server ends the connection; waits for either that or a byte.
  bool IsClosed() const {
    char byte = 0;
    return read(fd_, &byte, 1) <= 0;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

/// Keeps the connections that the listener passes on, and sends a byte on each.
class Taken {
 public:
  ~Taken() { Drop(); }
  void Take(int fd) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    send(fd, "x", 1, MSG_NOSIGNAL);  // it may be closed already
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    fds_.push_back(fd);
  }
  /// As gRPC ends a connection.
  void Drop() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    for (const int fd : fds_) {
      shutdown(fd, SHUT_RDWR);
      close(fd);
    }
    fds_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mutex_);
};

class ListenerTest : public testing::Test {
 protected:
  void Start(ListenerOptions options) {
    if (options.address.empty()) options.address = "127.0.0.1:0";
    ASSERT_OK_AND_ASSIGN(listener_, Listener::Open(options));
    listener_->Start([this](int fd) { taken_.Take(fd); });
  }

  Taken taken_;
  std::unique_ptr<Listener> listener_;  // destroyed before taken_
};

TEST_F(ListenerTest, PassesConnectionsOn) {
  Start({});
  EXPECT_GT(listener_->port(), 0);
  EXPECT_EQ(listener_->bound_address(), absl::StrCat("127.0.0.1:", listener_->port()));
  const Client a(listener_->port());
  const Client b(listener_->port());
  EXPECT_FALSE(a.IsClosed());
  EXPECT_FALSE(b.IsClosed());
  EXPECT_EQ(listener_->connections().size(), 2U);
}

TEST_F(ListenerTest, ManyConnectionsOneAfterTheOther) {
  Start({.max_connections = 4});
  for (int i = 0; i < 200; ++i) {
    {
      const Client client(listener_->port());
      ASSERT_FALSE(client.IsClosed()) << i;
    }
    taken_.Drop();
  }
  EXPECT_LE(listener_->connections().size(), 4U);
}

TEST_F(ListenerTest, BeyondTheLimitNewConnectionsAreClosed) {
  Start({.max_connections = 2});
  const Client a(listener_->port());
  const Client b(listener_->port());
  EXPECT_FALSE(a.IsClosed());
  EXPECT_FALSE(b.IsClosed());
  const Client c(listener_->port());
  EXPECT_TRUE(c.IsClosed());
  taken_.Drop();
  const Client d(listener_->port());
  EXPECT_FALSE(d.IsClosed());
}

TEST_F(ListenerTest, RecoversAfterDescriptorsRanOut) {
  Start({});
  const Client before(listener_->port());
  EXPECT_FALSE(before.IsClosed());
  {
    // Connected by the kernel; the server's side finds no descriptor left.
    rlimit old{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    const int lowest_free = dup(0);
    std::vector<std::unique_ptr<Client>> clients;
    close(lowest_free);
    clients.push_back(std::make_unique<Client>(listener_->port()));  // takes lowest_free
    EXPECT_FALSE(clients[0]->IsClosed());
    rlimit tight = old;
    const int next = dup(0);
    close(next);
    tight.rlim_cur = static_cast<rlim_t>(next) + 1;  // the client's own descriptor is the last
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const Client shed(listener_->port());
    EXPECT_TRUE(shed.connected());
    EXPECT_TRUE(shed.IsClosed());
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  }
  // A connection that arrives while it still sheds may be closed as well. Does not end unless it
  // recovers.
  while (Client(listener_->port()).IsClosed()) {
  }
}

TEST_F(ListenerTest, UnixSocket) {
  const std::string path = absl::StrCat(testing::TempDir(), "listener_test.", getpid());
  Start({.address = absl::StrCat("unix:", path)});
  EXPECT_EQ(listener_->bound_address(), absl::StrCat("unix:", path));
  const Client client(path);
  EXPECT_FALSE(client.IsClosed());
  EXPECT_THAT(Listener::Open({.address = absl::StrCat("unix:", path)}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path)));
  listener_->Stop();
  EXPECT_NE(access(path.c_str(), F_OK), 0);  // removed
}

TEST_F(ListenerTest, ADeadUnixSocketIsReplaced) {
  const std::string path = absl::StrCat(testing::TempDir(), "listener_test.dead.", getpid());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  Start({.address = absl::StrCat("unix:", path)});
  EXPECT_FALSE(Client(path).IsClosed());
}

// Errors.

TEST_F(ListenerTest, ATakenPortIsAnErrorUnlessShared) {
  Start({.share_port = true});
  const std::string address = listener_->bound_address();
  EXPECT_THAT(Listener::Open({.address = address}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(address)));
  EXPECT_OK(Listener::Open({.address = address, .share_port = true}).status());
}

TEST_F(ListenerTest, BadAddressesAreNamed) {
  for (const char* address : {"", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                              "127.0.0.1:x", "no.such.host.invalid:1", "unix:"}) {
    EXPECT_THAT(Listener::Open({.address = address}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(address)));
  }
  EXPECT_THAT(Listener::Open({.address = absl::StrCat("unix:/", std::string(200, 'x'))}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("107")));
}

}  // namespace
}  // namespace sigserve
