#include "tests/bench/ort_api.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace sigserve::bench {
namespace {

constexpr uint32_t kApiVersion = 16;
constexpr int kFloat = 1;              // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
constexpr int kWarning = 2;            // ORT_LOGGING_LEVEL_WARNING
constexpr int kAllOptimizations = 99;  // ORT_ENABLE_ALL
constexpr int kArenaAllocator = 1;     // OrtArenaAllocator
constexpr int kMemTypeDefault = 0;     // OrtMemTypeDefault

// Positions of functions in OrtApi.
enum Function {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetSessionGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kCreateTensorWithDataAsOrtValue = 49,
  kCreateCpuMemoryInfo = 69,
};

struct OrtApiBase {
  const void* const* (*get_api)(uint32_t version);
  const char* (*get_version_string)();
};

}  // namespace

struct OrtModel::Impl {
  const void* const* api = nullptr;
  void* session = nullptr;
  void* memory = nullptr;
  void* input = nullptr;
  void* output = nullptr;
  std::string input_name;
  std::string output_name;

  template <typename... Args>
  void* (*Pointer(Function function) const)(Args...) {
    return reinterpret_cast<void* (*)(Args...)>(const_cast<void*>(api[function]));
  }
  template <typename... Args>
  void Call(Function function, Args... args) const {
    void* status = Pointer<Args...>(function)(args...);
    if (status == nullptr) return;
    const auto message =
        reinterpret_cast<const char* (*)(const void*)>(const_cast<void*>(api[kGetErrorMessage]));
    std::fprintf(stderr, "ONNX Runtime: %s\n", message(status));
    std::exit(1);
  }
};

OrtModel::OrtModel(const std::string& library, const std::string& model, const std::string& input,
                   const std::string& output)
    : impl_(std::make_unique<Impl>()) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = handle == nullptr ? nullptr : dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  const OrtApiBase* base = reinterpret_cast<const OrtApiBase* (*)()>(symbol)();
  Impl& o = *impl_;
  o.api = base->get_api(kApiVersion);
  o.input_name = input;
  o.output_name = output;
  void* env = nullptr;
  void* options = nullptr;
  o.Call(kCreateEnv, kWarning, "bench", &env);
  o.Call(kCreateSessionOptions, &options);
  o.Call(kSetIntraOpNumThreads, options, 1);
  o.Call(kSetInterOpNumThreads, options, 1);
  o.Call(kSetSessionGraphOptimizationLevel, options, kAllOptimizations);
  const void* bytes = model.data();
  o.Call(kCreateSessionFromArray, env, bytes, model.size(), options, &o.session);
  o.Call(kCreateCpuMemoryInfo, kArenaAllocator, kMemTypeDefault, &o.memory);
}

// Sessions live as long as the program.
OrtModel::~OrtModel() = default;

void OrtModel::Bind(const std::vector<int64_t>& input_shape, const float* input,
                    const std::vector<int64_t>& output_shape, float* output) {
  const auto value = [&](const std::vector<int64_t>& shape, float* data, void** to) {
    size_t elements = 1;
    for (const int64_t size : shape) elements *= static_cast<size_t>(size);
    impl_->Call(kCreateTensorWithDataAsOrtValue, impl_->memory, static_cast<void*>(data),
                elements * sizeof(float), shape.data(), shape.size(), kFloat, to);
  };
  value(input_shape, const_cast<float*>(input), &impl_->input);
  value(output_shape, output, &impl_->output);
}

void OrtModel::Run() {
  const char* input_name = impl_->input_name.c_str();
  const char* output_name = impl_->output_name.c_str();
  impl_->Call(kRun, impl_->session, static_cast<const void*>(nullptr), &input_name, &impl_->input,
              size_t{1}, &output_name, size_t{1}, &impl_->output);
}

}  // namespace sigserve::bench
