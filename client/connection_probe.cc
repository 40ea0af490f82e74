#include "client/connection_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX, not <csignal>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sigserve::client {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int fd() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> ParseHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return std::nullopt;
  HostPort parts{.host = address.substr(0, colon), .port = address.substr(colon + 1)};
  if (parts.host.find_first_of(":/") != std::string::npos) {
    if (!absl::StartsWith(parts.host, "[") || !absl::EndsWith(parts.host, "]")) return std::nullopt;
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

/// Connected and blocking, with `timeout` on reads and writes; not ok() if that fails.
Socket ConnectTo(const sockaddr* to, socklen_t size, absl::Duration timeout) {
  Socket socket(::socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.ok()) return socket;
  if (connect(socket.fd(), to, size) != 0) {
    if (errno != EINPROGRESS) return Socket(-1);
    pollfd writable = {socket.fd(), POLLOUT, 0};
    int error = 0;
    socklen_t error_size = sizeof(error);
    if (poll(&writable, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) != 1 ||
        getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &error_size) != 0 || error != 0) {
      return Socket(-1);
    }
  }
  fcntl(socket.fd(), F_SETFL, fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return socket;
}

Socket Dial(const std::string& address, absl::Duration timeout) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    absl::ConsumePrefix(&path, "//");
    sockaddr_un to = {};
    to.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(to.sun_path)) return Socket(-1);
    std::memcpy(to.sun_path, path.data(), path.size());
    return ConnectTo(reinterpret_cast<const sockaddr*>(&to), sizeof(to), timeout);
  }
  const std::optional<HostPort> parts = ParseHostPort(address);
  if (!parts) return Socket(-1);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found) != 0) return Socket(-1);
  const Addresses addresses(found, &freeaddrinfo);
  return ConnectTo(found->ai_addr, found->ai_addrlen, timeout);
}

/// Blocks SIGPIPE in this thread: OpenSSL writes to sockets without MSG_NOSIGNAL.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~NoSigpipe() {
    if (sigismember(&before_, SIGPIPE) == 1) return;
    const timespec at_once = {};
    while (sigtimedwait(&sigpipe_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t sigpipe_;
  sigset_t before_;
};

/// What the handshake shows.
struct Handshake {
  bool is_tls = false;             // the server answered with a certificate
  bool is_plain_text = false;      // the server's answer is not TLS
  bool wants_certificate = false;  // and none was given
  bool alert = false;              // the server refused the client with a TLS alert
  bool accepted = false;           // the server sent data: its HTTP/2 settings
  std::string not_trusted = {};    // why its certificate is not accepted; empty if it is
};

int NoteCertificateRequest(SSL* ssl, X509** /*certificate*/, EVP_PKEY** /*key*/) {
  static_cast<Handshake*>(SSL_get_ex_data(ssl, 0))->wants_certificate = true;
  return 0;
}

/// Why the certificate that `ssl` was shown is not accepted for `name`.
std::string WhyNotTrusted(const SSL* ssl, const std::string& name) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(ssl),
                                                          &X509_free);
  if (shown == nullptr || name.empty() || X509_check_ip_asc(shown.get(), name.c_str(), 0) == 1 ||
      X509_check_host(shown.get(), name.data(), name.size(), 0, nullptr) == 1) {
    return "";
  }
  return absl::StrCat("it is not for the name '", name, "'");
}

Handshake ShakeHands(const Socket& socket, const TlsOptions& tls, const std::string& name) {
  Handshake result;
  const NoSigpipe no_sigpipe;
  const SslContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else {
    SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(), nullptr);
  }
  if (tls.certificate_file.empty()) {
    SSL_CTX_set_client_cert_cb(context.get(), NoteCertificateRequest);
  } else {
    SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate_file.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file.c_str(), SSL_FILETYPE_PEM);
  }
  const Ssl ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_ex_data(ssl.get(), 0, &result);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof(kHttp2));
  if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  SSL_set_fd(ssl.get(), socket.fd());
  ERR_clear_error();
  const bool connected = SSL_connect(ssl.get()) == 1;
  // With TLS 1.3 the server judges the client's certificate after its own handshake has ended.
  char first = 0;
  result.accepted = connected && SSL_read(ssl.get(), &first, 1) == 1;
  const int reason = ERR_GET_REASON(ERR_peek_error());
  result.alert = !result.accepted && reason >= SSL_AD_REASON_OFFSET;
  result.is_tls = connected || result.wants_certificate;
  result.is_plain_text = !connected && (reason == SSL_R_WRONG_VERSION_NUMBER ||
                                        reason == SSL_R_PACKET_LENGTH_TOO_LONG);
  if (result.is_tls) result.not_trusted = WhyNotTrusted(ssl.get(), name);
  ERR_clear_error();
  return result;
}

}  // namespace

std::optional<Diagnosis> ProbeConnection(const std::string& address,
                                         const std::optional<TlsOptions>& tls,
                                         absl::Duration timeout) {
  const Socket socket = Dial(address, timeout);
  if (!socket.ok()) return std::nullopt;
  const TlsOptions options = tls.value_or(TlsOptions{});
  std::string name = options.server_name;
  const std::optional<HostPort> parts = ParseHostPort(address);
  if (name.empty() && parts && !absl::StartsWith(address, "unix:")) name = parts->host;
  const Handshake seen = ShakeHands(socket, options, name);
  if (!tls) {
    if (!seen.is_tls) return std::nullopt;
    return Diagnosis{
        ConnectFault::kServerUsesTls,
        absl::StrCat(
            "the server uses TLS, this client plain text",
            seen.wants_certificate ? "; the server also requires a client certificate" : "")};
  }
  if (seen.is_plain_text) {
    return Diagnosis{ConnectFault::kServerUsesPlainText,
                     "this client uses TLS, the server does not"};
  }
  if (seen.is_tls && !seen.not_trusted.empty()) {
    return Diagnosis{ConnectFault::kServerNotTrusted,
                     absl::StrCat("the server's certificate is not trusted: ", seen.not_trusted)};
  }
  if (seen.accepted) return std::nullopt;
  if (seen.wants_certificate) {
    return Diagnosis{ConnectFault::kServerWantsCertificate,
                     "the server requires a client certificate, and this client has none"};
  }
  if (seen.is_tls && seen.alert && !options.certificate_file.empty()) {
    return Diagnosis{ConnectFault::kServerWantsCertificate,
                     "the server does not accept this client's certificate"};
  }
  return std::nullopt;
}

}  // namespace sigserve::client
