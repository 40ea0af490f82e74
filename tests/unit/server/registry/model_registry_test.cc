#include "server/registry/model_registry.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"
#include "server/batching/drain_batcher.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing_support::FakeFileSystem;

// x[-1,2] -> Mul by `factor` (-> Sigmoid) -> y: which version answers shows in the numbers.
std::string ModelBytes(float factor, bool sigmoid = false) {
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

  FakeFileSystem files_;
  FakeClock clock_;
  Repository repository_;
  std::vector<std::pair<std::string, bool>> events_;
  std::unique_ptr<ModelRegistry> registry_;
};

TEST_F(ModelRegistryTest, LoadsTheNewestVersionOfEachModel) {
  Put("a", 1);
  Put("a", 3);
  Put("b", 2);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/3 ready", "b/2 ready"));
  EXPECT_THAT(events_,
              ElementsAre(Pair("a", false), Pair("a", true), Pair("b", false), Pair("b", true)));
  ASSERT_OK_AND_ASSIGN(const ServableHandle a, registry_->Find({.model = "a"}));
  EXPECT_EQ(a->name(), "a");
  EXPECT_EQ(a->version(), 3);
  EXPECT_EQ(Answer(a, 0.5F), 1.5F);
}

TEST_F(ModelRegistryTest, AnEmptyRepositoryIsFine) {
  EXPECT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_THAT(Serving({.model = "a"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "Request for unknown model: 'a' is not found; this server has: none"));
}

TEST_F(ModelRegistryTest, ANewVersionTakesOver) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK_AND_ASSIGN(const ServableHandle pinned, registry_->Find({.model = "a"}));
  Put("a", 2);
  ASSERT_OK(registry_->Reload("a"));
  EXPECT_THAT(Listed(), ElementsAre("a/2 ready"));
  EXPECT_EQ(*Serving({.model = "a"}), 2);
  // Whoever holds the old one still gets its answers.
  EXPECT_EQ(Answer(pinned, 0.5F), 0.5F);
}

TEST_F(ModelRegistryTest, ChangedFilesAreLoadedAgain) {
  PutBytes("a", 1, ModelBytes(1, true));
  PutConfig("a", R"(output { name: "y" label_filename: "labels.txt" })");
  EXPECT_OK(files_.WriteFile("/models/a/labels.txt", "bad\ngood\n"));
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK_AND_ASSIGN(ServableHandle a, registry_->Find({.model = "a"}));
  // A poll with nothing changed keeps the very same one.
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ(*registry_->Find({.model = "a"}), a);

  EXPECT_OK(files_.WriteFile("/models/a/labels.txt", "ill\nwell\n"));
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK_AND_ASSIGN(a, registry_->Find({.model = "a"}));
  EXPECT_THAT(a->labels(0), ElementsAre("ill", "well"));

  PutConfig("a", "max_batch_size: 7");
  ASSERT_OK(registry_->Reload("a"));
  ASSERT_OK_AND_ASSIGN(a, registry_->Find({.model = "a"}));
  EXPECT_EQ(a->max_batch_size(), 7);

  PutBytes("a", 1, ModelBytes(3));
  ASSERT_OK(registry_->Reload("a"));
  ASSERT_OK_AND_ASSIGN(a, registry_->Find({.model = "a"}));
  EXPECT_EQ(Answer(a, 0.5F), 1.5F);
  EXPECT_EQ(a->max_batch_size(), 7);
}

TEST_F(ModelRegistryTest, WhatMaxBatchSizeSays) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ((*registry_->Find({.model = "a"}))->max_batch_size(), Servable::kDefaultMaxBatchSize);
  PutConfig("a", "max_batch_size: 0");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ((*registry_->Find({.model = "a"}))->max_batch_size(), 0);
}

TEST_F(ModelRegistryTest, ChangedFilesThatDoNotLoadLeaveWhatServes) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  PutBytes("a", 1, "garbage");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
  EXPECT_THAT(registry_->Versions("a")[0].reason,
              AllOf(HasSubstr("changed files do not load"), HasSubstr("a/1/model.onnx")));
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a/1/model.onnx")));
  EXPECT_EQ(Answer(*registry_->Find({.model = "a"}), 0.5F), 0.5F);
  // Mended, nothing is left of it.
  Put("a", 1);
  ASSERT_OK(registry_->Reload("a"));
  EXPECT_EQ(registry_->Versions("a")[0].reason, "");
}

TEST_F(ModelRegistryTest, WhatVanishesIsUnloaded) {
  Put("a", 1);
  Put("b", 1);
  ASSERT_OK(registry_->ReloadAll());
  events_.clear();
  Remove("a");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("b/1 ready"));
  EXPECT_THAT(events_, ElementsAre(Pair("a", false)));
}

TEST_F(ModelRegistryTest, VersionsAndLabels) {
  for (const int64_t version : {1, 2, 3}) Put("a", version);
  PutConfig("a", R"(version_policy { latest { num_versions: 2 } }
                    sigserve { version_labels { key: "stable" value: 1 } })");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/3 ready", "a/2 ready", "a/1 ready"));
  EXPECT_EQ(*Serving({.model = "a"}), 1);  // stable, as the config says
  EXPECT_EQ(*Serving({.model = "a", .version = 2}), 2);
  EXPECT_EQ(*Serving({.model = "a", .label = "stable"}), 1);
  EXPECT_EQ(*Serving({.model = "a", .label = "latest"}), 3);
}

TEST_F(ModelRegistryTest, StableIsTheNewestUnlessTheConfigSaysOtherwise) {
  Put("a", 4);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ(*Serving({.model = "a", .label = "stable"}), 4);
}

TEST_F(ModelRegistryTest, AVersionServedForItsLabelAloneIsNotTheDefault) {
  Put("a", 1);
  Put("a", 2);
  PutConfig("a", R"(version_policy { specific { versions: [1] } }
                    sigserve { version_labels { key: "canary" value: 2 } })");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/2 ready", "a/1 ready"));
  EXPECT_EQ(*Serving({.model = "a"}), 1);
  EXPECT_EQ(*Serving({.model = "a", .label = "latest"}), 1);
  EXPECT_EQ(*Serving({.model = "a", .label = "canary"}), 2);
  EXPECT_THAT(registry_->Versions("a")[0].reason, HasSubstr("version_policy does not serve it"));
  EXPECT_EQ(registry_->Versions("a")[1].reason, "");
}

TEST_F(ModelRegistryTest, ASwitchedLinkIsAChange) {
  for (const float factor : {1.0F, 2.0F}) {
    const std::string store = absl::StrCat("/store/", factor, "/a/1");
    EXPECT_OK(files_.MakeDirectories(store));
    EXPECT_OK(files_.WriteFile(store + "/model.onnx", ModelBytes(factor)));
  }
  files_.AddLink("/models/a", "/models/..data/a");
  files_.AddLink("/models/..data", "/store/1");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
  EXPECT_EQ(Answer(*registry_->Find({.model = "a"}), 0.5F), 0.5F);
  files_.AddLink("/models/..data", "/store/2");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ(Answer(*registry_->Find({.model = "a"}), 0.5F), 1.0F);
}

TEST_F(ModelRegistryTest, AnExplicitLoadReadsContents) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  files_.OverwriteUnseen(File("a", 1), ModelBytes(3));
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ(Answer(*registry_->Find({.model = "a"}), 0.5F), 0.5F);
  ASSERT_OK(registry_->Load("a"));
  ASSERT_OK_AND_ASSIGN(const ServableHandle loaded, registry_->Find({.model = "a"}));
  EXPECT_EQ(Answer(loaded, 0.5F), 1.5F);
  // With nothing changed the very same one goes on.
  ASSERT_OK(registry_->Load("a"));
  EXPECT_EQ(*registry_->Find({.model = "a"}), loaded);
  files_.OverwriteUnseen(File("a", 1), ModelBytes(4));
  ASSERT_OK(registry_->Load("a"));
  EXPECT_EQ(Answer(*registry_->Find({.model = "a"}), 0.5F), 2.0F);
}

TEST_F(ModelRegistryTest, FoldersThatAreNoModelsAreIgnored) {
  Put("a", 1);
  EXPECT_OK(files_.MakeDirectories("/models/docs/images"));
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
  EXPECT_THAT(events_, testing::Not(testing::Contains(Pair("docs", false))));
  EXPECT_THAT(registry_->Ignored(),
              ElementsAre(IgnoredEntry{"docs", "no version directories and no config.pbtxt"}));
  EXPECT_THAT(registry_->Load("docs"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no version directories")));
}

TEST_F(ModelRegistryTest, LogitsGetTheirSigmoid) {
  Put("a", 2);
  PutConfig("a", "sigserve { outputs_are_logits: true }");
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK_AND_ASSIGN(const ServableHandle a, registry_->Find({.model = "a"}));
  EXPECT_NEAR(Answer(a, 0.5F), 0.7310586F, 1e-6);
  EXPECT_EQ(a->signature().outputs[0].name, "y");
  EXPECT_EQ(a->signature().outputs[0].link, Link::kSigmoid);
}

TEST_F(ModelRegistryTest, ReadsLabelFiles) {
  PutBytes("a", 1, ModelBytes(1, true));
  PutConfig("a", R"(output { name: "y" label_filename: "labels.txt" })");
  EXPECT_OK(files_.WriteFile("/models/a/labels.txt", "bad\r\ngood\n"));
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK_AND_ASSIGN(const ServableHandle a, registry_->Find({.model = "a"}));
  EXPECT_THAT(a->labels(0), ElementsAre("bad", "good"));
}

TEST_F(ModelRegistryTest, UnloadHoldsUntilReloadOfThatModel) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_OK(registry_->Unload("a"));
  EXPECT_THAT(Serving({.model = "a"}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("unloaded")));
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/1 failed"));
  EXPECT_TRUE(registry_->UnloadedByHand("a"));
  ASSERT_OK(registry_->Reload("a"));
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
  EXPECT_FALSE(registry_->UnloadedByHand("a"));
}

TEST_F(ModelRegistryTest, FindGoesOnWhileVersionsChange) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const absl::StatusOr<ServableHandle> a = registry_->Find({.model = "a"});
        // Every answer is that of the version it names.
        if (!a.ok() || Answer(*a, 1) != static_cast<float>((*a)->version())) ++wrong;
      }
    });
  }
  for (int64_t version = 2; version <= 20; ++version) {
    Put("a", version);
    EXPECT_OK(registry_->Reload("a"));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(Listed(), ElementsAre("a/20 ready"));
}

// Failures.

TEST_F(ModelRegistryTest, SaysWhatExists) {
  Put("a", 1);
  Put("a", 2);
  Put("b", 1);
  PutConfig("a", "version_policy { all { } }");
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Serving({.model = "c"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "Request for unknown model: 'c' is not found; this server has: a, b"));
  EXPECT_THAT(Serving({.model = "a", .version = 9}),
              StatusIs(absl::StatusCode::kNotFound,
                       "Request for unknown model: 'a' version 9 is not found; it has versions: "
                       "2, 1"));
  EXPECT_THAT(Serving({.model = "a", .label = "blue"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "model 'a' has no version label 'blue'; it has: latest, stable"));
  EXPECT_THAT(registry_->Reload("c"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'c'")));
  EXPECT_THAT(registry_->Unload("c"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'c'")));
}

TEST_F(ModelRegistryTest, ALongUnknownNameIsCut) {
  const std::string name(1 << 20, 'x');
  EXPECT_LT(registry_->Find({.model = name}).status().message().size(), 300U);
}

TEST_F(ModelRegistryTest, GarbageHarmsNoOther) {
  PutBytes("bad", 1, "garbage");
  PutBytes("cut", 1, ModelBytes(1).substr(0, 40));
  Put("good", 1);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("bad/1 failed", "cut/1 failed", "good/1 ready"));
  EXPECT_THAT(Serving({.model = "bad"}),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("model 'bad' version 1 is not ready"),
                             HasSubstr("bad/1/model.onnx"), HasSubstr("ONNX_"))));
  EXPECT_THAT(events_, testing::Not(testing::Contains(Pair("bad", true))));
}

TEST_F(ModelRegistryTest, TheOldVersionServesOnWhenTheNewOneIsBroken) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  events_.clear();
  PutBytes("a", 2, "garbage");
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a/2/model.onnx")));
  EXPECT_THAT(Listed(), ElementsAre("a/2 failed", "a/1 ready"));
  EXPECT_EQ(*Serving({.model = "a"}), 1);
  EXPECT_THAT(Serving({.model = "a", .version = 2}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("version 2 is not ready")));
  EXPECT_THAT(events_, IsEmpty());
  // Repaired, it takes over.
  Put("a", 2);
  ASSERT_OK(registry_->Reload("a"));
  EXPECT_THAT(Listed(), ElementsAre("a/2 ready"));
}

TEST_F(ModelRegistryTest, ABrokenConfigKeepsWhatServes) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  PutConfig("a", "max_batch: 8");
  EXPECT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
  EXPECT_THAT(registry_->Versions("a")[0].reason, HasSubstr("max_batch"));
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_batch")));
  EXPECT_EQ(*Serving({.model = "a"}), 1);
  Put("a", 2);
  EXPECT_FALSE(registry_->Reload("a").ok());
  EXPECT_THAT(Listed(), ElementsAre("a/2 failed", "a/1 ready"));
}

TEST_F(ModelRegistryTest, AConfigThatDoesNotFitTheModelNamesTheField) {
  Put("a", 1);
  PutConfig("a", R"(input { name: "x" data_type: TYPE_FP32 dims: [ 7 ] })");
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("input 'x': dims is [7]; the model has [-1,2]")));
}

TEST_F(ModelRegistryTest, LabelFilesThatCannotBeUsed) {
  PutBytes("a", 1, ModelBytes(1, true));
  PutConfig("a", R"(output { name: "y" label_filename: "labels.txt" })");
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("a/labels.txt")));
  EXPECT_OK(files_.WriteFile("/models/a/labels.txt", "bad\n\ngood\n"));
  EXPECT_THAT(registry_->Reload("a"), StatusIs(absl::StatusCode::kInvalidArgument,
                                               HasSubstr("labels.txt': line 2 is empty")));
  EXPECT_OK(files_.WriteFile("/models/a/labels.txt", "bad\ngood\nugly\n"));
  EXPECT_THAT(registry_->Reload("a"), StatusIs(absl::StatusCode::kInvalidArgument,
                                               HasSubstr("has 3 labels; its last dimension is 2")));
}

TEST_F(ModelRegistryTest, TextInOtherEncodingsFailsItsModelAloneWithAReadableReason) {
  Put("good", 1);
  Put("config", 1);
  PutConfig("config", "# caf\xE9");
  PutBytes("labels", 1, ModelBytes(1, true));
  PutConfig("labels", R"(output { name: "y" label_filename: "labels.txt" })");
  EXPECT_OK(files_.WriteFile("/models/labels/labels.txt", "tea\ncaf\xE9\n"));
  PutBytes("marked", 1, ModelBytes(1, true));
  PutConfig("marked", "\xEF\xBB\xBFoutput { name: \"y\" label_filename: \"labels.txt\" }");
  EXPECT_OK(files_.WriteFile("/models/marked/labels.txt", "\xEF\xBB\xBFtea\ncaf\xC3\xA9\n"));
  PutBytes("onnx", 1, "no model \xE9");
  registry_->ReloadAll().IgnoreError();
  EXPECT_THAT(Listed(),
              testing::UnorderedElementsAre("good/1 ready", "config/1 failed", "labels/1 failed",
                                            "marked/1 ready", "onnx/1 failed"));
  std::map<std::string, std::string> reasons;
  for (const VersionStatus& version : registry_->List()) {
    EXPECT_TRUE(IsValidUtf8(version.reason)) << version.model;
    reasons[version.model] = version.reason;
  }
  EXPECT_THAT(reasons["config"], HasSubstr("config.pbtxt: line 1 has the byte 0xE9"));
  EXPECT_THAT(reasons["labels"], HasSubstr("labels.txt: line 2 has the byte 0xE9"));
  ASSERT_OK_AND_ASSIGN(const ServableHandle marked, registry_->Find({.model = "marked"}));
  EXPECT_THAT(marked->labels(0), ElementsAre("tea", "caf\xC3\xA9"));
}

TEST_F(ModelRegistryTest, AVersionThatThePolicyNamesMustExist) {
  Put("a", 1);
  PutConfig("a", "version_policy { specific { versions: [1, 5] } }");
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("asks for version 5")));
  EXPECT_THAT(Listed(), ElementsAre("a/5 failed", "a/1 ready"));
}

TEST_F(ModelRegistryTest, AFileThatCannotBeReadMakesOnlyItsVersionUnready) {
  Put("a", 1);
  Put("a", 2);
  PutConfig("a", "version_policy { all { } }");
  EXPECT_OK(files_.RemoveAll(File("a", 2)));
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/2 failed", "a/1 ready"));
  EXPECT_THAT(registry_->Versions("a")[0].reason, HasSubstr("a/2/model.onnx"));
  Put("a", 2);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_THAT(Listed(), ElementsAre("a/2 ready", "a/1 ready"));
}

TEST_F(ModelRegistryTest, ARepositoryThatCannotBeReadIsAnErrorAndUnloadsNothing) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_OK(files_.RemoveAll("/models"));
  EXPECT_THAT(registry_->ReloadAll(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("repository is missing")));
  EXPECT_THAT(registry_->Reload("a"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("repository is missing")));
  EXPECT_THAT(Listed(), ElementsAre("a/1 ready"));
}

TEST_F(ModelRegistryTest, ADirectoryThatCannotBeReadUnloadsNothing) {
  Put("a", 1);
  ASSERT_OK(registry_->ReloadAll());
  Put("b", 1);
  for (const char* path : {"/models/a", "/models/a/1"}) {
    files_.FailReads(path, absl::UnavailableError("I/O error"));
    ASSERT_OK(registry_->ReloadAll());
    EXPECT_THAT(Listed(), ElementsAre("a/1 ready", "b/1 ready")) << path;
    EXPECT_THAT(registry_->Versions("a")[0].reason, HasSubstr("I/O error")) << path;
    EXPECT_THAT(registry_->Reload("a"),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("I/O error")));
    EXPECT_THAT(Listed(), ElementsAre("a/1 ready", "b/1 ready")) << path;
  }
  files_.FailReads("", absl::OkStatus());
  ASSERT_OK(registry_->ReloadAll());
  EXPECT_EQ(registry_->Versions("a")[0].reason, "");
}

TEST_F(ModelRegistryTest, AModelWithoutVersionsSaysSo) {
  EXPECT_OK(files_.MakeDirectories("/models/a/01"));
  ASSERT_OK(registry_->ReloadAll());
  ASSERT_THAT(Listed(), ElementsAre("a/0 failed"));
  EXPECT_THAT(registry_->List()[0].reason, HasSubstr("no versions in the repository"));
  EXPECT_THAT(Serving({.model = "a"}),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("no versions in the repository"), HasSubstr("01"))));
}

}  // namespace
}  // namespace sigserve
