// The command line of sigserve: one table of flags gives the parser, the suggestions for misspelt
// flags and --help. Pure: reads no file and prints nothing.
//
//   SIGSERVE_ASSIGN_OR_RETURN(CommandLine command_line, CommandLine::Parse(arguments));
//   ServerOptions options = ...;  // of command_line.config_file(), if there is one
//   command_line.ApplyTo(&options);
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/server_options.h"

namespace sigserve {

class CommandLine {
 public:
  enum class Action { kServe, kHelp, kVersion };

  /// `arguments`: without the program's name. Flags are "--name=value" or "--name value", with '-'
  /// or '_' between words; the last one of a name wins. INVALID_ARGUMENT names the argument that is
  /// wrong, and the flag that it resembles.
  static absl::StatusOr<CommandLine> Parse(const std::vector<std::string>& arguments);

  Action action() const { return action_; }
  /// Empty: none is given.
  const std::string& config_file() const { return config_file_; }
  /// Overwrites the settings whose flags were given.
  void ApplyTo(ServerOptions* options) const;

 private:
  Action action_ = Action::kServe;
  std::string config_file_;
  std::vector<std::function<void(ServerOptions*)>> settings_;
};

std::string HelpText(absl::string_view version);

}  // namespace sigserve
