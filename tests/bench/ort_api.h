// The little of ONNX Runtime's C API that the comparison needs, by its documented position in
// OrtApi (onnxruntime_c_api.h, API version 16; entries are only ever added at the end). The library
// is loaded at run time. Errors end the program with a message: this is a benchmark.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sigserve::bench {

class OrtModel {
 public:
  /// Single-threaded, all graph optimizations.
  OrtModel(const std::string& library, const std::string& model, const std::string& input,
           const std::string& output);
  ~OrtModel();
  OrtModel(const OrtModel&) = delete;
  OrtModel& operator=(const OrtModel&) = delete;

  /// What Run() will read and write: made into OrtValues once, outside of what is measured.
  void Bind(const std::vector<int64_t>& input_shape, const float* input,
            const std::vector<int64_t>& output_shape, float* output);
  void Run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sigserve::bench
