// The command line as tables. A verb declares its options as data: names, help text, and where a
// value goes. ParseArguments reads a command line against such a table; help_text.h prints it.
// Verbs know nothing of parsing, and parsing knows no verb.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/context.h"

namespace sigserve::cli {

/// Stores an option's value. An error completes the sentence "--name is 'text'; expected ...".
/// option_values.h makes these. Flags are set with an empty text.
using SetValue = std::function<absl::Status(const std::string& text)>;

struct Option {
  std::string name;             // "--input"; without dashes a positional argument ("MODEL")
  std::string short_name = {};  // "-i"
  std::string value = {};       // how help calls the value ("FILE"); empty = a flag
  std::string help = {};
  SetValue set = {};
  bool required = false;
  bool repeatable = false;       // may be given several times; a positional takes all the rest
  std::string environment = {};  // variable that is read when the command line does not set it

  bool is_positional() const { return name.front() != '-'; }
  bool is_flag() const { return !is_positional() && value.empty(); }
};

struct Verb {
  std::string name;
  std::string summary;
  std::string example;  // shown at the end of --help, with remarks
  std::vector<Option> options = {};
  std::function<ExitCode(Context&)> run = {};
};

using Environment = std::map<std::string, std::string>;

/// Splits a command line at its verb: `before` are the arguments in front of it.
struct SplitArguments {
  std::vector<std::string> before;
  std::string verb;  // empty = none given
  std::vector<std::string> after;
};
SplitArguments SplitAtVerb(const std::vector<std::string>& arguments,
                           const std::vector<Option>& global_options);

/// Stores the values of `arguments` and, for options they do not name, of `environment`.
/// "--name value", "--name=value", "-n value" and "-nvalue" are the same; "_" and "-" are alike in
/// names; "--" ends the options. INVALID_ARGUMENT names the option and, for an unknown one, those
/// with a similar name.
absl::Status ParseArguments(const std::vector<std::string>& arguments,
                            const std::vector<Option>& options, const Environment& environment);

/// True if `arguments` holds --help or -h in the place of an option.
bool AsksForHelp(const std::vector<std::string>& arguments, const std::vector<Option>& options);

}  // namespace sigserve::cli
