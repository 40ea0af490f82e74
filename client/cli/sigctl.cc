#include "client/cli/sigctl.h"

#include <algorithm>
#include <exception>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/help_text.h"
#include "client/cli/option_values.h"
#include "client/cli/options.h"
#include "client/cli/suggestions.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

constexpr size_t kHelpColumns = 80;

SetValue ToTls(GlobalOptions* options, bool tls) {
  return [options, tls](const std::string&) {
    options->tls_flag = tls;
    return absl::OkStatus();
  };
}

std::vector<Option> GlobalTable(GlobalOptions* options) {
  return {
      {.name = "--address",
       .short_name = "-a",
       .value = "HOST:PORT",
       .help = "The server; by default 127.0.0.1:8001",
       .set = ToText(&options->address),
       .environment = "SIGSERVE_ADDRESS"},
      {.name = "--timeout",
       .value = "SECONDS",
       .help = "Limit for each call, with the time to connect and to retry; by default 10",
       .set = ToNumber(&options->timeout_seconds, {.min = 0.001, .max = 1e6})},
      {.name = "--output",
       .short_name = "-o",
       .value = "FORMAT",
       .help = "table (the default), json or csv",
       .set = ToChoice<OutputFormat>(&options->output, {{"table", OutputFormat::kTable},
                                                        {"json", OutputFormat::kJson},
                                                        {"csv", OutputFormat::kCsv}})},
      {.name = "--tls",
       .help = "Use TLS; implied by the TLS options below",
       .set = ToTls(options, true)},
      {.name = "--no-tls",
       .help = "Plain text, even if the environment sets TLS options",
       .set = ToTls(options, false)},
      {.name = "--ca-file",
       .value = "FILE",
       .help = "PEM certificates of the authority that signed the server's certificate; by default "
               "the system's",
       .set = ToText(&options->tls.ca_file),
       .environment = "SIGSERVE_CA_FILE"},
      {.name = "--certificate-file",
       .value = "FILE",
       .help = "The client's own PEM certificate, for servers that require one",
       .set = ToText(&options->tls.certificate_file),
       .environment = "SIGSERVE_CERTIFICATE_FILE"},
      {.name = "--key-file",
       .value = "FILE",
       .help = "The PEM key of --certificate-file",
       .set = ToText(&options->tls.key_file),
       .environment = "SIGSERVE_KEY_FILE"},
      {.name = "--server-name",
       .value = "NAME",
       .help = "The name in the server's certificate, if it is not the address's host",
       .set = ToText(&options->tls.server_name),
       .environment = "SIGSERVE_SERVER_NAME"},
  };
}

/// Options that end the run before a verb is needed.
struct ProgramFlags {
  bool help = false;
  bool version = false;
};

std::vector<Option> WithProgramFlags(std::vector<Option> options, ProgramFlags* flags) {
  options.push_back({.name = "--help", .short_name = "-h", .set = ToFlag(&flags->help)});
  options.push_back({.name = "--version", .set = ToFlag(&flags->version)});
  return options;
}

std::vector<Verb> AllVerbs() {
  return {PredictVerb(), ModelsVerb(), MetadataVerb(), HealthVerb(), ReloadVerb(),
          TrainVerb(),   JobsVerb(),   JobVerb(),      CancelVerb(), BenchVerb()};
}

absl::Status UnknownVerb(const std::string& name, const std::vector<Verb>& verbs) {
  std::vector<std::string> known;
  known.reserve(verbs.size());
  for (const Verb& verb : verbs) known.push_back(verb.name);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown verb ", name, DidYouMean(name, known), "; see sigctl --help"));
}

ExitCode RunVerb(const Verb& verb, const std::vector<std::string>& arguments,
                 const std::vector<Option>& global_options, const Console& console,
                 Context* context) {
  std::vector<Option> options = verb.options;
  options.insert(options.end(), global_options.begin(), global_options.end());
  if (AsksForHelp(arguments, options)) {
    context->out() << VerbHelp(verb, global_options, kHelpColumns);
    return ExitCode::kOk;
  }
  const absl::Status parsed = ParseArguments(arguments, options, console.environment);
  if (!parsed.ok()) {
    return context->UsageError(
        absl::StrCat(verb.name, ": ", parsed.message(), "; see sigctl ", verb.name, " --help"));
  }
  try {
    return verb.run(*context);
  } catch (const std::bad_alloc&) {
    return context->UsageError("out of memory; split the input into smaller files");
  } catch (const std::exception&) {
    return context->UsageError("internal error; please report the command that caused it");
  }
}

}  // namespace

int RunSigctl(const std::vector<std::string>& arguments, const Console& console) {
  Context context(console);
  const std::vector<Option> global_options = GlobalTable(&context.options);
  const std::vector<Verb> verbs = AllVerbs();
  ProgramFlags flags;
  const std::vector<Option> program_options = WithProgramFlags(global_options, &flags);
  const SplitArguments split = SplitAtVerb(arguments, program_options);
  const absl::Status parsed = ParseArguments(split.before, program_options, {});
  const auto exit_with = [](ExitCode code) { return static_cast<int>(code); };
  if (!parsed.ok()) {
    return exit_with(context.UsageError(absl::StrCat(parsed.message(), "; see sigctl --help")));
  }
  if (flags.version) {
    context.out() << "sigctl " SIGSERVE_VERSION "\n";
    return exit_with(ExitCode::kOk);
  }
  if (flags.help) {
    context.out() << ProgramHelp(verbs, global_options, kHelpColumns);
    return exit_with(ExitCode::kOk);
  }
  if (split.verb.empty()) {
    return exit_with(
        context.UsageError("a verb is missing, for example predict; see sigctl --help"));
  }
  const auto verb =
      std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == split.verb; });
  if (verb == verbs.end()) {
    return exit_with(context.UsageError(UnknownVerb(split.verb, verbs).message()));
  }
  // Options in front of the verb are parsed again behind it, so that one list decides what is
  // given twice, and what the environment sets.
  std::vector<std::string> all = split.before;
  all.insert(all.end(), split.after.begin(), split.after.end());
  return exit_with(RunVerb(*verb, all, global_options, console, &context));
}

}  // namespace sigserve::cli
