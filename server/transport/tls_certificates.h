// The server's TLS certificate, key and client authorities: PEM files, read and checked together,
// so that a reload takes all of them or none. Names no transport engine: an engine asks for
// current() at each handshake. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "model/base/file.h"

namespace sigserve {

/// Paths of PEM files.
struct TlsFiles {
  /// The server's certificate, followed by the intermediate ones.
  std::string certificate;
  /// Without a passphrase.
  std::string key;
  /// The authorities that sign clients' certificates; empty = clients need no certificate.
  std::string client_ca;
};

/// The contents of TlsFiles; client_ca is empty if there is no such file.
struct TlsPem {
  std::string certificate;
  std::string key;
  std::string client_ca;
};

class TlsCertificates {
 public:
  /// INVALID_ARGUMENT names the file that is missing or holds something else, or says that the key
  /// does not belong to the certificate. `file_system` must outlive the result.
  static absl::StatusOr<std::unique_ptr<TlsCertificates>> Load(TlsFiles files,
                                                               FileSystem* file_system);

  /// Reads the files again, for the handshakes to come. On an error the current ones stay.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);

  std::shared_ptr<const TlsPem> current() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// Whether clients must present a certificate.
  bool asks_clients() const { return !files_.client_ca.empty(); }

 private:
  TlsCertificates(TlsFiles files, FileSystem* file_system)
      : files_(std::move(files)), file_system_(file_system) {}

  const TlsFiles files_;
  FileSystem* const file_system_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const TlsPem> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
