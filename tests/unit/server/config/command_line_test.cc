#include "server/config/command_line.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;
using Action = CommandLine::Action;

TEST(CommandLine, SetsEveryFlag) {
  ASSERT_OK_AND_ASSIGN(
      const CommandLine line,
      CommandLine::Parse({"--repository=/m", "--grpc_address=h:1", "--http_address=none",
                          "--config=f", "--max_message_bytes=5", "--drain_seconds=6",
                          "--repository_poll_seconds=7", "--tls_certificate=c", "--tls_key=k",
                          "--tls_client_ca=a"}));
  EXPECT_EQ(line.action(), Action::kServe);
  EXPECT_EQ(line.config_file(), "f");
  ServerOptions options;
  line.ApplyTo(&options);
  EXPECT_EQ(options.repository, "/m");
  EXPECT_EQ(options.listen.grpc_address, "h:1");
  EXPECT_EQ(options.listen.http_address, "none");
  EXPECT_EQ(options.listen.max_message_bytes, 5);
  EXPECT_EQ(options.listen.drain, absl::Seconds(6));
  EXPECT_EQ(options.repository_poll, absl::Seconds(7));
  EXPECT_EQ(options.listen.tls.certificate_file, "c");
  EXPECT_EQ(options.listen.tls.key_file, "k");
  EXPECT_EQ(options.listen.tls.client_ca_file, "a");
}

TEST(CommandLine, AFlagThatIsNotGivenKeepsTheSetting) {
  ServerOptions options;
  options.repository = "/a";
  options.listen.drain = absl::Seconds(5);
  ASSERT_OK_AND_ASSIGN(const CommandLine line, CommandLine::Parse({"--drain_seconds=0"}));
  line.ApplyTo(&options);
  EXPECT_EQ(options.repository, "/a");
  EXPECT_EQ(options.listen.drain, absl::ZeroDuration());
}

TEST(CommandLine, Spellings) {
  const std::vector<std::vector<std::string>> spellings = {
      {"--grpc_address=h:1"},
      {"--grpc-address=h:1"},
      {"--grpc-address", "h:1"},
      {"-grpc_address=h:1"},
      {"--grpc_address=other:2", "--grpc_address=h:1"}};
  for (const auto& arguments : spellings) {
    const absl::StatusOr<CommandLine> line = CommandLine::Parse(arguments);
    ASSERT_OK(line) << arguments[0];
    ServerOptions options;
    line->ApplyTo(&options);
    EXPECT_EQ(options.listen.grpc_address, "h:1") << arguments[0];
  }
}

TEST(CommandLine, HelpAndVersion) {
  for (const char* help : {"--help", "-help", "-h"}) {
    ASSERT_OK_AND_ASSIGN(const CommandLine line, CommandLine::Parse({help}));
    EXPECT_EQ(line.action(), Action::kHelp) << help;
  }
  ASSERT_OK_AND_ASSIGN(const CommandLine line, CommandLine::Parse({"--version"}));
  EXPECT_EQ(line.action(), Action::kVersion);
}

TEST(CommandLine, ErrorsSayWhatToWrite) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{"--repositry=/m"}, "unknown flag '--repositry'; did you mean --repository?"},
      {{"--grpc-adress", "h:1"}, "unknown flag '--grpc-adress'; did you mean --grpc_address?"},
      {{"--xyz"}, "unknown flag '--xyz'; see sigserve --help"},
      {{"models"}, "unexpected argument 'models'; see sigserve --help"},
      {{"--repository"}, "--repository needs a value: --repository=DIR"},
      {{"--repository", "--help"}, "--repository needs a value: --repository=DIR"},
      {{"--help=yes"}, "--help takes no value"},
      {{"--drain_seconds=ten"},
       "--drain_seconds is 'ten'; expected a whole number from 0 to 86400"},
      {{"--drain_seconds=-1"}, "--drain_seconds is '-1'; expected a whole number from 0 to 86400"},
      {{"--drain_seconds=1.5"}, "--drain_seconds is '1.5'; expected a whole number"},
      {{"--drain_seconds="}, "--drain_seconds is ''; expected a whole number"},
      {{"--drain-seconds=90000"}, "--drain_seconds is '90000'; expected a whole number from 0 to"},
      {{"--repository_poll_seconds=99999999999999999999"},
       "--repository_poll_seconds is '99999999999999999999'; expected a whole number from 0 to"},
      {{"--max_message_bytes=" + std::string(300, '9')},
       "--max_message_bytes is '9999999999999999999999999999999999999999...'; expected a whole "
       "number from 1 to 2147483647"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(CommandLine::Parse(c.arguments),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(HelpText, NamesEveryFlagAndFitsATerminal) {
  const std::string text = HelpText("1.2.3");
  EXPECT_THAT(text, testing::StartsWith("sigserve 1.2.3: "));
  for (const char* flag :
       {"--repository=DIR ", "--grpc_address=HOST:PORT ", "--http_address=HOST:PORT ",
        "--config=FILE ", "--max_message_bytes=N ", "--drain_seconds=N ",
        "--repository_poll_seconds=N ", "--tls_certificate=FILE ", "--tls_key=FILE ",
        "--tls_client_ca=FILE ", "--version ", "--help ", "SIGHUP "}) {
    EXPECT_THAT(text, HasSubstr(flag));
  }
  size_t begin = 0;
  for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 100U) << text.substr(begin, end - begin);
  }
}

}  // namespace
}  // namespace sigserve
