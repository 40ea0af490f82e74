// Any bytes as an ONNX model. What is read is written again.
#include <cstdint>

#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/onnx/onnx_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sigserve;  // NOLINT(google-build-using-namespace)
  const auto graph = ReadOnnx({reinterpret_cast<const char*>(data), size});
  if (!graph.ok()) return 0;
  WriteOnnx(*graph, "fuzz").status().IgnoreError();
  return 0;
}
