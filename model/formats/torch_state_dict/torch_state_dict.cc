#include "model/formats/torch_state_dict/torch_state_dict.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/torch_state_dict/pickle.h"
#include "model/formats/torch_state_dict/state_dict.h"
#include "model/formats/torch_state_dict/zip_archive.h"

namespace sigserve {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxPickleBytes = size_t{64} << 20;
// torch/serialization.py: the number 0x1950a86a20f9469cfc6c, pickled.
constexpr absl::string_view kLegacyMagic(
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
constexpr int64_t kLegacyVersion = 1001;
// caffe2/serialize/versions.h
constexpr uint32_t kMinArchiveVersion = 1;
constexpr uint32_t kMaxArchiveVersion = 10;

absl::Status CheckRecordSize(const StorageReference& storage, uint64_t record_bytes) {
  // No record is as long as this: the product below cannot overflow.
  constexpr int64_t kMaxElements = int64_t{1} << 48;
  if (storage.record_elements <= kMaxElements &&
      static_cast<uint64_t>(storage.record_elements) * SizeOf(storage.type) == record_bytes) {
    return absl::OkStatus();
  }
  return Malformed(
      "PT_STORAGE_SIZE",
      absl::StrCat("storage ", storage.key, " of ", storage.record_elements, " elements of ",
                   SizeOf(storage.type), " bytes; its record has ", record_bytes, " bytes"));
}

// ZIP archives, PyTorch 1.6 and later.

/// The one folder that all members lie in, with its slash.
absl::StatusOr<std::string> TopFolder(const ZipArchive& archive) {
  std::string top;
  for (const ZipMember& member : archive.members()) {
    const size_t slash = member.name.find('/');
    if (slash == std::string::npos || slash == 0) {
      return Malformed("ZIP_NAME",
                       absl::StrCat("member ", Printable(member.name), " lies in no folder"));
    }
    const std::string folder = member.name.substr(0, slash + 1);
    if (!top.empty() && top != folder) {
      return Malformed("ZIP_NAME", absl::StrCat("two top folders: ", Printable(top), " and ",
                                                Printable(folder)));
    }
    top = folder;
  }
  return top;
}

absl::Status CheckArchive(const ZipArchive& archive, const std::string& top) {
  for (const ZipMember& member : archive.members()) {
    const absl::string_view name = absl::string_view(member.name).substr(top.size());
    if (absl::StartsWith(name, "code/") || name == "constants.pkl") {
      return Unsupported("PT_ARCHIVE",
                         "a TorchScript archive; save its weights: "
                         "torch.save(model.state_dict(), path)");
    }
  }
  if (archive.find(absl::StrCat(top, "data.pkl")) == nullptr) {
    return Unsupported("PT_ARCHIVE", "an archive without data.pkl was not written by torch.save");
  }
  SIGSERVE_RETURN_IF_ERROR(archive.CheckContents());
  const ZipMember* version = archive.find(absl::StrCat(top, "version"));
  uint32_t number = 0;
  if (version == nullptr || !absl::SimpleAtoi(version->contents, &number) ||
      number < kMinArchiveVersion || number > kMaxArchiveVersion) {
    return Unsupported(
        "PT_ARCHIVE",
        absl::StrCat("version ", version == nullptr ? "is missing" : Printable(version->contents),
                     ", ", kMinArchiveVersion, " to ", kMaxArchiveVersion, " are supported"));
  }
  const ZipMember* order = archive.find(absl::StrCat(top, "byteorder"));
  if (order != nullptr && order->contents != "little") {
    return Unsupported("PT_ARCHIVE",
                       absl::StrCat("byte order ", Printable(order->contents), ", not 'little'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<NamedTensors> ReadZip(absl::string_view bytes) {
  SIGSERVE_ASSIGN_OR_RETURN(const ZipArchive archive, ZipArchive::Open(bytes));
  SIGSERVE_ASSIGN_OR_RETURN(const std::string top, TopFolder(archive));
  SIGSERVE_RETURN_IF_ERROR(CheckArchive(archive, top));
  const absl::string_view data = archive.find(absl::StrCat(top, "data.pkl"))->contents;
  if (data.size() > kMaxPickleBytes) {
    return Malformed("PT_LENGTH", absl::StrCat("data.pkl has ", data.size(), " bytes, at most ",
                                               kMaxPickleBytes));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(data, /*legacy=*/false));
  if (pickle.consumed != data.size()) {
    return Malformed("PT_TRAILING",
                     absl::StrCat(data.size() - pickle.consumed, " bytes after the pickle's STOP"));
  }
  const auto record = [&](const StorageReference& storage) -> absl::StatusOr<absl::string_view> {
    const ZipMember* member = archive.find(absl::StrCat(top, "data/", storage.key));
    if (member == nullptr) {
      return Malformed("PT_STORAGE_SIZE",
                       absl::StrCat("storage ", storage.key, " is not in the file"));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckRecordSize(storage, member->contents.size()));
    return member->contents;
  };
  return StateDictFromPickle(pickle, record);
}

// Streams, before PyTorch 1.6: magic, version, system, object, keys; then each storage's elements.

/// Reads one pickle and moves on.
absl::StatusOr<Pickle> NextPickle(absl::string_view& rest) {
  SIGSERVE_ASSIGN_OR_RETURN(Pickle pickle,
                            ReadPickle(rest.substr(0, kMaxPickleBytes), /*legacy=*/true));
  rest.remove_prefix(pickle.consumed);
  return pickle;
}

absl::Status CheckLegacyHeader(absl::string_view& rest) {
  SIGSERVE_ASSIGN_OR_RETURN(const Pickle version, NextPickle(rest));
  if (version[version.root].kind != Kind::kInt || version[version.root].number != kLegacyVersion) {
    return Unsupported("PT_ARCHIVE", absl::StrCat("the stream's version is not ", kLegacyVersion));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const Pickle system, NextPickle(rest));
  const PickleValue& entries = system[system.root];
  for (size_t i = 0; i + 1 < entries.items.size(); i += 2) {
    const PickleValue& key = system[entries.items[i]];
    const PickleValue& value = system[entries.items[i + 1]];
    if (key.kind == Kind::kString && key.text == "little_endian" && value.kind == Kind::kBool &&
        value.number == 1) {
      return absl::OkStatus();
    }
  }
  return Unsupported("PT_ARCHIVE", "the stream does not say that it is little endian");
}

absl::StatusOr<NamedTensors> ReadLegacy(absl::string_view rest) {
  rest.remove_prefix(kLegacyMagic.size());
  SIGSERVE_RETURN_IF_ERROR(CheckLegacyHeader(rest));
  SIGSERVE_ASSIGN_OR_RETURN(const Pickle pickle, NextPickle(rest));
  SIGSERVE_ASSIGN_OR_RETURN(const Pickle keys, NextPickle(rest));
  absl::flat_hash_map<absl::string_view, const StorageReference*> referenced;
  for (const StorageReference& storage : pickle.storages) {
    referenced.emplace(storage.key, &storage);
  }
  absl::flat_hash_map<absl::string_view, absl::string_view> records;
  if (keys[keys.root].kind != Kind::kList) {
    return Malformed("PT_STORAGE_SIZE", "the list of storages is no list");
  }
  for (const PickleId id : keys[keys.root].items) {
    const auto found = referenced.find(keys[id].text);
    if (keys[id].kind != Kind::kString || found == referenced.end() ||
        records.contains(keys[id].text)) {
      return Malformed("PT_STORAGE_SIZE",
                       absl::StrCat("storage ", Printable(keys[id].text),
                                    " is listed twice, or nothing refers to it"));
    }
    const StorageReference& storage = *found->second;
    int64_t elements = 0;
    if (rest.size() < sizeof(elements)) {
      return Malformed("PT_TRUNCATED", absl::StrCat("the file ends before storage ", storage.key));
    }
    std::memcpy(&elements, rest.data(), sizeof(elements));
    rest.remove_prefix(sizeof(elements));
    if (elements != storage.record_elements) {
      return Malformed("PT_STORAGE_SIZE",
                       absl::StrCat("storage ", storage.key, " has ", elements,
                                    " elements, its references say ", storage.record_elements));
    }
    if (static_cast<uint64_t>(elements) > rest.size() / SizeOf(storage.type)) {
      return Malformed("PT_TRUNCATED", absl::StrCat("the file ends within storage ", storage.key));
    }
    const size_t size = static_cast<size_t>(elements) * SizeOf(storage.type);
    records.emplace(storage.key, rest.substr(0, size));
    rest.remove_prefix(size);
  }
  if (!rest.empty()) {
    return Malformed("PT_TRAILING", absl::StrCat(rest.size(), " bytes after the last storage"));
  }
  const auto record = [&](const StorageReference& storage) -> absl::StatusOr<absl::string_view> {
    const auto found = records.find(storage.key);
    if (found == records.end()) {
      return Malformed("PT_STORAGE_SIZE",
                       absl::StrCat("storage ", storage.key, " is not in the file"));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckRecordSize(storage, found->second.size()));
    return found->second;
  };
  return StateDictFromPickle(pickle, record);
}

/// What a file that is no weights file of PyTorch looks like.
absl::string_view LooksLike(absl::string_view bytes) {
  struct Beginning {
    absl::string_view bytes;
    absl::string_view what;
  };
  constexpr Beginning kBeginnings[] = {
      {"\x1f\x8b", "gzip; unpack it first"},
      {"\x7f"
       "ELF",
       "an ELF program or library"},
      {"version https://git-lfs", "a Git LFS pointer: the file itself was not downloaded"},
      {"<!doctype", "an HTML page, perhaps an error page saved in the file's place"},
      {"<html", "an HTML page, perhaps an error page saved in the file's place"},
      {"<?xml", "XML"},
      {"\x89hdf", "HDF5 (Keras)"},
      {"\xfd"
       "7zxz",
       "xz; unpack it first"},
      {"\x28\xb5\x2f\xfd", "zstd; unpack it first"},
      {"bzh", "bzip2; unpack it first"},
      {"gguf", "GGUF"},
      {"\x93numpy", "NumPy"},
      {"%pdf", "PDF"},
      {"\x08", "ONNX, perhaps; name it model.onnx"},
  };
  constexpr size_t kTarMagic = 257;
  if (bytes.size() > kTarMagic + 5 && bytes.substr(kTarMagic, 5) == "ustar") {
    return "tar (PyTorch before 0.1.10, or an archive to unpack first)";
  }
  const std::string start = absl::AsciiStrToLower(bytes.substr(0, 32));
  for (const Beginning& beginning : kBeginnings) {
    if (absl::StartsWith(start, absl::AsciiStrToLower(beginning.bytes))) return beginning.what;
  }
  if (bytes.size() > 9 && bytes[8] == '{') return "safetensors; name it weights.safetensors";
  return "nothing known";
}

/// Estimators of other libraries, which people also pickle; the first class's module names the
/// library.
absl::Status RefuseOtherLibraries(absl::string_view pickle) {
  struct Library {
    absl::string_view module, name, converter;
  };
  constexpr Library kLibraries[] = {{"sklearn.", "scikit-learn", "skl2onnx"},
                                    {"xgboost.", "XGBoost", "onnxmltools"},
                                    {"lightgbm.", "LightGBM", "onnxmltools"},
                                    {"catboost", "CatBoost", "its save_model(format='onnx')"}};
  constexpr size_t kStart = 256;
  const absl::string_view start = pickle.substr(0, kStart);
  const Library* first = nullptr;
  size_t at = start.size();
  for (const Library& library : kLibraries) {
    const size_t found = start.find(library.module);
    if (found < at) {
      at = found;
      first = &library;
    }
  }
  if (first == nullptr) return absl::OkStatus();
  return Unsupported("PT_FORMAT",
                     absl::StrCat("the file is a pickle of ", first->name,
                                  ": convert the model to ONNX with ", first->converter));
}

}  // namespace

absl::StatusOr<NamedTensors> ReadTorchStateDict(absl::string_view bytes) {
  if (bytes.empty()) return Malformed("PT_TRUNCATED", "the file is empty");
  if (absl::StartsWith(bytes, "PK\x03\x04") || absl::StartsWith(bytes, "PK\x05\x06")) {
    return ReadZip(bytes);
  }
  if (absl::StartsWith(bytes, kLegacyMagic)) return ReadLegacy(bytes);
  if (bytes[0] == '\x80' || bytes[0] == 'c' || bytes[0] == '(') {
    SIGSERVE_RETURN_IF_ERROR(RefuseOtherLibraries(bytes));
    // A pickle of another kind: what is wrong with it says more than its kind.
    SIGSERVE_RETURN_IF_ERROR(
        ReadPickle(bytes.substr(0, kMaxPickleBytes), /*legacy=*/true).status());
    return Unsupported("PT_FORMAT", "the file is a pickle that torch.save did not write");
  }
  return Unsupported("PT_FORMAT", absl::StrCat("the file is no weights file of PyTorch; it looks "
                                               "like ",
                                               LooksLike(bytes)));
}

}  // namespace sigserve
