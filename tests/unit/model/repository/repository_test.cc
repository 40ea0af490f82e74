#include "model/repository/repository.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::StartsWith;
using Fault = testing_support::FakeFileSystem::Fault;

const std::vector<NewFile> kFiles = {{"model.onnx", "weights"}, {"training.json", "{}"}};

class RepositoryTest : public testing::Test {
 protected:
  RepositoryTest() { AddDirectory("/models"); }

  void AddDirectory(const std::string& path) { ASSERT_OK(files_.MakeDirectories(path)); }
  void AddFile(const std::string& path) { ASSERT_OK(files_.WriteFile(path, "x")); }

  testing_support::FakeFileSystem files_;
  Repository repository_{&files_, "/models"};
};

TEST_F(RepositoryTest, ScanListsModelsAndVersionsInOrder) {
  AddDirectory("/models/b/10");
  AddDirectory("/models/b/9");
  AddDirectory("/models/a/1");
  AddFile("/models/b/config.pbtxt");
  AddFile("/models/b/README.md");
  AddFile("/models/notes.txt");
  AddDirectory("/models/empty");
  AddFile("/models/empty/config.pbtxt");

  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository_.Scan());
  const std::vector<ModelEntry>& models = scan.models;
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0].name, "a");
  EXPECT_FALSE(models[0].has_config);
  EXPECT_EQ(models[1].name, "b");
  EXPECT_THAT(models[1].versions, ElementsAre(9, 10));
  EXPECT_TRUE(models[1].has_config);
  EXPECT_THAT(models[1].ignored, IsEmpty());
  EXPECT_EQ(models[2].name, "empty");
  EXPECT_THAT(models[2].versions, IsEmpty());
}

TEST_F(RepositoryTest, EntriesThatAreNoVersionAreIgnoredWithTheReason) {
  AddDirectory("/models/m/1");
  for (const char* name : {"0", "01", "-1", "1e3", "18446744073709551616", "..", " 2", "assets"}) {
    AddDirectory(absl::StrCat("/models/m/", name));
  }
  AddFile("/models/m/2");
  files_.AddLink("/models/m/3", "/gone");
  files_.AddLink("/models/m/4", "/models/m/5");
  files_.AddLink("/models/m/5", "/models/m/4");
  AddDirectory("/models/m/.tmp-1");

  ASSERT_OK_AND_ASSIGN(const ModelEntry model, repository_.ScanModel("m"));
  EXPECT_THAT(model.versions, ElementsAre(1));
  EXPECT_THAT(model.ignored,
              testing::UnorderedElementsAre(
                  "'0': versions start at 1", "'01': leading zero", "'-1': not a decimal number",
                  "'1e3': not a decimal number", "'18446744073709551616': over 2^63 - 1",
                  "' 2': not a decimal number", "'assets': not a decimal number",
                  "'2': a file, not a directory", "'3': a symbolic link that leads to no directory",
                  "'4': a symbolic link that leads to no directory",
                  "'5': a symbolic link that leads to no directory"));
}

TEST_F(RepositoryTest, ADirectoryThatCannotBeListedIsNotGone) {
  AddDirectory("/models/a/1");
  AddDirectory("/models/b/1");
  files_.FailReads("/models/a", absl::UnavailableError("I/O error"));
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository_.Scan());
  const std::vector<ModelEntry>& models = scan.models;
  ASSERT_EQ(models.size(), 2u);
  EXPECT_THAT(models[0].problem, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("I/O error")));
  EXPECT_OK(models[1].problem);
  EXPECT_OK(repository_.RemoveLeftovers());
}

TEST_F(RepositoryTest, AMissingRootSaysNothingOfItsModels) {
  EXPECT_OK(files_.RemoveAll("/models"));
  EXPECT_THAT(repository_.Scan(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/models")));
  EXPECT_THAT(repository_.ScanModel("a"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/models")));
}

// Kubernetes' ..data, git-sync, blue/green.
TEST_F(RepositoryTest, LinksToDirectoriesAreFollowed) {
  AddDirectory("/store/2024/m/1");
  AddDirectory("/store/v7");
  files_.AddLink("/models/..data", "/store/2024");
  files_.AddLink("/models/m", "/models/..data/m");
  files_.AddLink("/store/2024/m/7", "/store/v7");
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository_.Scan());
  ASSERT_EQ(scan.models.size(), 1u);
  EXPECT_EQ(scan.models[0].name, "m");
  EXPECT_THAT(scan.models[0].versions, ElementsAre(1, 7));
  EXPECT_THAT(scan.ignored, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const ModelEntry model, repository_.ScanModel("m"));
  EXPECT_THAT(model.versions, ElementsAre(1, 7));
}

TEST_F(RepositoryTest, TheRootMayBeALink) {
  AddDirectory("/store/m/1");
  files_.AddLink("/linked", "/store");
  const Repository repository(&files_, "/linked");
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository.Scan());
  EXPECT_EQ(scan.models.size(), 1u);
}

TEST_F(RepositoryTest, FoldersThatAreNoModelsAreIgnoredWithTheReason) {
  AddDirectory("/models/docs/images");
  AddFile("/models/docs/index.md");
  AddDirectory("/models/__MACOSX");
  AddDirectory("/models/lost+found");
  AddDirectory("/models/config_only");
  AddFile("/models/config_only/config.pbtxt");
  AddDirectory("/models/bad_version/01");
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository_.Scan());
  ASSERT_EQ(scan.models.size(), 2u);
  EXPECT_EQ(scan.models[0].name, "bad_version");
  EXPECT_EQ(scan.models[1].name, "config_only");
  const std::string no_model = "no version directories and no config.pbtxt";
  EXPECT_THAT(
      scan.ignored,
      ElementsAre(IgnoredEntry{"__MACOSX", no_model}, IgnoredEntry{"docs", no_model},
                  testing::AllOf(testing::Field(&IgnoredEntry::name, "lost+found"),
                                 testing::Field(&IgnoredEntry::reason, HasSubstr("letters")))));
  EXPECT_THAT(repository_.ScanModel("docs"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(no_model)));
}

TEST_F(RepositoryTest, ErrorsForClientsHaveNoPathsOfThisMachine) {
  EXPECT_THAT(repository_.WithoutRoot(absl::NotFoundError("cannot open '/models/m/1/x': gone")),
              StatusIs(absl::StatusCode::kNotFound, "cannot open 'm/1/x': gone"));
  EXPECT_THAT(repository_.WithoutRoot(absl::UnavailableError("cannot list '/models': gone")),
              StatusIs(absl::StatusCode::kUnavailable, "cannot list 'the repository': gone"));
  EXPECT_OK(repository_.WithoutRoot(absl::OkStatus()));
}

TEST_F(RepositoryTest, DirectoriesThatAreNoModelAreSkipped) {
  AddDirectory("/models/good/1");
  AddDirectory("/models/.git/1");
  AddDirectory("/models/bad name/1");
  files_.AddLink("/models/link", "/gone");
  ASSERT_OK_AND_ASSIGN(const RepositoryScan scan, repository_.Scan());
  const std::vector<ModelEntry>& models = scan.models;
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].name, "good");
  EXPECT_THAT(repository_.ScanModel("link"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("link")));
  EXPECT_THAT(repository_.ScanModel("other"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'other'")));
}

TEST_F(RepositoryTest, ModelNames) {
  const struct {
    std::string name;
    bool ok;
  } kCases[] = {{"a", true},
                {"breast_cancer-2.1", true},
                {std::string(128, 'a'), true},
                {std::string(129, 'a'), false},
                {std::string(300, 'a'), false},
                {"", false},
                {".", false},
                {"..", false},
                {".hidden", false},
                {"-x", false},
                {"../x", false},
                {"a/b", false},
                {"%2e%2e", false},
                {std::string("a\0b", 3), false},
                {"\xD0\xB0", false}};  // a Cyrillic 'а'
  for (const auto& test : kCases) {
    const absl::Status status = Repository::CheckModelName(test.name);
    if (test.ok) {
      EXPECT_OK(status) << test.name;
    } else {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("NAME")));
      EXPECT_THAT(repository_.ScanModel(test.name),
                  StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("NAME")));
      EXPECT_THAT(repository_.Publish(test.name, kFiles, ""),
                  StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("NAME")));
    }
  }
}

TEST_F(RepositoryTest, PublishMakesANewModelWithItsConfig) {
  ASSERT_OK_AND_ASSIGN(const int64_t version, repository_.Publish("m", kFiles, "config"));
  EXPECT_EQ(version, 1);
  EXPECT_THAT(files_.Tree(), ElementsAre(std::pair("/models/", ""), std::pair("/models/m/", ""),
                                         std::pair("/models/m/1/", ""),
                                         std::pair("/models/m/1/model.onnx", "weights"),
                                         std::pair("/models/m/1/training.json", "{}"),
                                         std::pair("/models/m/config.pbtxt", "config")));
}

TEST_F(RepositoryTest, PublishSyncsBeforeItRenames) {
  AddDirectory("/models/m/4");
  const size_t before = files_.Journal().size();
  ASSERT_OK(repository_.Publish("m", kFiles, "config"));
  const std::vector<std::string> journal = files_.Journal();
  EXPECT_THAT(
      std::vector<std::string>(journal.begin() + static_cast<ptrdiff_t>(before), journal.end()),
      ElementsAre("remove /models/m/.tmp-1", "mkdir /models/m/.tmp-1",
                  "write /models/m/.tmp-1/model.onnx", "write /models/m/.tmp-1/training.json",
                  "sync /models/m/.tmp-1", "write /models/m/.tmp-2",
                  "rename /models/m/.tmp-2 -> /models/m/config.pbtxt", "sync /models/m",
                  "rename /models/m/.tmp-1 -> /models/m/5", "sync /models/m"));
}

TEST_F(RepositoryTest, AConfigThatIsThereStays) {
  AddDirectory("/models/m");
  AddFile("/models/m/config.pbtxt");
  ASSERT_OK(repository_.Publish("m", kFiles, "new"));
  EXPECT_EQ(files_.Tree()["/models/m/config.pbtxt"], "x");
}

TEST_F(RepositoryTest, NumbersAreNotUsedAgain) {
  AddDirectory("/models/m/7");
  AddFile("/models/m/9");  // no version, but in the way
  ASSERT_OK_AND_ASSIGN(const int64_t first, repository_.Publish("m", kFiles, ""));
  EXPECT_EQ(first, 10);
  ASSERT_OK(files_.RemoveAll("/models/m"));
  ASSERT_OK_AND_ASSIGN(const int64_t second, repository_.Publish("m", kFiles, ""));
  EXPECT_EQ(second, 11);
  AddDirectory("/models/m/9223372036854775807");
  EXPECT_THAT(repository_.Publish("m", kFiles, ""),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("9223372036854775807")));
}

TEST_F(RepositoryTest, ConcurrentPublishesGetDistinctVersions) {
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] { EXPECT_OK(repository_.Publish("m", kFiles, "config")); });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const ModelEntry model, repository_.ScanModel("m"));
  EXPECT_THAT(model.versions, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(RepositoryTest, FileNamesStayInTheVersion) {
  for (const char* name : {"", "../x", "a/b", ".x"}) {
    EXPECT_THAT(repository_.Publish("m", {{name, ""}}, ""),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("file name")));
  }
  EXPECT_THAT(repository_.Publish("m", {}, ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least one file")));
}

TEST_F(RepositoryTest, LeftoversOfADeadProcessAreRemoved) {
  AddDirectory("/models/.tmp-3/1");
  AddDirectory("/models/m/.tmp-1");
  AddDirectory("/models/m/1");
  AddDirectory("/models/.tmp-of-somebody");
  AddDirectory("/models/.sigserve");
  ASSERT_OK(repository_.RemoveLeftovers());
  EXPECT_THAT(files_.Tree(), ElementsAre(Key("/models/"), Key("/models/.sigserve/"),
                                         Key("/models/.tmp-of-somebody/"), Key("/models/m/"),
                                         Key("/models/m/1/")));
}

// Failures: every change on disk in turn.

enum class Model { kNew, kOld };

class PublishFaultTest : public testing::TestWithParam<Model> {
 protected:
  /// A repository as it is before the Publish that fails.
  static void SetUpTree(testing_support::FakeFileSystem* files) {
    ASSERT_OK(files->MakeDirectories("/models"));
    if (GetParam() == Model::kOld) {
      ASSERT_OK(files->MakeDirectories("/models/m/1"));
      ASSERT_OK(files->WriteFile("/models/m/1/model.onnx", "old"));
    }
  }

  static bool IsWhole(std::map<std::string, std::string> tree, int64_t version) {
    const std::string directory = absl::StrCat("/models/m/", version, "/");
    return tree[directory + "model.onnx"] == "weights" &&
           tree[directory + "training.json"] == "{}" && tree["/models/m/config.pbtxt"] == "config";
  }
};

TEST_P(PublishFaultTest, AnErrorLeavesNothingBehind) {
  const absl::Status full = absl::ResourceExhaustedError("no space left");
  int n = 0;
  while (true) {
    testing_support::FakeFileSystem files;
    SetUpTree(&files);
    const auto before = files.Tree();
    Repository repository(&files, "/models");
    files.FailAt(++n, full);
    const absl::StatusOr<int64_t> version = repository.Publish("m", kFiles, "config");
    if (files.changes() < n) {  // ran through without reaching the n-th change
      EXPECT_OK(version);
      break;
    }
    EXPECT_THAT(version, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("DISK_FULL")))
        << "change " << n;
    EXPECT_EQ(files.Tree(), before) << "change " << n;
    // The disk has room again; the number is free or skipped, never half there.
    ASSERT_OK_AND_ASSIGN(const int64_t next, repository.Publish("m", kFiles, "config"));
    EXPECT_TRUE(IsWhole(files.Tree(), next)) << "change " << n;
  }
  EXPECT_GE(n, 6);
}

TEST_P(PublishFaultTest, ACrashLeavesNoVersionOrAWholeOne) {
  int n = 0;
  bool reached = true;
  while (reached) {
    testing_support::FakeFileSystem files;
    SetUpTree(&files);
    files.FailAt(++n, absl::UnavailableError("gone"), Fault::kFromThenOn);
    Repository repository(&files, "/models");
    const absl::StatusOr<int64_t> version = repository.Publish("m", kFiles, "config");
    reached = files.changes() >= n;
    EXPECT_EQ(version.ok(), !reached) << "change " << n;  // no error is reported as success
    files.FailAt(0, absl::OkStatus());

    // The next process.
    Repository next(&files, "/models");
    const int64_t expected = GetParam() == Model::kOld ? 2 : 1;
    const absl::StatusOr<ModelEntry> model = next.ScanModel("m");
    if (model.ok() && !model->versions.empty() && model->versions.back() == expected) {
      EXPECT_TRUE(IsWhole(files.Tree(), expected)) << "change " << n;
    }
    ASSERT_OK(next.RemoveLeftovers());
    EXPECT_THAT(files.Tree(), Not(Contains(Key(HasSubstr(".tmp-"))))) << "change " << n;
    if (GetParam() == Model::kOld) {
      EXPECT_EQ(files.Tree()["/models/m/1/model.onnx"], "old");
    }
  }
  EXPECT_GE(n, 6);
}

INSTANTIATE_TEST_SUITE_P(Models, PublishFaultTest, testing::Values(Model::kNew, Model::kOld),
                         [](const auto& info) {
                           return info.param == Model::kNew ? "NewModel" : "OldModel";
                         });

}  // namespace
}  // namespace sigserve
