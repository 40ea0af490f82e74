// Any text as a model.textproto, over a few weights of the names and shapes that short inputs ask
// for.
#include <cstdint>

#include "model/formats/architecture/architecture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sigserve;  // NOLINT(google-build-using-namespace)
  NamedTensors weights;
  for (const char* name : {"0.weight", "1.weight", "2.weight"}) {
    weights.emplace_back(name, Tensor(DType::kFloat32, Shape{2, 3}));
  }
  for (const char* name : {"0.bias", "1.bias", "2.bias", "0.running_mean", "0.running_var"}) {
    weights.emplace_back(name, Tensor(DType::kFloat32, Shape{2}));
  }
  BuildFromArchitecture({reinterpret_cast<const char*>(data), size}, std::move(weights))
      .status()
      .IgnoreError();
  return 0;
}
