// For the sources of this folder: the JSON header of a safetensors file, checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

struct SafetensorsEntry {
  std::string name;
  ElementType type = ElementType::kF32;
  Shape shape;
  uint64_t begin = 0;  // within the data section
  uint64_t end = 0;
};

/// The tensors in the order of their bytes, which fill `data_bytes` without hole or overlap. Errors
/// as ReadSafetensors says.
absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensorsHeader(absl::string_view json,
                                                                     uint64_t data_bytes);

}  // namespace sigserve
