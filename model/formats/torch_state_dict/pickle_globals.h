// For the sources of this folder: which names a pickle may mention, and what they stand for. Pure.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

enum class Callee { kNone, kOrderedDict, kRebuildTensor, kRebuildParameter };

/// PERMISSION_DENIED "PT_GLOBAL: os.system is not allowed"; UNIMPLEMENTED PT_DTYPE for tensors and
/// storages that we do not read; INVALID_ARGUMENT PT_NOT_STATE_DICT when `whole_object` (the file
/// starts with an object of this class) or the name is a module's of PyTorch.
absl::Status CheckGlobal(absl::string_view module, absl::string_view name, bool whole_object);

/// `text`: "module\nname", as the opcode GLOBAL has it.
Callee CalleeOf(absl::string_view text);
std::optional<ElementType> StorageTypeOf(absl::string_view text);

}  // namespace sigserve
