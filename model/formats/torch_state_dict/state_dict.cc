#include "model/formats/torch_state_dict/state_dict.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

using Kind = PickleValue::Kind;

constexpr int kMaxRank = 64;
constexpr int kMaxWrapping = 2;
// Tied weights use a storage twice or thrice; files that use one more often than this grow.
constexpr int64_t kMaxUses = 64;
constexpr absl::string_view kWrappers[] = {"state_dict", "model_state_dict", "model",  "net",
                                           "network",    "module",           "weights"};

absl::string_view KindName(const PickleValue& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "a bool";
    case Kind::kInt:
    case Kind::kFloat:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kList:
      return "a list";
    case Kind::kDict:
      return "a dictionary";
    case Kind::kGlobal:
      return "a type";
    case Kind::kStorage:
      return "a storage";
    case Kind::kTensor:
      return "a tensor";
  }
  return "";
}

/// A tensor of the file, checked; nothing of it is in memory yet.
struct Planned {
  std::string name;
  ElementType type = ElementType::kF32;
  Shape shape;
  std::vector<int64_t> strides;
  const char* data = nullptr;
};

class Reader {
 public:
  Reader(const Pickle& pickle, const FindRecord& records) : pickle_(pickle), records_(records) {}

  absl::StatusOr<NamedTensors> Read();

 private:
  absl::StatusOr<PickleId> FindStateDict() const;
  bool HoldsTensors(const PickleValue& dict) const;
  absl::StatusOr<Planned> Plan(absl::string_view name, const PickleValue& tensor);
  absl::Status CheckView(const Planned& planned, int64_t offset, const StorageReference& storage);

  const Pickle& pickle_;
  const FindRecord& records_;
  absl::flat_hash_map<absl::string_view, int64_t> used_;  // by key: elements in views so far
};

bool Reader::HoldsTensors(const PickleValue& dict) const {
  for (size_t i = 1; i < dict.items.size(); i += 2) {
    if (pickle_[dict.items[i]].kind == Kind::kTensor) return true;
  }
  return false;
}

absl::StatusOr<PickleId> Reader::FindStateDict() const {
  PickleId id = pickle_.root;
  for (int wrapping = 0; wrapping <= kMaxWrapping; ++wrapping) {
    const PickleValue& dict = pickle_[id];
    if (dict.kind != Kind::kDict) {
      return Malformed("PT_NOT_STATE_DICT", absl::StrCat("the file holds ", KindName(dict),
                                                         ", expected a dictionary of tensors"));
    }
    if (dict.items.empty() || HoldsTensors(dict)) return id;
    bool found = false;
    for (const absl::string_view wrapper : kWrappers) {
      for (size_t i = 0; i < dict.items.size() && !found; i += 2) {
        const PickleValue& key = pickle_[dict.items[i]];
        if (key.kind != Kind::kString || key.text != wrapper) continue;
        if (pickle_[dict.items[i + 1]].kind != Kind::kDict) continue;
        id = dict.items[i + 1];
        found = true;
      }
      if (found) break;
    }
    if (!found) break;
  }
  std::string keys;
  const PickleValue& root = pickle_[pickle_.root];
  for (size_t i = 0; i < std::min<size_t>(root.items.size(), 20); i += 2) {
    const PickleValue& key = pickle_[root.items[i]];
    absl::StrAppend(&keys, i == 0 ? "" : ", ",
                    key.kind == Kind::kString ? Printable(key.text) : std::string(KindName(key)));
  }
  return Malformed("PT_NOT_STATE_DICT",
                   absl::StrCat("no dictionary of tensors in the file; its keys: ", keys));
}

/// Every element of the view lies within the storage, and there are not more than that has.
absl::Status Reader::CheckView(const Planned& planned, int64_t offset,
                               const StorageReference& storage) {
  const std::string what = absl::StrCat("tensor ", Printable(planned.name));
  const auto bytes = CheckedBytes(planned.shape, SizeOf(LoadedType(planned.type)));
  if (!bytes.ok())
    return Malformed("PT_STRIDE", absl::StrCat(what, ": ", bytes.status().message()));
  const int64_t elements = planned.shape.elements();
  int64_t last = offset;
  bool inside = elements == 0 || last < storage.elements;
  for (int d = 0; d < planned.shape.rank() && elements > 0 && inside; ++d) {
    const int64_t stride = planned.strides[static_cast<size_t>(d)];
    const int64_t steps = planned.shape[d] - 1;
    inside = stride >= 0 && (steps == 0 || stride <= (storage.elements - 1 - last) / steps);
    if (inside) last += stride * steps;
  }
  if (!inside || elements > storage.elements) {
    return Malformed("PT_STRIDE", absl::StrCat(what, ": a view ", planned.shape.ToString(),
                                               " that its storage of ", storage.elements,
                                               " elements does not have"));
  }
  int64_t& used = used_[storage.key];
  used += elements;
  if (used / kMaxUses > storage.record_elements) {
    return absl::ResourceExhaustedError(
        absl::StrCat("PT_TOTAL_SIZE: the tensors up to ", Printable(planned.name), " use storage ",
                     storage.key, " more than ", kMaxUses, " times over"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Planned> Reader::Plan(absl::string_view name, const PickleValue& tensor) {
  const StorageReference& storage =
      pickle_.storages[static_cast<size_t>(pickle_[tensor.items[0]].number)];
  const PickleValue& sizes = pickle_[tensor.items[2]];
  const PickleValue& strides = pickle_[tensor.items[3]];
  const int64_t offset = pickle_[tensor.items[1]].number;
  const std::string what = absl::StrCat("tensor ", Printable(name));
  if (sizes.items.size() != strides.items.size() || sizes.items.size() > kMaxRank) {
    return Malformed("PT_STRIDE",
                     absl::StrCat(what, " has ", sizes.items.size(), " sizes and ",
                                  strides.items.size(), " strides, at most ", kMaxRank));
  }
  Planned planned;
  planned.name = std::string(name);
  planned.type = storage.type;
  for (size_t i = 0; i < sizes.items.size(); ++i) {
    const PickleValue& size = pickle_[sizes.items[i]];
    const PickleValue& stride = pickle_[strides.items[i]];
    if (size.kind != Kind::kInt || stride.kind != Kind::kInt || size.number < 0 ||
        stride.number < 0) {
      return Malformed("PT_STRIDE",
                       absl::StrCat(what, ": sizes and strides must be numbers from 0"));
    }
    planned.shape.push_back(size.number);
    planned.strides.push_back(stride.number);
  }
  const auto record = records_(storage);
  if (!record.ok()) return Annotate(record.status(), what);
  SIGSERVE_RETURN_IF_ERROR(CheckView(planned, offset, storage));
  if (planned.shape.elements() > 0) {
    planned.data =
        record->data() + static_cast<size_t>(storage.offset + offset) * SizeOf(storage.type);
  }
  return planned;
}

absl::StatusOr<NamedTensors> Reader::Read() {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, FindStateDict());
  const PickleValue& dict = pickle_[id];
  absl::flat_hash_set<absl::string_view> names;
  std::vector<Planned> plan;
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& key = pickle_[dict.items[i]];
    const PickleValue& value = pickle_[dict.items[i + 1]];
    if (key.kind != Kind::kString) {
      return Malformed("PT_KEYS", absl::StrCat("key ", i / 2, " is ", KindName(key),
                                               ", expected a tensor's name"));
    }
    if (const absl::string_view problem = NameProblem(key.text); !problem.empty()) {
      return Malformed("PT_KEYS", absl::StrCat("the name ", Printable(key.text), " ", problem));
    }
    if (!names.insert(key.text).second) {
      return Malformed("PT_KEYS", absl::StrCat("tensor ", Printable(key.text), " is there twice"));
    }
    if (value.kind != Kind::kTensor) {
      return Malformed("PT_NOT_STATE_DICT", absl::StrCat(Printable(key.text), " is ",
                                                         KindName(value), ", expected a tensor"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(Planned planned, Plan(key.text, value));
    plan.push_back(std::move(planned));
  }
  NamedTensors tensors;
  tensors.reserve(plan.size());
  for (const Planned& planned : plan) {
    Tensor tensor(LoadedType(planned.type), planned.shape);
    const absl::Status read = ReadElements(planned.type, planned.data, planned.strides, tensor);
    if (!read.ok()) {
      return Malformed("PT_BOOL",
                       absl::StrCat("tensor ", Printable(planned.name), ": ", read.message()));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckFinite(planned.name, tensor));
    tensors.emplace_back(planned.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace

absl::StatusOr<NamedTensors> StateDictFromPickle(const Pickle& pickle, const FindRecord& records) {
  return Reader(pickle, records).Read();
}

}  // namespace sigserve
