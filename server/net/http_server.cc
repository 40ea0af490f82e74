#include "server/net/http_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <list>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/net/http_request.h"

namespace sigserve {
namespace {

// How long a client may take to read the response after it was sent, before the connection closes.
constexpr absl::Duration kLinger = absl::Seconds(1);
// After accept() failed for want of descriptors or memory.
constexpr int kAcceptPauseMs = 100;

const char* Reason(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string Format(const HttpResponse& response, bool with_body) {
  return absl::StrCat("HTTP/1.1 ", response.code, " ", Reason(response.code),
                      "\r\nContent-Type: ", response.content_type,
                      "\r\nContent-Length: ", response.body.size(),
                      response.code == 405 ? "\r\nAllow: GET, HEAD" : "",
                      "\r\nConnection: close\r\n\r\n", with_body ? response.body : "");
}

std::string Answer(const HttpHead& head, const HttpHandler& handler) {
  const auto refuse = [](int code, std::string body) {
    return Format({.code = code, .body = std::move(body)}, /*with_body=*/true);
  };
  switch (head.state) {
    case HttpHeadState::kTooLarge:
      return refuse(431, absl::StrCat("The request has over ", kMaxHttpHeadBytes, " bytes.\n"));
    case HttpHeadState::kWrongVersion:
      return refuse(505, "This port speaks HTTP/1.1; gRPC has another port.\n");
    case HttpHeadState::kComplete:
      break;
    default:
      return refuse(400, "This port speaks plain HTTP/1.1.\n");
  }
  if (head.method != "GET" && head.method != "HEAD") return refuse(405, "GET only\n");
  const bool with_body = head.method == "GET";
  try {
    return Format(handler(head.path), with_body);
  } catch (const std::exception& error) {
    return Format({.code = 500, .body = absl::StrCat(error.what(), "\n")}, with_body);
  }
}

/// One request and its response.
class Connection {
 public:
  Connection(int fd, absl::Duration deadline) : fd_(fd), deadline_(deadline) {}
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  absl::Duration deadline() const { return deadline_; }
  short events() const { return state_ == State::kWriting ? POLLOUT : POLLIN; }

  /// Reads and writes what the socket takes now. False: close the connection.
  bool Advance(const HttpHandler& handler, absl::Duration now) {
    if (state_ == State::kReading && !Read(handler)) return false;
    if (state_ == State::kWriting && !Write(now)) return false;
    return state_ != State::kLingering || Linger();
  }

 private:
  enum class State { kReading, kWriting, kLingering };

  static bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

  bool Read(const HttpHandler& handler) {
    char buffer[4096];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got < 0) return WouldBlock();
    if (got == 0) return false;
    received_.append(buffer, static_cast<size_t>(got));
    const HttpHead head = ParseHttpHead(received_);
    if (head.state == HttpHeadState::kIncomplete) return true;
    to_send_ = Answer(head, handler);
    state_ = State::kWriting;
    return true;
  }

  bool Write(absl::Duration now) {
    while (sent_ < to_send_.size()) {
      const ssize_t sent =
          send(fd_, to_send_.data() + sent_, to_send_.size() - sent_, MSG_NOSIGNAL);
      if (sent < 0) return WouldBlock();
      sent_ += static_cast<size_t>(sent);
    }
    shutdown(fd_, SHUT_WR);
    state_ = State::kLingering;
    deadline_ = std::min(deadline_, now + kLinger);
    return true;
  }

  /// Reads and drops the rest of the request: closing with unread bytes resets the connection, and
  /// the client could lose the response.
  bool Linger() const {
    char buffer[4096];
    ssize_t got = 0;
    while ((got = recv(fd_, buffer, sizeof buffer, 0)) > 0) {
    }
    return got < 0 && WouldBlock();
  }

  const int fd_;
  absl::Duration deadline_;
  State state_ = State::kReading;
  std::string received_;
  std::string to_send_;
  size_t sent_ = 0;
};

class PollingHttpServer final : public HttpServer {
 public:
  PollingHttpServer(std::unique_ptr<ListenSocket> socket, int wake_fd, const Clock* clock,
                    HttpHandler handler, const HttpServerOptions& options)
      : socket_(std::move(socket)),
        wake_fd_(wake_fd),
        clock_(clock),
        handler_(std::move(handler)),
        options_(options),
        thread_([this] { Run(); }) {}

  ~PollingHttpServer() override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
    thread_.join();
    close(wake_fd_);
  }

  const std::string& address() const override { return socket_->address(); }
  int port() const override { return socket_->port(); }

 private:
  void Run() {
    std::vector<pollfd> waiting;
    bool accepting = true;
    for (;;) {
      waiting = {{wake_fd_, POLLIN, 0},
                 {socket_->fd(), static_cast<short>(accepting ? POLLIN : 0), 0}};
      for (const Connection& connection : connections_) {
        waiting.push_back({connection.fd(), connection.events(), 0});
      }
      poll(waiting.data(), waiting.size(), accepting ? TimeoutMs() : kAcceptPauseMs);
      if (waiting[0].revents != 0) return;
      AdvanceAll(waiting);
      accepting = waiting[1].revents == 0 || AcceptAll();
    }
  }

  /// Until the first deadline; -1 = none.
  int TimeoutMs() const {
    if (connections_.empty()) return -1;
    absl::Duration first = absl::InfiniteDuration();
    for (const Connection& connection : connections_) {
      first = std::min(first, connection.deadline());
    }
    const absl::Duration left = std::max(first - clock_->Monotonic(), absl::ZeroDuration());
    return static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
  }

  /// `waiting`: poll's results, those of the connections from index 2 on, in their order.
  void AdvanceAll(const std::vector<pollfd>& waiting) {
    const absl::Duration now = clock_->Monotonic();
    size_t i = 2;
    for (auto it = connections_.begin(); it != connections_.end(); ++i) {
      const bool open =
          (waiting[i].revents == 0 || it->Advance(handler_, now)) && it->deadline() > now;
      it = open ? std::next(it) : connections_.erase(it);
    }
  }

  /// False: accept() fails, and will for a while.
  bool AcceptAll() {
    for (;;) {
      const int fd = accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return errno == EAGAIN;
      }
      if (connections_.size() >= options_.max_connections) connections_.pop_front();
      connections_.emplace_back(fd, clock_->Monotonic() + options_.connection_time);
    }
  }

  const std::unique_ptr<ListenSocket> socket_;
  const int wake_fd_;  // eventfd: the destructor wakes the thread
  const Clock* const clock_;
  const HttpHandler handler_;
  const HttpServerOptions options_;
  std::list<Connection> connections_;  // the thread's; oldest first
  std::thread thread_;                 // last: it uses the others
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(std::unique_ptr<ListenSocket> socket,
                                                              const Clock* clock,
                                                              HttpHandler handler,
                                                              const HttpServerOptions& options) {
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot make an eventfd: ", std::generic_category().message(errno)));
  }
  return std::make_unique<PollingHttpServer>(std::move(socket), wake_fd, clock, std::move(handler),
                                             options);
}

}  // namespace sigserve
