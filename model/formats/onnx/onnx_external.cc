#include "model/formats/onnx/onnx_external.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/formats/weights/named_tensors.h"
#include "onnx/onnx.pb.h"

namespace sigserve {
namespace {

// Tied weights use their bytes twice.
constexpr int64_t kMaxUses = 2;
constexpr int64_t kFreeBytes = int64_t{1} << 20;
constexpr int64_t kMaxFileBytes = int64_t{64} << 30;
constexpr size_t kMaxOpenFiles = 1000;
constexpr size_t kMaxLocationBytes = 4096;
constexpr size_t kHashBlock = size_t{1} << 20;

absl::Status Denied(absl::string_view token, absl::string_view text) {
  return absl::PermissionDeniedError(absl::StrCat(token, ": ", text));
}

/// A tensor's external_data, read.
struct Entry {
  std::string location;  // names separated by '/', none of them "." or ".."
  int64_t offset = 0;
  std::optional<int64_t> length;
  std::string checksum;  // SHA-1 of the file, in hexadecimal; may be empty
};

absl::Status ReadLocation(absl::string_view text, std::string& location) {
  absl::string_view problem;
  if (text.empty()) problem = "is empty";
  if (text.size() > kMaxLocationBytes) problem = "is too long";
  const bool drive = text.size() > 1 && text[1] == ':' && absl::ascii_isalpha(text[0]);
  if (absl::StartsWith(text, "/") || absl::StrContains(text, "\\") || drive) {
    problem = "is absolute, or is not separated by '/'";
  }
  if (absl::StrContains(text, "://") || absl::StartsWith(text, "file:")) problem = "is a URL";
  if (problem.empty() &&
      (!IsValidUtf8(text) || absl::StrContains(text, absl::string_view("\0", 1)))) {
    problem = "is no text";
  }
  std::vector<absl::string_view> names;
  for (const absl::string_view name : absl::StrSplit(text, '/')) {
    if (name == ".." && problem.empty()) problem = "leads out of the version's folder";
    if (!name.empty() && name != ".") names.push_back(name);
  }
  if (names.empty() && problem.empty()) problem = "names no file";
  if (!problem.empty()) {
    return Denied("ONNX_EXT_PATH", absl::StrCat("location ", Printable(text), " ", problem));
  }
  location = absl::StrJoin(names, "/");
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ReadNumber(absl::string_view key, absl::string_view text) {
  int64_t number = 0;
  const bool digits = std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(text, &number)) {
    return Malformed("ONNX_EXT_RANGE",
                     absl::StrCat(key, " is ", Printable(text), ", expected a number of bytes"));
  }
  return number;
}

absl::StatusOr<Entry> ReadEntry(const onnx::TensorProto& proto) {
  Entry entry;
  std::vector<absl::string_view> seen;
  for (const onnx::StringStringEntryProto& pair : proto.external_data()) {
    const std::string& key = pair.key();
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      return Malformed("ONNX_EXT_KEY", absl::StrCat("key ", Printable(key), " is given twice"));
    }
    seen.push_back(key);
    if (key == "location") {
      SIGSERVE_RETURN_IF_ERROR(ReadLocation(pair.value(), entry.location));
    } else if (key == "offset") {
      SIGSERVE_ASSIGN_OR_RETURN(entry.offset, ReadNumber(key, pair.value()));
    } else if (key == "length") {
      SIGSERVE_ASSIGN_OR_RETURN(entry.length, ReadNumber(key, pair.value()));
    } else if (key == "checksum") {
      entry.checksum = absl::AsciiStrToLower(pair.value());
    } else {
      return Malformed("ONNX_EXT_KEY",
                       absl::StrCat("key ", Printable(key),
                                    " is unknown: expected location, offset, length or checksum"));
    }
  }
  if (entry.location.empty()) {
    return Malformed("ONNX_EXT_KEY", "the data is in another file, and its location is missing");
  }
  return entry;
}

/// Reads the entry of every external tensor below a message, for what is wrong with it.
class Checker {
 public:
  absl::Status Check(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) SIGSERVE_RETURN_IF_ERROR(Check(tensor));
    for (const auto& tensor : graph.sparse_initializer()) SIGSERVE_RETURN_IF_ERROR(Check(tensor));
    return Check(graph.node());
  }
  absl::Status Check(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
    for (const onnx::NodeProto& node : nodes) {
      for (const onnx::AttributeProto& attribute : node.attribute()) {
        SIGSERVE_RETURN_IF_ERROR(Check(attribute));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Check(const onnx::TensorProto& tensor) {
    if (!IsExternal(tensor)) return absl::OkStatus();
    return WithSubject(ReadEntry(tensor).status(),
                       absl::StrCat("tensor ", Printable(tensor.name())));
  }
  absl::Status Check(const onnx::SparseTensorProto& tensor) {
    SIGSERVE_RETURN_IF_ERROR(Check(tensor.values()));
    return Check(tensor.indices());
  }
  absl::Status Check(const onnx::AttributeProto& attribute) {
    if (attribute.has_t()) SIGSERVE_RETURN_IF_ERROR(Check(attribute.t()));
    if (attribute.has_sparse_tensor()) SIGSERVE_RETURN_IF_ERROR(Check(attribute.sparse_tensor()));
    if (attribute.has_g()) SIGSERVE_RETURN_IF_ERROR(Check(attribute.g()));
    for (const auto& tensor : attribute.tensors()) SIGSERVE_RETURN_IF_ERROR(Check(tensor));
    for (const auto& tensor : attribute.sparse_tensors()) SIGSERVE_RETURN_IF_ERROR(Check(tensor));
    for (const auto& graph : attribute.graphs()) SIGSERVE_RETURN_IF_ERROR(Check(graph));
    return absl::OkStatus();
  }
};

// The checksum that ONNX gives of external data: SHA-1, 40 digits. It tells a damaged file from a
// whole one; it does not protect against an attacker who writes both.
absl::StatusOr<std::string> HashOf(const RandomAccessFile& file) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free);
  bool hashed = hash != nullptr && EVP_DigestInit_ex(hash.get(), EVP_sha1(), nullptr) == 1;
  std::string block;
  for (int64_t at = 0; at < file.size(); at += static_cast<int64_t>(block.size())) {
    block.resize(std::min(kHashBlock, static_cast<size_t>(file.size() - at)));
    SIGSERVE_RETURN_IF_ERROR(file.ReadAt(at, absl::MakeSpan(block)));
    hashed = hashed && EVP_DigestUpdate(hash.get(), block.data(), block.size()) == 1;
  }
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int bytes = 0;
  hashed = hashed && EVP_DigestFinal_ex(hash.get(), reinterpret_cast<unsigned char*>(digest.data()),
                                        &bytes) == 1;
  if (!hashed) return absl::InternalError("OpenSSL computes no SHA-1 here");
  return absl::BytesToHexString(absl::string_view(digest.data(), bytes));
}

}  // namespace

bool IsExternal(const onnx::TensorProto& proto) {
  return proto.data_location() == onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0;
}

absl::Status CheckExternalTensors(const onnx::ModelProto& model) {
  Checker checker;
  SIGSERVE_RETURN_IF_ERROR(checker.Check(model.graph()));
  for (const onnx::FunctionProto& function : model.functions()) {
    SIGSERVE_RETURN_IF_ERROR(checker.Check(function.node()));
  }
  for (const onnx::TrainingInfoProto& training : model.training_info()) {
    SIGSERVE_RETURN_IF_ERROR(checker.Check(training.initialization()));
    SIGSERVE_RETURN_IF_ERROR(checker.Check(training.algorithm()));
  }
  return absl::OkStatus();
}

absl::StatusOr<const RandomAccessFile*> ExternalFiles::Open(const std::string& location) {
  std::unique_ptr<RandomAccessFile>& file = open_[location];
  if (file != nullptr) return file.get();
  if (open_.size() > kMaxOpenFiles) {
    return absl::ResourceExhaustedError(
        absl::StrCat("ONNX_TOTAL_SIZE: data in more than ", kMaxOpenFiles, " files"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(FoundWithin found, files_->OpenWithin(directory_, location));
  const std::string what = absl::StrCat("file ", Printable(location));
  switch (found.kind) {
    case FoundWithin::Kind::kFile:
      // The file system's word, which sparse files stretch: not all of it may be there.
      if (found.file->size() > kMaxFileBytes - file_bytes_) {
        return absl::ResourceExhaustedError(absl::StrCat("ONNX_TOTAL_SIZE: with ", what,
                                                         " the external data has more than ",
                                                         kMaxFileBytes, " bytes"));
      }
      file = std::move(found.file);
      file_bytes_ += file->size();
      return file.get();
    case FoundWithin::Kind::kMissing:
      return Malformed("ONNX_EXT_MISSING", absl::StrCat(what, " is not in the version's folder"));
    case FoundWithin::Kind::kLink:
      return Denied("ONNX_EXT_LINK", absl::StrCat(what, " is a link, or reached through one"));
    case FoundWithin::Kind::kOther:
      break;
  }
  return Denied("ONNX_EXT_TYPE", absl::StrCat(what, " is not a regular file"));
}

absl::StatusOr<ExternalFiles::Place> ExternalFiles::Find(const onnx::TensorProto& proto,
                                                         int64_t bytes) {
  SIGSERVE_ASSIGN_OR_RETURN(const Entry entry, ReadEntry(proto));
  if (files_ == nullptr) {
    return absl::UnimplementedError(
        "ONNX_EXT: the data is in another file, and there is no folder to look into");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const RandomAccessFile* file, Open(entry.location));
  const int64_t length = entry.length.value_or(bytes);
  if (entry.offset > file->size() || length > file->size() - entry.offset) {
    return Malformed("ONNX_EXT_RANGE",
                     absl::StrCat(length, " bytes from ", entry.offset, " on: file ",
                                  Printable(entry.location), " has ", file->size()));
  }
  if (length != bytes) {
    return Malformed("ONNX_SIZE_MISMATCH",
                     absl::StrCat("the shape needs ", bytes, " bytes, length is ", length));
  }
  if (!entry.checksum.empty()) {
    std::string& sha1 = sha1_[entry.location];
    if (sha1.empty()) {
      SIGSERVE_ASSIGN_OR_RETURN(sha1, HashOf(*file));
    }
    if (sha1 != entry.checksum) {
      return Malformed("ONNX_EXT_HASH",
                       absl::StrCat("file ", Printable(entry.location), " has SHA-1 ", sha1,
                                    ", the model says ", Printable(entry.checksum)));
    }
  }
  tensor_bytes_ += bytes;
  if ((tensor_bytes_ - kFreeBytes) / kMaxUses > file_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("ONNX_TOTAL_SIZE: the tensors so far have ",
                                                     tensor_bytes_, " bytes, their files ",
                                                     file_bytes_));
  }
  return Place{file, entry.offset};
}

}  // namespace sigserve
