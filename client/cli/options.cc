#include "client/cli/options.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/suggestions.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

/// One argument that begins with a dash, taken apart.
struct Token {
  std::string name;  // "--input", "-i"; underscores as dashes
  std::string value = {};
  bool has_value = false;
};

bool LooksLikeOption(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' && argument != "--";
}

Token ToToken(const std::string& argument) {
  Token token{.name = argument};
  if (absl::StartsWith(argument, "--")) {
    const size_t equals = argument.find('=');
    if (equals != std::string::npos) {
      token = {.name = argument.substr(0, equals),
               .value = argument.substr(equals + 1),
               .has_value = true};
    }
    std::replace(token.name.begin(), token.name.end(), '_', '-');
  } else if (argument.size() > 2) {
    token = {.name = argument.substr(0, 2), .value = argument.substr(2), .has_value = true};
  }
  return token;
}

const Option* Find(const std::vector<Option>& options, const std::string& name) {
  for (const Option& option : options) {
    if (option.name == name || option.short_name == name) return &option;
  }
  return nullptr;
}

absl::Status Store(const Option& option, absl::string_view called, const std::string& text) {
  absl::Status stored = option.set(text);
  if (stored.ok()) return stored;
  constexpr size_t kMaxShown = 60;
  return absl::InvalidArgumentError(
      absl::StrCat(called, " is '", text.substr(0, kMaxShown), "'; ", stored.message()));
}

class Parser {
 public:
  Parser(const std::vector<std::string>& arguments, const std::vector<Option>& options)
      : arguments_(arguments), options_(options) {
    for (const Option& option : options) {
      if (option.is_positional()) positionals_.push_back(&option);
    }
  }

  absl::Status Parse() {
    bool options_ended = false;
    for (size_t at = 0; at < arguments_.size(); ++at) {
      const std::string& argument = arguments_[at];
      if (!options_ended && argument == "--") {
        options_ended = true;
      } else if (!options_ended && LooksLikeOption(argument)) {
        CLIENT_RETURN_IF_ERROR(TakeOption(ToToken(argument), &at));
      } else {
        CLIENT_RETURN_IF_ERROR(TakePositional(argument));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const Environment& environment) {
    for (const Option& option : options_) {
      if (given_.count(&option) > 0) continue;
      const auto variable = environment.find(option.environment);
      if (variable != environment.end() && !variable->second.empty()) {
        CLIENT_RETURN_IF_ERROR(Store(option, variable->first, variable->second));
      } else if (option.required) {
        return absl::InvalidArgumentError(absl::StrCat(option.name, " is missing"));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status TakeOption(const Token& token, size_t* at) {
    const Option* const option = Find(options_, token.name);
    if (option == nullptr) return Unknown(token.name);
    std::string value = token.value;
    if (option->is_flag()) {
      if (token.has_value) {
        return absl::InvalidArgumentError(absl::StrCat(option->name, " takes no value"));
      }
    } else if (!token.has_value) {
      if (*at + 1 == arguments_.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat(option->name, " lacks its value (", option->value, ")"));
      }
      value = arguments_[++*at];
    }
    return Take(*option, value);
  }

  absl::Status TakePositional(const std::string& argument) {
    if (next_positional_ == positionals_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", argument, "'"));
    }
    const Option& option = *positionals_[next_positional_];
    if (!option.repeatable) ++next_positional_;
    return Take(option, argument);
  }

  absl::Status Take(const Option& option, const std::string& value) {
    if (!given_.insert(&option).second && !option.repeatable && !option.is_flag()) {
      return absl::InvalidArgumentError(absl::StrCat(option.name, " is given twice"));
    }
    return Store(option, option.name, value);
  }

  absl::Status Unknown(const std::string& name) const {
    std::vector<std::string> known;
    for (const Option& option : options_) {
      if (!option.is_positional()) known.push_back(option.name);
    }
    return absl::InvalidArgumentError(
        absl::StrCat("unknown option ", name, DidYouMean(name, known)));
  }

  const std::vector<std::string>& arguments_;
  const std::vector<Option>& options_;
  std::vector<const Option*> positionals_;
  size_t next_positional_ = 0;
  std::set<const Option*> given_;
};

/// The index of the first argument that is neither an option nor an option's value.
size_t FirstPositional(const std::vector<std::string>& arguments,
                       const std::vector<Option>& options) {
  for (size_t at = 0; at < arguments.size(); ++at) {
    if (!LooksLikeOption(arguments[at])) return at;
    const Token token = ToToken(arguments[at]);
    const Option* const option = Find(options, token.name);
    if (option != nullptr && !option->is_flag() && !token.has_value) ++at;
  }
  return arguments.size();
}

}  // namespace

SplitArguments SplitAtVerb(const std::vector<std::string>& arguments,
                           const std::vector<Option>& global_options) {
  const size_t at = FirstPositional(arguments, global_options);
  const auto verb = arguments.begin() + static_cast<std::ptrdiff_t>(at);
  SplitArguments split{.before = {arguments.begin(), verb}, .verb = {}, .after = {}};
  if (verb != arguments.end()) {
    split.verb = *verb;
    split.after.assign(verb + 1, arguments.end());
  }
  return split;
}

absl::Status ParseArguments(const std::vector<std::string>& arguments,
                            const std::vector<Option>& options, const Environment& environment) {
  Parser parser(arguments, options);
  CLIENT_RETURN_IF_ERROR(parser.Parse());
  return parser.Finish(environment);
}

bool AsksForHelp(const std::vector<std::string>& arguments, const std::vector<Option>& options) {
  for (size_t at = 0; at < arguments.size() && arguments[at] != "--"; ++at) {
    if (!LooksLikeOption(arguments[at])) continue;
    const Token token = ToToken(arguments[at]);
    if (token.name == "--help" || token.name == "-h") return true;
    const Option* const option = Find(options, token.name);
    if (option != nullptr && !option->is_flag() && !token.has_value) ++at;
  }
  return false;
}

}  // namespace sigserve::cli
