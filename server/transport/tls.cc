#include "server/transport/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr unsigned kRefreshSeconds = 60;

/// The newest of OpenSSL's complaints, which it forgets then.
std::string Complaint() {
  std::array<char, 256> text = {};
  const unsigned long error = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's type
  ERR_error_string_n(error, text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

absl::Status Bad(absl::string_view field, absl::string_view file, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is '", file, "'; expected ", expected,
                                                 " in a PEM file that can be read (", Complaint(),
                                                 ")"));
}

/// gRPC would say nothing until the first client comes.
absl::Status Check(const TlsFiles& files) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(absl::StrCat("OpenSSL: ", Complaint()));
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return Bad("tls.certificate_file", files.certificate, "a certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Bad("tls.key_file", files.key, "the certificate's private key");
  }
  if (!files.client_ca.empty() &&
      SSL_CTX_load_verify_locations(context.get(), files.client_ca.c_str(), nullptr) != 1) {
    return Bad("tls.client_ca_file", files.client_ca, "certificates");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const TlsFiles& files) {
  SIGSERVE_RETURN_IF_ERROR(Check(files));
  using grpc::experimental::FileWatcherCertificateProvider;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<FileWatcherCertificateProvider>(files.key, files.certificate,
                                                       files.client_ca, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (files.client_ca.empty()) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  } else {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace sigserve
