// What every verb of sigctl receives: the global options, the console, and how to report errors.
// Exit codes are part of sigctl's contract (kExitCodesHelp shows them to users).
#pragma once

#include <cstddef>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/client.h"

namespace sigserve::cli {

enum class ExitCode { kOk = 0, kServerError = 1, kUsage = 2, kUnreachable = 3 };
extern const char kExitCodesHelp[];

enum class OutputFormat { kTable, kJson, kCsv };

struct OutputStyle {
  OutputFormat format = OutputFormat::kTable;
  size_t columns = 0;  // width of the terminal, which tables are fitted to; 0 = no limit
};

struct GlobalOptions {
  std::string address = "127.0.0.1:8001";
  double timeout_seconds = 10;
  OutputFormat output = OutputFormat::kTable;
  std::optional<bool> tls_flag;  // --tls, --no-tls
  client::TlsOptions tls;
  /// `tls_flag`; if absent, whether any TLS option is given.
  bool use_tls() const {
    if (tls_flag.has_value()) return *tls_flag;
    return !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.key_file.empty() ||
           !tls.server_name.empty();
  }
};

/// What main hands over. Streams outlive the run. Results go to `out`, everything else to `err`.
struct Console {
  std::istream* in;
  std::ostream* out;
  std::ostream* err;
  bool err_is_terminal = false;
  size_t out_columns = 0;                               // 0 = `out` is not a terminal
  std::map<std::string, std::string> environment = {};  // at least kEnvironmentVariables
};

class Context {
 public:
  explicit Context(const Console& console) : console_(console) {}

  GlobalOptions options;

  std::istream& in() const { return *console_.in; }
  std::ostream& out() const { return *console_.out; }
  std::ostream& err() const { return *console_.err; }
  bool err_is_terminal() const { return console_.err_is_terminal; }
  OutputStyle style() const { return {.format = options.output, .columns = console_.out_columns}; }

  /// A client for `options.address`. Null, with the reason on `err`, for an empty address and for
  /// TLS files that cannot be read.
  std::unique_ptr<client::Client> Connect();

  /// One line on `err`: what failed and what to do. Returns the exit code that belongs to it.
  ExitCode ServerError(const absl::Status& status);
  ExitCode UsageError(absl::string_view message);

 private:
  Console console_;
};

}  // namespace sigserve::cli
