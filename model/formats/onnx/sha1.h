// SHA-1 (FIPS 180-4), for the checksums that ONNX gives of external data. It tells a damaged file
// from a whole one; it is no defence against whoever writes both. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sigserve {

class Sha1 {
 public:
  void Add(absl::string_view bytes);
  /// Of all bytes so far, 40 digits. Ends it: no Add after.
  std::string Hex();

 private:
  void Compress(const unsigned char* block);

  std::array<uint32_t, 5> state_ = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  std::string pending_;  // less than a block
  uint64_t bytes_ = 0;
};

}  // namespace sigserve
