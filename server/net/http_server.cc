#include "server/net/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <deque>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int kMaxHeadBytes = 8192;  // far more than a probe or Prometheus sends
// After accept() failed for want of descriptors or memory: libevent would try without a pause.
constexpr timeval kAcceptPause = {.tv_sec = 0, .tv_usec = 100'000};

/// libevent's own lines, in the server's format.
void LogEvent(int severity, const char* message) {
  LogLine(severity <= EVENT_LOG_MSG ? LogLevel::kInfo : LogLevel::kWarning, "libevent", 0, message);
}

struct BaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};
struct HttpDeleter {
  void operator()(evhttp* http) const { evhttp_free(http); }
};
struct EventDeleter {
  void operator()(event* event) const { event_free(event); }
};

/// The connections in the order of their accept. libevent 2.1 neither bounds their number nor tells
/// when one closes, so an entry is known by its descriptor and the socket's inode: a descriptor
/// that was closed and given out again has another inode.
class Connections {
 public:
  void Add(int fd, MonotonicTime now) { open_.push_back({fd, Inode(fd), now}); }

  /// Shuts down connections of `max_age` and the oldest beyond `max_count`; libevent then sees
  /// their end and closes them. Returns when the next one reaches `max_age`.
  absl::Duration Bound(size_t max_count, absl::Duration max_age, MonotonicTime now) {
    std::erase_if(open_, [](const Entry& entry) { return Inode(entry.fd) != entry.inode; });
    while (!open_.empty() &&
           (open_.size() > max_count || now - open_.front().accepted >= max_age)) {
      shutdown(open_.front().fd, SHUT_RDWR);
      open_.pop_front();
    }
    return open_.empty() ? absl::InfiniteDuration() : open_.front().accepted + max_age - now;
  }

 private:
  struct Entry {
    int fd;
    ino_t inode;
    MonotonicTime accepted;
  };
  static ino_t Inode(int fd) {
    struct stat status = {};
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
  }

  std::deque<Entry> open_;
};

class EventHttpServer final : public HttpServer {
 public:
  EventHttpServer(std::unique_ptr<ListenSocket> socket, const Clock* clock, HttpHandler handler,
                  const HttpServerOptions& options)
      : socket_(std::move(socket)),
        clock_(clock),
        handler_(std::move(handler)),
        options_(options),
        stop_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        base_(event_base_new()) {}

  ~EventHttpServer() override {
    if (thread_.joinable()) {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(stop_fd_, &one, sizeof one);
      thread_.join();
    }
    for (bufferevent* const connection : accepted_) bufferevent_decref(connection);
    if (stop_fd_ >= 0) close(stop_fd_);
  }

  absl::Status Start() {
    if (stop_fd_ < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot make an eventfd: ", std::generic_category().message(errno)));
    }
    if (base_ != nullptr) {
      http_.reset(evhttp_new(base_.get()));
      stop_.reset(event_new(base_.get(), stop_fd_, EV_READ, &OnStop, this));
      accept_.reset(event_new(base_.get(), -1, 0, &OnAccepted, this));
      check_.reset(event_new(base_.get(), -1, 0, &OnCheck, this));
      resume_.reset(event_new(base_.get(), -1, 0, &OnResume, this));
    }
    if (http_ == nullptr || stop_ == nullptr || accept_ == nullptr || check_ == nullptr ||
        resume_ == nullptr || event_add(stop_.get(), nullptr) != 0) {
      return absl::ResourceExhaustedError("no memory left for the HTTP server");
    }
    evhttp_set_max_headers_size(http_.get(), kMaxHeadBytes);
    evhttp_set_max_body_size(http_.get(), 0);
    evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                EVHTTP_REQ_PATCH);
    evhttp_set_timeout(http_.get(),
                       static_cast<int>(absl::ToInt64Seconds(options_.connection_time)) + 1);
    evhttp_set_bevcb(http_.get(), &OnConnection, this);
    evhttp_set_gencb(http_.get(), &OnRequest, this);
    // libevent closes the descriptor that it listens on; socket_ closes its own.
    const int listening = dup(socket_->fd());
    evhttp_bound_socket* const bound =
        listening < 0 ? nullptr : evhttp_accept_socket_with_handle(http_.get(), listening);
    if (bound == nullptr) {
      return absl::UnavailableError("the HTTP server cannot accept connections");
    }
    listener_ = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(listener_, &OnAcceptError);
    thread_ = std::thread([this] {
      // libevent writes without MSG_NOSIGNAL.
      sigset_t broken_pipe;
      sigemptyset(&broken_pipe);
      sigaddset(&broken_pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      of_this_thread_ = this;
      event_base_dispatch(base_.get());
    });
    return absl::OkStatus();
  }

  const std::string& address() const override { return socket_->address(); }
  int port() const override { return socket_->port(); }

 private:
  static EventHttpServer* Self(void* self) { return static_cast<EventHttpServer*>(self); }

  static void OnStop(evutil_socket_t, short, void* self) {
    event_base_loopbreak(Self(self)->base_.get());
  }
  static void OnCheck(evutil_socket_t, short, void* self) { Self(self)->BoundConnections(); }
  static bufferevent* OnConnection(event_base* base, void* self);
  // Its second argument is evhttp's, which says nothing of this server.
  static void OnAcceptError(evconnlistener* listener, void*) {
    evconnlistener_disable(listener);
    event_add(of_this_thread_->resume_.get(), &kAcceptPause);
  }
  static void OnResume(evutil_socket_t, short, void* self) {
    evconnlistener_enable(Self(self)->listener_);
  }
  static void OnAccepted(evutil_socket_t, short, void* self);
  static void OnRequest(evhttp_request* request, void* self) { Self(self)->Answer(request); }

  void BoundConnections() {
    const absl::Duration next =
        connections_.Bound(options_.max_connections, options_.connection_time, clock_->Monotonic());
    if (next == absl::InfiniteDuration()) return;
    const timeval wait = absl::ToTimeval(next);
    event_add(check_.get(), &wait);
  }
  void Answer(evhttp_request* request) const;

  static inline thread_local EventHttpServer* of_this_thread_ = nullptr;

  const std::unique_ptr<ListenSocket> socket_;
  const Clock* const clock_;
  const HttpHandler handler_;
  const HttpServerOptions options_;
  const int stop_fd_;  // eventfd: the destructor ends the loop
  // Used by the thread alone once it runs.
  const std::unique_ptr<event_base, BaseDeleter> base_;
  std::unique_ptr<evhttp, HttpDeleter> http_;
  evconnlistener* listener_ = nullptr;  // evhttp's
  std::unique_ptr<event, EventDeleter> stop_, accept_, check_, resume_;
  std::vector<bufferevent*> accepted_;  // not yet in connections_; each holds a reference
  Connections connections_;
  std::thread thread_;
};

// evhttp asks for a connection's bufferevent before it gives it its descriptor, so the descriptor
// is read by an event that runs right after.
bufferevent* EventHttpServer::OnConnection(event_base* base, void* self) {
  bufferevent* const connection = bufferevent_socket_new(base, -1, 0);
  if (connection == nullptr) return nullptr;
  bufferevent_incref(connection);
  Self(self)->accepted_.push_back(connection);
  event_active(Self(self)->accept_.get(), 0, 0);
  return connection;
}

void EventHttpServer::OnAccepted(evutil_socket_t, short, void* self) {
  for (bufferevent* const connection : Self(self)->accepted_) {
    const int fd = bufferevent_getfd(connection);
    if (fd >= 0) Self(self)->connections_.Add(fd, Self(self)->clock_->Monotonic());
    bufferevent_decref(connection);
  }
  Self(self)->accepted_.clear();
  Self(self)->BoundConnections();
}

void EventHttpServer::Answer(evhttp_request* request) const {
  const evhttp_cmd_type method = evhttp_request_get_command(request);
  evkeyvalq* const headers = evhttp_request_get_output_headers(request);
  HttpResponse response;
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
    evhttp_add_header(headers, "Allow", "GET, HEAD");
    response = {.code = 405, .body = "GET only\n"};
  } else {
    const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(request);
    const char* const path = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
    try {
      response = handler_(path == nullptr ? "" : path);
    } catch (const std::exception& error) {
      response = {.code = 500, .body = absl::StrCat(error.what(), "\n")};
    }
  }
  evhttp_add_header(headers, "Content-Type", response.content_type.c_str());
  evhttp_add_header(headers, "Content-Length", absl::StrCat(response.body.size()).c_str());
  evhttp_add_header(headers, "Connection", "close");
  evbuffer* const body = evhttp_request_get_output_buffer(request);
  if (method != EVHTTP_REQ_HEAD) evbuffer_add(body, response.body.data(), response.body.size());
  evhttp_send_reply(request, response.code, nullptr, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(std::unique_ptr<ListenSocket> socket,
                                                              const Clock* clock,
                                                              HttpHandler handler,
                                                              const HttpServerOptions& options) {
  event_set_log_callback(&LogEvent);
  auto server =
      std::make_unique<EventHttpServer>(std::move(socket), clock, std::move(handler), options);
  SIGSERVE_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace sigserve
