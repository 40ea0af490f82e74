#include "server/registry/model_registry.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/server/registry/model_registry_fixture.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

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

}  // namespace
}  // namespace sigserve
