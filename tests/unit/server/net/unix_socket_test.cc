// What a Unix socket's address may replace: only the socket file of a server that has ended.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/net/listen_socket.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest()
      : directory_(absl::StrCat(testing::TempDir(), "unix_socket_test.", getpid())),
        path_(directory_ + "/socket") {
    std::filesystem::create_directory(directory_);
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(directory_); }

  absl::StatusOr<std::unique_ptr<ListenSocket>> Open() const {
    return ListenSocket::Open(absl::StrCat("unix:", path_));
  }
  /// Leaves a socket file that nothing listens on.
  void MakeDeadSocket() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    close(fd);
  }
  /// Type, inode and contents of what stands at the path; empty if nothing does.
  std::string Entry() const {
    struct stat entry = {};
    if (lstat(path_.c_str(), &entry) != 0) return "";
    std::ifstream file(path_);
    return absl::StrCat(entry.st_mode, " ", entry.st_ino, " ",
                        std::string(std::istreambuf_iterator<char>(file), {}));
  }

  const std::string directory_;
  const std::string path_;
};

TEST_F(UnixSocketTest, ADeadSocketIsReplaced) {
  MakeDeadSocket();
  ASSERT_OK_AND_ASSIGN(const auto socket, Open());
  EXPECT_TRUE(std::filesystem::is_socket(path_));
  socket->Close();
  EXPECT_EQ(Entry(), "");
}

TEST_F(UnixSocketTest, CloseLeavesWhatAnotherProcessPutThere) {
  ASSERT_OK_AND_ASSIGN(const auto socket, Open());
  std::filesystem::remove(path_);
  std::ofstream(path_) << "of another process";
  const std::string entry = Entry();
  socket->Close();
  EXPECT_EQ(Entry(), entry);
}

// Errors. Each leaves what is there untouched.

TEST_F(UnixSocketTest, ALiveSocketIsAnError) {
  ASSERT_OK_AND_ASSIGN(const auto socket, Open());
  const std::string entry = Entry();
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kAlreadyExists,
                               AllOf(HasSubstr(path_), HasSubstr("another process listens"))));
  EXPECT_EQ(Entry(), entry);
}

TEST_F(UnixSocketTest, AFileIsAnError) {
  std::ofstream(path_) << "precious";
  const std::string entry = Entry();
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kAlreadyExists,
                               AllOf(HasSubstr(path_), HasSubstr("a regular file is there"))));
  EXPECT_EQ(Entry(), entry);
}

TEST_F(UnixSocketTest, ADirectoryIsAnError) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kAlreadyExists,
                               AllOf(HasSubstr(path_), HasSubstr("a directory is there"))));
  EXPECT_TRUE(std::filesystem::is_directory(path_));
}

TEST_F(UnixSocketTest, ASymbolicLinkIsAnError) {
  const std::string target = directory_ + "/target";
  std::ofstream(target) << "precious";
  std::filesystem::create_symlink(target, path_);
  const std::string entry = Entry();
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kAlreadyExists,
                               AllOf(HasSubstr(path_), HasSubstr("a symbolic link is there"))));
  EXPECT_EQ(Entry(), entry);
}

}  // namespace
}  // namespace sigserve
