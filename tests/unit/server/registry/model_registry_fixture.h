// A registry on a repository in memory, with models whose answers tell their version.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/base/status_macros.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"
#include "server/batching/drain_batcher.h"
#include "server/registry/model_registry.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/status_matchers.h"

namespace sigserve {

// x[-1,2] -> Mul by `factor` (-> Sigmoid) -> y: which version answers shows in the numbers.
inline std::string ModelBytes(float factor, bool sigmoid = false) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", {.shape = Shape{-1, 2}});
  const ValueId by = builder.AddConstant("by", Tensor::Of<float>(Shape{1}, {factor}));
  ValueId y = builder.AddNode("Mul", {x, by}, sigmoid ? "product" : "y");
  if (sigmoid) y = builder.AddNode("Sigmoid", {y}, "y");
  builder.AddOutput(y);
  const absl::StatusOr<Graph> graph = std::move(builder).Build();
  EXPECT_OK(graph);
  const absl::StatusOr<std::string> bytes = WriteOnnx(*graph, "test");
  EXPECT_OK(bytes);
  return *bytes;
}

class ModelRegistryTest : public testing::Test {
 protected:
  ModelRegistryTest()
      : repository_(&files_, "/models"),
        registry_(ModelRegistry::Create(
            &repository_, &files_, &clock_,
            [this](const std::string& model, bool ready) { events_.emplace_back(model, ready); })) {
    EXPECT_OK(files_.MakeDirectories("/models"));
  }

  static std::string File(const std::string& model, int64_t version) {
    return absl::StrCat("/models/", model, "/", version, "/model.onnx");
  }
  void Put(const std::string& model, int64_t version) {
    PutBytes(model, version, ModelBytes(static_cast<float>(version)));
  }
  void PutBytes(const std::string& model, int64_t version, const std::string& bytes) {
    EXPECT_OK(files_.MakeDirectories(absl::StrCat("/models/", model, "/", version)));
    EXPECT_OK(files_.WriteFile(File(model, version), bytes));
  }
  void PutConfig(const std::string& model, const std::string& text) {
    EXPECT_OK(files_.WriteFile(absl::StrCat("/models/", model, "/config.pbtxt"), text));
  }
  void Remove(const std::string& path) { EXPECT_OK(files_.RemoveAll("/models/" + path)); }

  // The version that serves a query.
  absl::StatusOr<int64_t> Serving(const ModelQuery& query) const {
    SIGSERVE_ASSIGN_OR_RETURN(const ServableHandle handle, registry_->Find(query));
    return handle->version();
  }
  // "m/2 ready", "m/1 failed", newest first.
  std::vector<std::string> Listed() const {
    std::vector<std::string> lines;
    for (const VersionStatus& v : registry_->List()) {
      lines.push_back(absl::StrCat(v.model, "/", v.version,
                                   v.state == VersionState::kReady     ? " ready"
                                   : v.state == VersionState::kLoading ? " loading"
                                                                       : " failed"));
    }
    return lines;
  }

  static float Answer(const ServableHandle& servable, float x) {
    const Tensor input = Tensor::Of<float>(Shape{1, 2}, {x, x});
    Task task;
    EXPECT_OK(servable->Check({{"x", input.view()}}, &task));
    float answer = -1;
    task.done = [&answer](const absl::Status& status, const TaskOutputs* outputs,
                          const TaskTiming& /*timing*/) {
      EXPECT_OK(status);
      if (outputs != nullptr) answer = outputs->output(0).values<float>()[0];
    };
    RealClock clock;
    DrainBatcher batcher({}, &clock, {});
    servable->Submit(std::move(task), &batcher);
    batcher.Drain();
    return answer;
  }

  testing_support::FakeFileSystem files_;
  FakeClock clock_;
  Repository repository_;
  std::vector<std::pair<std::string, bool>> events_;
  std::unique_ptr<ModelRegistry> registry_;
};

}  // namespace sigserve
