#include "server/transport/grpc/tls_credentials.h"

#include <grpc/grpc_security.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {
namespace {

/// On gRPC's C API: its C++ one has reloading only by polling the files.
class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(const TlsCertificates* certificates)
      : certificates_(certificates),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                certificates->asks_clients()
                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                &ReloadingCredentials::Fetch, this))) {}
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  /// Called before each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* data, grpc_ssl_server_certificate_config** config) {
    auto* self = static_cast<ReloadingCredentials*>(data);
    const std::shared_ptr<const TlsPem> current = self->certificates_->current();
    absl::MutexLock lock(&self->mutex_);
    if (current == self->in_use_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {current->key.c_str(), current->certificate.c_str()};
    // gRPC insists on authorities. Without client certificates it uses none of them.
    const std::string& authorities =
        current->client_ca.empty() ? current->certificate : current->client_ca;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    self->in_use_ = current;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const TlsCertificates* const certificates_;
  absl::Mutex mutex_;
  std::shared_ptr<const TlsPem> in_use_ ABSL_GUARDED_BY(mutex_);
  grpc_server_credentials* const credentials_;  // last: it may fetch
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const TlsCertificates* certificates) {
  if (certificates == nullptr) return grpc::InsecureServerCredentials();
  return std::make_shared<ReloadingCredentials>(certificates);
}

}  // namespace sigserve
