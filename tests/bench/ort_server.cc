// The peer: ONNX Runtime inside a stock gRPC callback server, as people write it. Answers
// ModelInfer with raw contents, until its standard input ends; runs each request on the thread that
// brought it.
//
//   ort_server ADDRESS LIBRARY MODEL.onnx INPUT FEATURES OUTPUT LABELS
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "inference/grpc_service.grpc.pb.h"
#include "tests/bench/ort_api.h"

namespace sigserve::bench {
namespace {

struct Model {
  std::string library, bytes, input, output;
  int64_t features = 0;
  int64_t labels = 0;
};

class Service final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit Service(Model model) : model_(std::move(model)) {}

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const std::string& bytes =
        request->raw_input_contents_size() == 1 ? request->raw_input_contents(0) : std::string();
    const size_t row = static_cast<size_t>(model_.features) * sizeof(float);
    if (bytes.empty() || bytes.size() % row != 0) {
      reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "one raw FP32 input is expected"});
      return reactor;
    }
    const auto rows = static_cast<int64_t>(bytes.size() / row);
    std::string* answer = response->add_raw_output_contents();
    answer->resize(static_cast<size_t>(rows * model_.labels) * sizeof(float));
    std::unique_ptr<OrtModel> session = Take();
    session->Bind({rows, model_.features}, reinterpret_cast<const float*>(bytes.data()),
                  {rows, model_.labels}, reinterpret_cast<float*>(answer->data()));
    session->Run();
    GiveBack(std::move(session));
    response->set_model_name(request->model_name());
    auto* output = response->add_outputs();
    output->set_name(model_.output);
    output->set_datatype("FP32");
    output->add_shape(rows);
    output->add_shape(model_.labels);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  std::unique_ptr<OrtModel> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!spare_.empty()) {
        std::unique_ptr<OrtModel> session = std::move(spare_.back());
        spare_.pop_back();
        return session;
      }
    }
    return std::make_unique<OrtModel>(model_.library, model_.bytes, model_.input, model_.output);
  }
  void GiveBack(std::unique_ptr<OrtModel> session) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    spare_.push_back(std::move(session));
  }

  const Model model_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<OrtModel>> spare_ ABSL_GUARDED_BY(mutex_);
};

std::string ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int Main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr,
                 "usage: ort_server ADDRESS LIBRARY MODEL.onnx INPUT FEATURES OUTPUT LABELS\n");
    return EXIT_FAILURE;
  }
  Service service({.library = argv[2],
                   .bytes = ReadFile(argv[3]),
                   .input = argv[4],
                   .output = argv[6],
                   .features = std::atoll(argv[5]),
                   .labels = std::atoll(argv[7])});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  std::printf("port %d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace sigserve::bench

int main(int argc, char** argv) { return sigserve::bench::Main(argc, argv); }
