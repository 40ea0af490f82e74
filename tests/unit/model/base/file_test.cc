#include "model/base/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/file_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { EXPECT_OK(files_.RemoveAll(root_)); }
  std::string At(const std::string& name) const { return root_ + "/" + name; }

  PosixFileSystem files_;
  std::string root_;
};

TEST_F(FileTest, WritesAndReadsBytes) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_OK(files_.WriteFile(At("x"), bytes));
  ASSERT_OK_AND_ASSIGN(const std::string read, files_.ReadFile(At("x"), 4));
  EXPECT_EQ(read, bytes);
  ASSERT_OK(files_.WriteFile(At("x"), ""));
  ASSERT_OK_AND_ASSIGN(const std::string empty, files_.ReadFile(At("x"), 4));
  EXPECT_EQ(empty, "");
}

TEST_F(FileTest, RefusesWhatIsTooLarge) {
  ASSERT_OK(files_.WriteFile(At("x"), "12345"));
  EXPECT_THAT(files_.ReadFile(At("x"), 4),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has 5 bytes")));
}

TEST_F(FileTest, RefusesWhatIsNoFileWithoutHanging) {
  ASSERT_EQ(mkfifo(At("fifo").c_str(), 0600), 0);
  ASSERT_OK(files_.MakeDirectories(At("directory")));
  for (const std::string& path : {At("fifo"), At("directory"), std::string("/dev/zero")}) {
    EXPECT_THAT(files_.ReadFile(path, 100),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  }
}

TEST_F(FileTest, ErrorsNameThePath) {
  EXPECT_THAT(files_.ReadFile(At("none"), 1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("none"))));
  EXPECT_THAT(files_.WriteFile(At("none/x"), ""),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("none/x"))));
  EXPECT_THAT(files_.Rename(At("none"), At("x")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("x"))));
  EXPECT_THAT(files_.SyncDirectory(At("none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("none"))));
  EXPECT_THAT(files_.List(At("none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(At("none"))));
}

TEST_F(FileTest, ListSaysWhatEachEntryIs) {
  ASSERT_OK(files_.MakeDirectories(At("b/deep")));
  ASSERT_OK(files_.WriteFile(At("a"), ""));
  ASSERT_EQ(symlink(At("b").c_str(), At("c").c_str()), 0);
  ASSERT_EQ(symlink(At("a").c_str(), At("d").c_str()), 0);
  ASSERT_EQ(symlink(At("none").c_str(), At("e").c_str()), 0);
  ASSERT_EQ(symlink(At("f").c_str(), At("f").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const std::vector<DirectoryEntry> entries, files_.List(root_));
  const auto is = [](const char* name, bool directory, bool file, bool link) {
    return testing::AllOf(
        Field(&DirectoryEntry::name, name), Field(&DirectoryEntry::is_directory, directory),
        Field(&DirectoryEntry::is_regular_file, file), Field(&DirectoryEntry::is_link, link));
  };
  EXPECT_THAT(entries, ElementsAre(is("a", false, true, false), is("b", true, false, false),
                                   is("c", true, false, true), is("d", false, true, true),
                                   is("e", false, false, true), is("f", false, false, true)));
}

TEST_F(FileTest, RenameReplacesFilesNotFullDirectories) {
  ASSERT_OK(files_.WriteFile(At("new"), "new"));
  ASSERT_OK(files_.WriteFile(At("old"), "old"));
  ASSERT_OK(files_.Rename(At("new"), At("old")));
  ASSERT_OK_AND_ASSIGN(const std::string contents, files_.ReadFile(At("old"), 10));
  EXPECT_EQ(contents, "new");
  ASSERT_OK(files_.MakeDirectories(At("full/x")));
  ASSERT_OK(files_.MakeDirectories(At("other")));
  EXPECT_FALSE(files_.Rename(At("other"), At("full")).ok());
}

TEST_F(FileTest, RemoveAllFollowsNoLinks) {
  ASSERT_OK(files_.MakeDirectories(At("kept")));
  ASSERT_OK(files_.WriteFile(At("kept/x"), ""));
  ASSERT_OK(files_.MakeDirectories(At("gone")));
  ASSERT_EQ(symlink(At("kept").c_str(), At("gone/link").c_str()), 0);
  ASSERT_OK(files_.RemoveAll(At("gone")));
  EXPECT_OK(files_.ReadFile(At("kept/x"), 1));
  EXPECT_FALSE(files_.List(At("gone")).ok());
  EXPECT_OK(files_.RemoveAll(At("gone")));  // fine if it does not exist
}

TEST_F(FileTest, StatTellsOneStateOfAFileFromAnother) {
  ASSERT_OK(files_.WriteFile(At("x"), "12345"));
  ASSERT_OK_AND_ASSIGN(const FileStamp first, files_.Stat(At("x")));
  EXPECT_EQ(first.bytes, 5);
  EXPECT_GT(first.modified_ns, 0);
  ASSERT_OK_AND_ASSIGN(const FileStamp same, files_.Stat(At("x")));
  EXPECT_EQ(first, same);
  ASSERT_OK(files_.WriteFile(At("new"), "54321"));
  ASSERT_OK(files_.Rename(At("new"), At("x")));
  ASSERT_OK_AND_ASSIGN(const FileStamp replaced, files_.Stat(At("x")));
  EXPECT_NE(replaced.inode, first.inode);
  ASSERT_EQ(symlink(At("x").c_str(), At("link").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const FileStamp through, files_.Stat(At("link")));
  EXPECT_EQ(through, replaced);
  EXPECT_THAT(files_.Stat(At("gone")).status(),
              StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("gone")));
}

TEST_F(FileTest, OpenWithinOpensFilesBelow) {
  ASSERT_OK(files_.MakeDirectories(At("v/deep")));
  ASSERT_OK(files_.WriteFile(At("v/deep/w"), "0123456789"));
  ASSERT_OK_AND_ASSIGN(const FoundWithin found, files_.OpenWithin(At("v"), "deep/w"));
  ASSERT_EQ(found.kind, FoundWithin::Kind::kFile);
  EXPECT_EQ(found.file->size(), 10);
  std::string bytes(4, ' ');
  ASSERT_OK(found.file->ReadAt(3, absl::MakeSpan(bytes)));
  EXPECT_EQ(bytes, "3456");
  ASSERT_EQ(truncate(At("v/deep/w").c_str(), 5), 0);
  EXPECT_THAT(found.file->ReadAt(3, absl::MakeSpan(bytes)),
              StatusIs(absl::StatusCode::kDataLoss, testing::HasSubstr("v/deep/w")));
}

TEST_F(FileTest, OpenWithinFollowsNoLinksAndOpensNothingElse) {
  ASSERT_OK(files_.MakeDirectories(At("v/deep")));
  ASSERT_OK(files_.MakeDirectories(At("outside")));
  ASSERT_OK(files_.WriteFile(At("outside/w"), "secret"));
  ASSERT_EQ(symlink(At("outside/w").c_str(), At("v/link").c_str()), 0);
  ASSERT_EQ(symlink(At("outside").c_str(), At("v/way").c_str()), 0);
  ASSERT_EQ(link(At("outside/w").c_str(), At("v/hard").c_str()), 0);
  ASSERT_EQ(mkfifo(At("v/fifo").c_str(), 0600), 0);
  using Kind = FoundWithin::Kind;
  const std::pair<const char*, Kind> cases[] = {
      {"gone", Kind::kMissing}, {"gone/w", Kind::kMissing}, {"link", Kind::kLink},
      {"way/w", Kind::kLink},   {"hard", Kind::kLink},      {"fifo", Kind::kOther},
      {"deep", Kind::kOther},   {"fifo/w", Kind::kMissing}};
  for (const auto& [path, kind] : cases) {
    SCOPED_TRACE(path);
    ASSERT_OK_AND_ASSIGN(const FoundWithin found, files_.OpenWithin(At("v"), path));
    EXPECT_EQ(found.kind, kind);
    EXPECT_EQ(found.file, nullptr);
  }
}

TEST_F(FileTest, MakeDirectoriesAndSync) {
  ASSERT_OK(files_.MakeDirectories(At("a/b/c")));
  EXPECT_OK(files_.MakeDirectories(At("a/b/c")));
  EXPECT_OK(files_.SyncDirectory(At("a/b/c")));
}

}  // namespace
}  // namespace sigserve
