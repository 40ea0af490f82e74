#include "server/transport/tls_certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{1} << 20;
constexpr char kCertificateField[] = "tls.certificate_file";
constexpr char kKeyField[] = "tls.key_file";
constexpr char kClientCaField[] = "tls.client_ca_file";

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

Bio Reader(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

/// OpenSSL would ask the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return 0; }

/// The first error of OpenSSL's queue; the later ones only say that the call failed.
std::string OpenSslError() {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  return reason == nullptr ? "" : absl::StrCat(" (OpenSSL: ", reason, ")");
}

absl::Status Bad(absl::string_view field, absl::string_view file, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is '", file, "'; expected ", expected,
                                                 " in a PEM file", OpenSslError()));
}

absl::StatusOr<std::string> ReadField(absl::string_view field, const std::string& path,
                                      FileSystem* files) {
  absl::StatusOr<std::string> text = files->ReadFile(path, kMaxFileBytes);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", text.status().message()));
}

Certificate NextCertificate(BIO* reader) {
  return {PEM_read_bio_X509(reader, nullptr, &NoPassphrase, nullptr), &X509_free};
}

/// A transport would report a bad file only when the first client connects.
absl::Status Check(const TlsPem& pem, const TlsFiles& files) {
  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(absl::StrCat("no TLS", OpenSslError()));
  const Bio chain = Reader(pem.certificate);
  const Certificate certificate = NextCertificate(chain.get());
  if (certificate == nullptr || SSL_CTX_use_certificate(context.get(), certificate.get()) != 1) {
    return Bad(kCertificateField, files.certificate, "a certificate");
  }
  while (const Certificate more = NextCertificate(chain.get())) {
    if (SSL_CTX_add1_chain_cert(context.get(), more.get()) != 1) {
      return Bad(kCertificateField, files.certificate, "a chain of certificates");
    }
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {  // not the text's end
    return Bad(kCertificateField, files.certificate, "a chain of certificates");
  }
  ERR_clear_error();
  const Bio key_reader = Reader(pem.key);
  const Key key(PEM_read_bio_PrivateKey(key_reader.get(), nullptr, &NoPassphrase, nullptr),
                &EVP_PKEY_free);
  if (key == nullptr || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Bad(kKeyField, files.key, "the certificate's private key, without a passphrase,");
  }
  if (files.client_ca.empty()) return absl::OkStatus();
  ERR_clear_error();
  const Bio authorities = Reader(pem.client_ca);
  if (NextCertificate(authorities.get()) == nullptr) {
    return Bad(kClientCaField, files.client_ca, "certificates");
  }
  return absl::OkStatus();
}

absl::StatusOr<TlsPem> Read(const TlsFiles& files, FileSystem* file_system) {
  TlsPem pem;
  SIGSERVE_ASSIGN_OR_RETURN(pem.certificate,
                            ReadField(kCertificateField, files.certificate, file_system));
  SIGSERVE_ASSIGN_OR_RETURN(pem.key, ReadField(kKeyField, files.key, file_system));
  if (!files.client_ca.empty()) {
    SIGSERVE_ASSIGN_OR_RETURN(pem.client_ca,
                              ReadField(kClientCaField, files.client_ca, file_system));
  }
  SIGSERVE_RETURN_IF_ERROR(Check(pem, files));
  return pem;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsCertificates>> TlsCertificates::Load(TlsFiles files,
                                                                       FileSystem* file_system) {
  std::unique_ptr<TlsCertificates> result(new TlsCertificates(std::move(files), file_system));
  SIGSERVE_RETURN_IF_ERROR(result->Reload());
  return result;
}

absl::Status TlsCertificates::Reload() {
  SIGSERVE_ASSIGN_OR_RETURN(TlsPem pem, Read(files_, file_system_));
  auto next = std::make_shared<const TlsPem>(std::move(pem));
  absl::MutexLock lock(&mutex_);
  current_.swap(next);
  return absl::OkStatus();
}

std::shared_ptr<const TlsPem> TlsCertificates::current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

}  // namespace sigserve
