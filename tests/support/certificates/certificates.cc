#include "tests/support/certificates/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <utility>

namespace sigserve::testing_support {
namespace {

constexpr long kDay = 24L * 60 * 60;  // NOLINT(google-runtime-int): OpenSSL's type

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

File OpenForWriting(const std::string& path) {
  return File(std::fopen(path.c_str(), "we"), &std::fclose);
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void SetName(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
}

}  // namespace

TestAuthority::TestAuthority(std::string directory, std::string name)
    : directory_(std::move(directory)), name_(std::move(name)), key_(NewKey()) {
  const Certificate own = NewCertificate(name_, name_, key_.get());
  AddExtension(own.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(own.get(), key_.get(), EVP_sha256());
  certificate_file_ = Write(name_, own.get());
}

TestAuthority::Certificate TestAuthority::NewCertificate(const std::string& subject,
                                                         const std::string& issuer, EVP_PKEY* key) {
  Certificate certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay);
  SetName(X509_get_subject_name(certificate.get()), subject);
  SetName(X509_get_issuer_name(certificate.get()), issuer);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

CertificateFiles TestAuthority::Sign(const std::string& name, const std::string& alternative_names,
                                     const std::string& passphrase) const {
  const Key key = NewKey();
  const Certificate certificate = NewCertificate(name, name_, key.get());
  AddExtension(certificate.get(), NID_subject_alt_name, alternative_names);
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  CertificateFiles files;
  files.certificate = Write(name, certificate.get());
  files.key = directory_ + "/" + name + ".key";
  const File file = OpenForWriting(files.key);
  const auto* const secret = reinterpret_cast<const unsigned char*>(passphrase.data());
  PEM_write_PrivateKey(file.get(), key.get(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                       secret, static_cast<int>(passphrase.size()), nullptr, nullptr);
  return files;
}

std::string TestAuthority::Write(const std::string& name, X509* certificate) const {
  std::string path = directory_ + "/" + name + ".pem";
  const File file = OpenForWriting(path);
  PEM_write_X509(file.get(), certificate);
  return path;
}

}  // namespace sigserve::testing_support
