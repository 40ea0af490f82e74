#include "server/config/command_line.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"
#include "server/config/closest.h"

namespace sigserve {
namespace {

using Setting = std::function<void(ServerOptions*)>;

struct Flag {
  const char* name;
  const char* value;  // its placeholder in --help; null: the flag takes no value
  const char* help;
  /// Checks a value; null for the flags that are no setting: config, help, version.
  absl::StatusOr<Setting> (*read)(const std::string& value);
};

absl::Status Bad(absl::string_view name, absl::string_view value, absl::string_view expected) {
  constexpr size_t kLongest = 40;
  return absl::InvalidArgumentError(absl::StrCat("--", name, " is '", value.substr(0, kLongest),
                                                 value.size() > kLongest ? "..." : "",
                                                 "'; expected ", expected));
}

absl::StatusOr<int64_t> Number(const char* name, const std::string& text, IntRange range) {
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && range.contains(value)) return value;
  return Bad(name, text, absl::StrCat("a whole number from ", range.low, " to ", range.high));
}

// The order is that of --help.
constexpr Flag kFlags[] = {
    {"repository", "DIR",
     "models: DIR/<model>/<version>/model.onnx (or model.textproto\n"
     "and its weights) and, optional, DIR/<model>/config.pbtxt",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->repository = value; };
     }},
    {"grpc_address", "HOST:PORT",
     "predictions, models, training, health, reflection\n"
     "(default 0.0.0.0:8001); [::]:PORT for IPv6 and IPv4;\n"
     "port 0 picks a free port and prints it; or unix:PATH",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->listen.grpc_address = value; };
     }},
    {"http_address", "HOST:PORT",
     "/metrics, /healthz, /readyz (default 0.0.0.0:8002);\n"
     "[::]:PORT for IPv6 and IPv4; 'none' switches HTTP off",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->listen.http_address = value; };
     }},
    {"config", "FILE",
     "the same settings and more as a textproto\n"
     "(proto/sigserve/v1/server_config.proto); flags win",
     nullptr},
    {"max_message_bytes", "N", "largest request and response (default 67108864)",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       SIGSERVE_ASSIGN_OR_RETURN(const int64_t n,
                                 Number("max_message_bytes", value, kMessageBytesRange));
       return [n](ServerOptions* o) { o->listen.max_message_bytes = n; };
     }},
    {"drain_seconds", "N",
     "time for calls in flight to finish after SIGTERM (default\n"
     "10); a second signal ends the server at once",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       SIGSERVE_ASSIGN_OR_RETURN(const int64_t n, Number("drain_seconds", value, kSecondsRange));
       return [n](ServerOptions* o) { o->listen.drain = absl::Seconds(n); };
     }},
    {"repository_poll_seconds", "N",
     "look for new versions every N seconds (default 0: only on\n"
     "request and on SIGHUP)",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       SIGSERVE_ASSIGN_OR_RETURN(const int64_t n,
                                 Number("repository_poll_seconds", value, kSecondsRange));
       return [n](ServerOptions* o) { o->repository_poll = absl::Seconds(n); };
     }},
    {"tls_certificate", "FILE", "TLS for gRPC: the server's certificate, PEM; with",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->listen.tls.certificate_file = value; };
     }},
    {"tls_key", "FILE", "its key, without a passphrase",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->listen.tls.key_file = value; };
     }},
    {"tls_client_ca", "FILE", "clients must show a certificate signed by one of these",
     [](const std::string& value) -> absl::StatusOr<Setting> {
       return [value](ServerOptions* o) { o->listen.tls.client_ca_file = value; };
     }},
    {"version", nullptr, "print the version", nullptr},
    {"help", nullptr, "print this text", nullptr},
};

const Flag* Find(absl::string_view name) {
  const std::string wanted = absl::StrReplaceAll(name, {{"-", "_"}});
  for (const Flag& flag : kFlags) {
    if (wanted == flag.name) return &flag;
  }
  return nullptr;
}

std::string Synopsis(const Flag& flag) {
  return flag.value == nullptr ? absl::StrCat("--", flag.name)
                               : absl::StrCat("--", flag.name, "=", flag.value);
}

absl::Status Unknown(absl::string_view name) {
  std::vector<std::string> names;
  for (const Flag& flag : kFlags) names.emplace_back(flag.name);
  const std::string closest = Closest(name, names);
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown flag '--", name, "'; ",
      closest.empty() ? "see sigserve --help" : absl::StrCat("did you mean --", closest, "?")));
}

}  // namespace

absl::StatusOr<CommandLine> CommandLine::Parse(const std::vector<std::string>& arguments) {
  CommandLine result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (argument == "-h") argument = "--help";
    if (!absl::ConsumePrefix(&argument, "-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected argument '", argument, "'; see sigserve --help"));
    }
    absl::ConsumePrefix(&argument, "-");
    const size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    const Flag* flag = Find(name);
    if (flag == nullptr) return Unknown(name);
    if (flag->value == nullptr) {
      if (equals != absl::string_view::npos) {
        return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
      }
      result.action_ = absl::string_view(flag->name) == "help" ? Action::kHelp : Action::kVersion;
      return result;
    }
    std::string value;
    if (equals != absl::string_view::npos) {
      value = std::string(argument.substr(equals + 1));
    } else if (i + 1 < arguments.size() && !absl::StartsWith(arguments[i + 1], "--")) {
      value = arguments[++i];
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag->name, " needs a value: ", Synopsis(*flag)));
    }
    if (flag->read == nullptr) {
      result.config_file_ = std::move(value);
      continue;
    }
    SIGSERVE_ASSIGN_OR_RETURN(Setting setting, flag->read(value));
    result.settings_.push_back(std::move(setting));
  }
  return result;
}

void CommandLine::ApplyTo(ServerOptions* options) const {
  for (const Setting& setting : settings_) setting(options);
}

std::string HelpText(absl::string_view version) {
  constexpr size_t kColumn = 32;
  std::string text = absl::StrCat("sigserve ", version,
                                  ": serves trained classifiers over gRPC.\n\n"
                                  "  sigserve --repository=DIR [--FLAG=VALUE]...\n\n");
  for (const Flag& flag : kFlags) {
    std::string left = absl::StrCat("  ", Synopsis(flag));
    for (const absl::string_view line : absl::StrSplit(flag.help, '\n')) {
      left.resize(kColumn, ' ');
      absl::StrAppend(&text, left, line, "\n");
      left.clear();
    }
  }
  absl::StrAppend(&text,
                  "\nWords of a flag are joined by '_' or '-'. Only --config sets server_name, "
                  "io_threads,\ncompute_threads, no_spin, connections and training.\n\n"
                  "Signals:\n"
                  "  SIGTERM, SIGINT               stop: finish calls in flight, then end\n"
                  "  SIGHUP                        read the repository and the TLS files again\n\n"
                  "Example:\n"
                  "  sigserve --repository=deploy/examples/repository\n");
  return text;
}

}  // namespace sigserve
