#include "server/transport/grpc/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 20;

/// What OpenSSL complained of first: what it says last is that it failed.
std::string Complaint() {
  std::array<char, 256> text = {};
  const unsigned long error = ERR_get_error();  // NOLINT(google-runtime-int): OpenSSL's type
  ERR_error_string_n(error, text.data(), text.size());
  return text.data();
}

absl::Status Bad(absl::string_view field, absl::string_view file, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is '", file, "'; expected ", expected,
                                                 " in a PEM file (", Complaint(), ")"));
}

/// gRPC would say nothing until the first client comes.
absl::Status Check(const TlsFiles& files) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(absl::StrCat("OpenSSL: ", Complaint()));
  ERR_clear_error();
  // Nobody is there to be asked for a passphrase.
  static char no_passphrase[] = "";
  SSL_CTX_set_default_passwd_cb_userdata(context.get(), no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return Bad("tls.certificate_file", files.certificate, "a certificate");
  }
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Bad("tls.key_file", files.key, "the certificate's private key, without a passphrase,");
  }
  ERR_clear_error();
  if (!files.client_ca.empty() &&
      SSL_CTX_load_verify_locations(context.get(), files.client_ca.c_str(), nullptr) != 1) {
    return Bad("tls.client_ca_file", files.client_ca, "certificates");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const TlsFiles& files,
                                                                        FileSystem* file_system) {
  SIGSERVE_RETURN_IF_ERROR(Check(files));
  grpc::SslServerCredentialsOptions options(
      files.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                              : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  SIGSERVE_ASSIGN_OR_RETURN(std::string key, file_system->ReadFile(files.key, kMaxFileBytes));
  SIGSERVE_ASSIGN_OR_RETURN(std::string certificate,
                            file_system->ReadFile(files.certificate, kMaxFileBytes));
  options.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  if (!files.client_ca.empty()) {
    SIGSERVE_ASSIGN_OR_RETURN(options.pem_root_certs,
                              file_system->ReadFile(files.client_ca, kMaxFileBytes));
  }
  return grpc::SslServerCredentials(options);
}

}  // namespace sigserve
