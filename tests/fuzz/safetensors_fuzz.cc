// Any bytes as a safetensors file. What is read must be written and read again as the same bytes.
#include <cstdint>
#include <cstdlib>

#include "model/formats/safetensors/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sigserve;  // NOLINT(google-build-using-namespace)
  const auto read = ReadSafetensors({reinterpret_cast<const char*>(data), size});
  if (!read.ok()) return 0;
  const auto written = WriteSafetensors(*read);
  if (!written.ok()) std::abort();
  const auto again = ReadSafetensors(*written);
  if (!again.ok() || *WriteSafetensors(*again) != *written) std::abort();
  return 0;
}
