#include "client/credentials.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sigserve::client {
namespace {

/// Empty for no file. `kind`: what its PEM blocks are called.
absl::StatusOr<std::string> ReadPem(absl::string_view what, absl::string_view kind,
                                    const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  std::string pem(std::istreambuf_iterator<char>(file), {});
  if (file.bad() || !absl::StrContains(pem, absl::StrCat(kind, "-----"))) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " is '", path, "'; expected a PEM file that can be read, with a ", kind));
  }
  return pem;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const std::optional<TlsOptions>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  if (tls->certificate_file.empty() != tls->key_file.empty()) {
    return absl::InvalidArgumentError(
        "the client's TLS certificate and its key go together; only one is given");
  }
  const absl::StatusOr<std::string> ca =
      ReadPem("the TLS authority's file", "CERTIFICATE", tls->ca_file);
  if (!ca.ok()) return ca.status();
  const absl::StatusOr<std::string> certificate =
      ReadPem("the client's TLS certificate", "CERTIFICATE", tls->certificate_file);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<std::string> key =
      ReadPem("the client's TLS key", "PRIVATE KEY", tls->key_file);
  if (!key.ok()) return key.status();
  return grpc::SslCredentials(
      {.pem_root_certs = *ca, .pem_private_key = *key, .pem_cert_chain = *certificate});
}

}  // namespace sigserve::client
