// For the sources of this folder: from a pickle's value to tensors.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/torch_state_dict/pickle.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

/// The bytes of a storage's record. PT_STORAGE_SIZE when there is none, or of another size.
using FindRecord = std::function<absl::StatusOr<absl::string_view>(const StorageReference&)>;

/// Finds the state_dict in the pickle's root, checks every tensor against its storage, then copies.
absl::StatusOr<NamedTensors> StateDictFromPickle(const Pickle& pickle, const FindRecord& records);

}  // namespace sigserve
