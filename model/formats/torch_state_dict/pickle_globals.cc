#include "model/formats/torch_state_dict/pickle_globals.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

struct Storage {
  absl::string_view text;
  std::optional<ElementType> type;  // none: of elements that we do not read
};
constexpr Storage kStorages[] = {
    {"torch\nFloatStorage", ElementType::kF32},
    {"torch\nDoubleStorage", ElementType::kF64},
    {"torch\nHalfStorage", ElementType::kF16},
    {"torch\nBFloat16Storage", ElementType::kBf16},
    {"torch\nLongStorage", ElementType::kI64},
    {"torch\nIntStorage", ElementType::kI32},
    {"torch\nBoolStorage", ElementType::kBool},
    {"torch\nShortStorage", std::nullopt},
    {"torch\nCharStorage", std::nullopt},
    {"torch\nByteStorage", std::nullopt},
    {"torch\nComplexFloatStorage", std::nullopt},
    {"torch\nComplexDoubleStorage", std::nullopt},
    {"torch\nQInt8Storage", std::nullopt},
    {"torch\nQUInt8Storage", std::nullopt},
    {"torch\nQInt32Storage", std::nullopt},
    {"torch\nQUInt4x2Storage", std::nullopt},
    {"torch\nQUInt2x4Storage", std::nullopt},
    {"torch.storage\nUntypedStorage", std::nullopt},
    {"torch.storage\n_UntypedStorage", std::nullopt},
    {"torch.storage\nTypedStorage", std::nullopt},
    {"torch.storage\n_TypedStorage", std::nullopt},
};

struct Function {
  absl::string_view text;
  Callee callee;
};
constexpr Function kFunctions[] = {
    {"collections\nOrderedDict", Callee::kOrderedDict},
    {"torch._utils\n_rebuild_tensor", Callee::kRebuildTensor},  // PyTorch 0.1 to 0.3
    {"torch._utils\n_rebuild_tensor_v2", Callee::kRebuildTensor},
    {"torch._utils\n_rebuild_parameter", Callee::kRebuildParameter},
};

// Tensors that are no plain arrays.
constexpr absl::string_view kOtherTensors[] = {
    "torch._utils\n_rebuild_qtensor",
    "torch._utils\n_rebuild_sparse_tensor",
    "torch._utils\n_rebuild_sparse_csr_tensor",
    "torch._utils\n_rebuild_nested_tensor",
    "torch._utils\n_rebuild_meta_tensor_no_storage",
    "torch._utils\n_rebuild_wrapper_subclass",
    "torch._utils\n_rebuild_device_tensor_from_numpy",
    "torch._utils\n_rebuild_device_tensor_from_cpu_tensor",
    "torch._utils\n_rebuild_tensor_v3",
    "torch._tensor\n_rebuild_from_type",
    "torch._tensor\n_rebuild_from_type_v2",
};

const Storage* FindStorage(absl::string_view text) {
  for (const Storage& storage : kStorages) {
    if (storage.text == text) return &storage;
  }
  return nullptr;
}

}  // namespace

absl::Status CheckGlobal(absl::string_view module, absl::string_view name, bool whole_object) {
  const std::string text = absl::StrCat(module, "\n", name);
  const std::string shown = Printable(absl::StrCat(module, ".", name));
  if (CalleeOf(text) != Callee::kNone) return absl::OkStatus();
  bool other_tensor = false;
  if (const Storage* storage = FindStorage(text); storage != nullptr) {
    if (storage->type.has_value()) return absl::OkStatus();
    other_tensor = true;
  }
  for (const absl::string_view other : kOtherTensors) other_tensor = other_tensor || other == text;
  if (other_tensor) {
    return absl::UnimplementedError(
        absl::StrCat("PT_DTYPE: ", shown,
                     " is not supported; dense tensors of double, float, half, bfloat16, "
                     "int64, int32 and bool are"));
  }
  if (whole_object) {
    return absl::InvalidArgumentError(
        absl::StrCat("PT_NOT_STATE_DICT: the file is an object of class ", shown,
                     "; save its weights: torch.save(model.state_dict(), path)"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "PT_GLOBAL: ", shown, " is not allowed: weights need no such name, and nothing was run"));
}

Callee CalleeOf(absl::string_view text) {
  for (const Function& function : kFunctions) {
    if (function.text == text) return function.callee;
  }
  return Callee::kNone;
}

std::optional<ElementType> StorageTypeOf(absl::string_view text) {
  const Storage* storage = FindStorage(text);
  return storage == nullptr ? std::nullopt : storage->type;
}

}  // namespace sigserve
