// PyTorch's weights files, in: what torch.save(model.state_dict(), path) writes, as a ZIP archive
// (PyTorch 1.6 and later) or as a stream (before). Files come from users, and a pickle is a
// program: ours is read by a machine that can build tensors and nothing else, and everything is
// checked before memory is taken for a tensor. Pure functions; thread-safe.
//
// A checkpoint that holds the state_dict under "state_dict", "model_state_dict", "model", "net",
// "network", "module" or "weights" is fine, with or without an optimizer's state. Names stay as
// they are in the file, "module." prefixes included. Views of shared storages are copied out.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

/// `bytes`: the whole file. Tensors come in the file's order. Messages start with a stable token
/// and name the tensor, storage or member. Tokens: ZIP_* (zip_archive.h), PT_* (pickle.h) and
/// INVALID_ARGUMENT: PT_KEYS (a key that is no text, or there twice), PT_STRIDE (a view that leaves
/// its storage, or has more elements), PT_STORAGE_SIZE, PT_BOOL, PT_TRAILING, PT_TRUNCATED,
/// PT_NOT_STATE_DICT, MODEL_NONFINITE; UNIMPLEMENTED: PT_ARCHIVE (TorchScript, another version or
/// byte order), PT_FORMAT (another kind of file: says which); RESOURCE_EXHAUSTED: PT_TOTAL_SIZE.
absl::StatusOr<NamedTensors> ReadTorchStateDict(absl::string_view bytes);

}  // namespace sigserve
