#include "server/registry/model_registry.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/utf8.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/server/registry/model_registry_fixture.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

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
