#include "client/cli/help_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/text_layout.h"

namespace sigserve::cli {
namespace {

constexpr size_t kHelpColumn = 28;

/// "  -i, --input FILE", then the help text in a column of its own.
void AppendEntry(const std::string& head, const std::string& help, size_t width,
                 std::string* text) {
  std::string line = absl::StrCat("  ", head);
  const auto pad = [&line] { line.resize(std::max(line.size(), kHelpColumn), ' '); };
  if (line.size() + 2 > kHelpColumn) {
    absl::StrAppend(text, line, "\n");
    line.clear();
  }
  for (const std::string& part : WrapWords(help, std::max<size_t>(width, 50) - kHelpColumn)) {
    pad();
    absl::StrAppend(text, line, part, "\n");
    line.clear();
  }
}

std::string Head(const Option& option) {
  if (option.is_positional()) return option.name;
  const std::string names =
      absl::StrCat(option.short_name.empty() ? "    " : option.short_name + ", ", option.name);
  return option.value.empty() ? names : absl::StrCat(names, " ", option.value);
}

std::string Help(const Option& option) {
  if (option.environment.empty()) return option.help;
  return absl::StrCat(option.help, " [", option.environment, "]");
}

void AppendOptions(absl::string_view title, const std::vector<Option>& options, bool positional,
                   size_t width, std::string* text) {
  std::string entries;
  for (const Option& option : options) {
    if (option.is_positional() == positional) {
      AppendEntry(Head(option), Help(option), width, &entries);
    }
  }
  if (!entries.empty()) absl::StrAppend(text, "\n", title, ":\n", entries);
}

}  // namespace

std::string ProgramHelp(const std::vector<Verb>& verbs, const std::vector<Option>& global_options,
                        size_t width) {
  std::string text =
      "sigctl: predictions, models and training jobs of a sigserve server\n"
      "\n"
      "Usage: sigctl VERB [OPTIONS]\n"
      "\n"
      "Verbs:\n";
  for (const Verb& verb : verbs) AppendEntry(verb.name, verb.summary, width, &text);
  AppendOptions("Options of every verb", global_options, false, width, &text);
  absl::StrAppend(&text, "\nsigctl VERB --help shows a verb's options and an example.\n\n",
                  kExitCodesHelp, "\n");
  return text;
}

std::string VerbHelp(const Verb& verb, const std::vector<Option>& global_options, size_t width) {
  std::string usage = absl::StrCat("Usage: sigctl ", verb.name);
  for (const Option& option : verb.options) {
    if (!option.is_positional()) continue;
    const std::string name = absl::StrCat(option.name, option.repeatable ? "..." : "");
    absl::StrAppend(&usage, " ", option.required ? name : absl::StrCat("[", name, "]"));
  }
  std::string text = absl::StrCat(verb.summary, "\n\n", usage, " [OPTIONS]\n");
  AppendOptions("Arguments", verb.options, true, width, &text);
  AppendOptions("Options", verb.options, false, width, &text);
  AppendOptions("Options of every verb", global_options, false, width, &text);
  absl::StrAppend(&text, "\nExample:\n", verb.example, "\n\n", kExitCodesHelp, "\n");
  return text;
}

}  // namespace sigserve::cli
