#include "model/formats/safetensors/safetensors.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/safetensors/header.h"
#include "nlohmann/json.hpp"

namespace sigserve {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

absl::string_view FileTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "F32";
    case DType::kFloat64:
      return "F64";
    case DType::kInt32:
      return "I32";
    case DType::kInt64:
      return "I64";
    case DType::kBool:
      return "BOOL";
  }
  return "";
}

}  // namespace

absl::StatusOr<NamedTensors> ReadSafetensors(absl::string_view bytes, Numbers numbers) {
  if (bytes.size() < kLengthBytes) {
    return Malformed("ST_TRUNCATED", absl::StrCat("needs 8 bytes, has ", bytes.size()));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes) {
    return Malformed("ST_HEADER_TOO_LARGE", absl::StrCat("the header claims ", header_bytes,
                                                         " bytes, at most ", kMaxHeaderBytes));
  }
  const absl::string_view rest = bytes.substr(kLengthBytes);
  if (header_bytes > rest.size()) {
    return Malformed("ST_HEADER_LENGTH",
                     absl::StrCat("the header claims ", header_bytes, " bytes, the file has ",
                                  rest.size(), " after it"));
  }
  const absl::string_view data = rest.substr(header_bytes);
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<SafetensorsEntry> entries,
                            ParseSafetensorsHeader(rest.substr(0, header_bytes), data.size()));
  NamedTensors tensors;
  tensors.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) {
    Tensor tensor(LoadedType(entry.type), entry.shape);
    const absl::Status read =
        ReadElements(entry.type, data.data() + entry.begin, ContiguousStrides(entry.shape), tensor);
    if (!read.ok()) {
      return Malformed("ST_BOOL",
                       absl::StrCat("tensor ", Printable(entry.name), ": ", read.message()));
    }
    if (numbers == Numbers::kFinite) SIGSERVE_RETURN_IF_ERROR(CheckFinite(entry.name, tensor));
    tensors.emplace_back(entry.name, std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<std::string> WriteSafetensors(const NamedTensors& tensors) {
  std::vector<const std::pair<std::string, Tensor>*> sorted;
  absl::flat_hash_set<absl::string_view> names;
  for (const auto& named : tensors) {
    if (const absl::string_view problem = NameProblem(named.first); !problem.empty()) {
      return Malformed("ST_NAME",
                       absl::StrCat("tensor name ", Printable(named.first), " ", problem));
    }
    if (named.first == "__metadata__" || !names.insert(named.first).second) {
      return Malformed("ST_DUP_NAME",
                       absl::StrCat("tensor ", Printable(named.first), " is there twice"));
    }
    sorted.push_back(&named);
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    const size_t a_size = SizeOf(a->second.dtype());
    const size_t b_size = SizeOf(b->second.dtype());
    return a_size != b_size ? a_size > b_size : a->first < b->first;
  });
  nlohmann::json header = nlohmann::json::object();
  uint64_t end = 0;
  for (const auto* named : sorted) {
    const auto dims = named->second.shape().dims();
    const uint64_t begin = end;
    end += named->second.bytes();
    header[named->first] = {{"dtype", std::string(FileTypeOf(named->second.dtype()))},
                            {"shape", std::vector<int64_t>(dims.begin(), dims.end())},
                            {"data_offsets", {begin, end}}};
  }
  std::string json = header.dump();
  json.append((kLengthBytes - json.size() % kLengthBytes) % kLengthBytes, ' ');
  const uint64_t header_bytes = json.size();
  std::string out(kLengthBytes, '\0');
  std::memcpy(out.data(), &header_bytes, kLengthBytes);
  out.reserve(kLengthBytes + json.size() + end);
  out += json;
  for (const auto* named : sorted) {
    out.append(static_cast<const char*>(named->second.data()), named->second.bytes());
  }
  return out;
}

}  // namespace sigserve
