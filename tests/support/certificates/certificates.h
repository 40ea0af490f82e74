// Certificates for TLS tests, made when a test runs: no keys in the source tree, none that expire.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace sigserve::testing_support {

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

/// Signs certificates and writes them as PEM files into a directory that the caller removes.
class TestAuthority {
 public:
  TestAuthority(std::string directory, std::string name);

  /// The authority's own certificate, a file.
  const std::string& certificate() const { return certificate_file_; }
  /// `alternative_names` as OpenSSL writes them: "DNS:sigserve.test,IP:127.0.0.1". The key is
  /// encrypted if there is a passphrase.
  CertificateFiles Sign(const std::string& name, const std::string& alternative_names,
                        const std::string& passphrase = "") const;

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static Key NewKey() { return Key(EVP_EC_gen("P-256"), &EVP_PKEY_free); }
  /// Not signed yet.
  static Certificate NewCertificate(const std::string& subject, const std::string& issuer,
                                    EVP_PKEY* key);
  std::string Write(const std::string& name, X509* certificate) const;

  const std::string directory_;
  const std::string name_;
  const Key key_;
  std::string certificate_file_;
};

}  // namespace sigserve::testing_support
