// For the sources of this folder: a reader of the pickles that torch.save writes for tensors in
// dictionaries. It is no Python: it knows the opcodes that torch.save emits, and of all the things
// a pickle can call only these, which it builds itself: OrderedDict, _rebuild_tensor(_v2),
// _rebuild_parameter and the names of storage types. Anything else is refused by name, and nothing
// is ever run.
//
// Memory stays within the pickle's size plus 16 MiB: at most 250,000 values. Borrows the bytes.
// Source: Lib/pickletools.py of CPython; torch/serialization.py.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

/// Index of a value.
using PickleId = uint32_t;

struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,   // its value is of no interest
    kString,  // text or bytes
    kTuple,
    kList,
    kDict,     // items: key, value, key, value, ...
    kGlobal,   // text: "torch.FloatStorage"
    kStorage,  // number: index into Pickle::storages
    kTensor,   // items: storage, offset, size, stride
  };
  Kind kind = Kind::kNone;
  bool ordered = false;  // kDict: a collections.OrderedDict
  int64_t number = 0;    // kInt, kBool, kStorage
  absl::string_view text;
  std::vector<PickleId> items;
};

/// A piece of a file's record of elements, as the pickle refers to it.
struct StorageReference {
  absl::string_view key;
  ElementType type = ElementType::kF32;
  int64_t record_elements = 0;  // of the whole record
  int64_t offset = 0;           // where this storage starts in it, in elements
  int64_t elements = 0;
};

struct Pickle {
  std::deque<PickleValue> values;
  std::vector<StorageReference> storages;
  PickleId root = 0;
  size_t consumed = 0;  // bytes up to and with STOP

  const PickleValue& operator[](PickleId id) const { return values[id]; }
};

/// Reads one pickle from the start of `bytes`; what follows STOP is the caller's. `legacy`: the
/// references to storages are those of files from before PyTorch 1.6. The result is a tree of at
/// most 10,000,000 leaves and depth 64. INVALID_ARGUMENT: PT_TRUNCATED, PT_STACK, PT_MEMO,
/// PT_LENGTH, PT_SETITEM, PT_PERSID, PT_STORAGE_SIZE, PT_LOCATION, PT_STRIDE, PT_DEPTH, PT_CYCLE,
/// PT_NOT_STATE_DICT; PERMISSION_DENIED: PT_GLOBAL; UNIMPLEMENTED: PT_OPCODE, PT_DTYPE;
/// RESOURCE_EXHAUSTED: PT_NODE_LIMIT.
absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, bool legacy);

}  // namespace sigserve
