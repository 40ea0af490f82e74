// Any bytes as a weights file of PyTorch, and, as the checksums of an archive keep most mutations
// out, as the pickle within one over records of zeros.
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/formats/torch_state_dict/pickle.h"
#include "model/formats/torch_state_dict/state_dict.h"
#include "model/formats/torch_state_dict/torch_state_dict.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sigserve;  // NOLINT(google-build-using-namespace)
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  ReadTorchStateDict(bytes).status().IgnoreError();
  static const std::string* zeros = new std::string(1 << 16, '\0');
  for (const bool legacy : {false, true}) {
    const auto pickle = ReadPickle(bytes, legacy);
    if (!pickle.ok()) continue;
    const auto record = [](const StorageReference& storage) -> absl::StatusOr<absl::string_view> {
      const auto elements = static_cast<uint64_t>(storage.record_elements);
      if (elements > zeros->size() / SizeOf(storage.type)) {
        return absl::InvalidArgumentError("PT_STORAGE_SIZE");
      }
      return absl::string_view(*zeros).substr(0, elements * SizeOf(storage.type));
    };
    StateDictFromPickle(*pickle, record).status().IgnoreError();
  }
  return 0;
}
