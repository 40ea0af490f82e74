#include "client/credentials.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/status_macros.h"

namespace sigserve::client {
namespace {

constexpr size_t kMaxFileBytes = size_t{4} << 20;

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio Memory(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
}

/// The first one, or null.
Certificate ReadCertificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509_AUX(Memory(pem).get(), nullptr, nullptr, nullptr),
                     &X509_free);
}
/// Nobody is there to be asked for a passphrase: it is the empty one.
Key ReadKey(const std::string& pem) {
  static char no_passphrase[] = "";
  return Key(PEM_read_bio_PrivateKey(Memory(pem).get(), nullptr, nullptr, no_passphrase),
             &EVP_PKEY_free);
}

absl::Status Bad(absl::string_view what, absl::string_view path, absl::string_view expected) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(what, " is '", path, "'; expected ", expected));
}

/// Empty for a file that is too large or cannot be read.
std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMaxFileBytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(file.eof() && !file.bad() ? static_cast<size_t>(file.gcount()) : 0);
  return bytes;
}

/// Empty for no file.
absl::StatusOr<std::string> ReadCertificates(absl::string_view what, const std::string& path) {
  if (path.empty()) return "";
  std::string pem = ReadFile(path);
  if (ReadCertificate(pem) == nullptr) {
    return Bad(what, path, "a PEM file that can be read, with a CERTIFICATE");
  }
  return pem;
}

absl::StatusOr<std::string> ReadKeyOf(const std::string& certificate, const TlsOptions& tls) {
  if (tls.key_file.empty()) return "";
  std::string pem = ReadFile(tls.key_file);
  const Key key = ReadKey(pem);
  if (key == nullptr) {
    return Bad("the client's TLS key", tls.key_file,
               "a PEM file that can be read, with a PRIVATE KEY without a passphrase");
  }
  if (X509_check_private_key(ReadCertificate(certificate).get(), key.get()) != 1) {
    return Bad("the client's TLS key", tls.key_file,
               absl::StrCat("that of the certificate '", tls.certificate_file, "'"));
  }
  return pem;
}

}  // namespace

// gRPC would only log what is wrong with the files, and never connect.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const std::optional<TlsOptions>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  if (tls->certificate_file.empty() != tls->key_file.empty()) {
    return absl::InvalidArgumentError(
        "the client's TLS certificate and its key go together; only one is given");
  }
  grpc::SslCredentialsOptions options;
  CLIENT_ASSIGN_OR_RETURN(options.pem_root_certs,
                          ReadCertificates("the TLS authority's file", tls->ca_file));
  CLIENT_ASSIGN_OR_RETURN(options.pem_cert_chain,
                          ReadCertificates("the client's TLS certificate", tls->certificate_file));
  CLIENT_ASSIGN_OR_RETURN(options.pem_private_key, ReadKeyOf(options.pem_cert_chain, *tls));
  return grpc::SslCredentials(options);
}

}  // namespace sigserve::client
