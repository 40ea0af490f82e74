// What every verb of sigctl is given: the global options, the terminal, and the way to end. Exit
// codes are part of sigctl's contract (kExitCodesHelp shows them to users).
#pragma once

#include <functional>
#include <istream>
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

struct GlobalOptions {
  std::string address = "127.0.0.1:8001";
  double timeout_seconds = 10;
  OutputFormat output = OutputFormat::kTable;
  std::optional<bool> tls_flag;
  client::TlsOptions tls;
  /// What --tls or --no-tls says; without them, whether any option of TLS is given.
  bool use_tls() const {
    if (tls_flag.has_value()) return *tls_flag;
    return !tls.ca_file.empty() || !tls.certificate_file.empty() || !tls.key_file.empty() ||
           !tls.server_name.empty();
  }
};

/// Streams outlive the run. Results go to `out`, everything else to `err`.
struct Console {
  std::istream* in;
  std::ostream* out;
  std::ostream* err;
  bool err_is_terminal = false;
};

class Context {
 public:
  explicit Context(const Console& console) : console_(console) {}

  GlobalOptions options;
  /// Set by the chosen verb's callback; run once all options are known.
  std::function<ExitCode(Context&)> run;

  std::istream& in() const { return *console_.in; }
  std::ostream& out() const { return *console_.out; }
  std::ostream& err() const { return *console_.err; }
  bool err_is_terminal() const { return console_.err_is_terminal; }

  /// A client for `options.address`. Null for an empty address and for files of TLS that cannot be
  /// read, which is reported then.
  std::unique_ptr<client::Client> Connect();

  /// One line on `err`: what, where, what to do. Returns the exit code that belongs to it.
  ExitCode ServerError(const absl::Status& status);
  ExitCode UsageError(absl::string_view message);

 private:
  Console console_;
};

}  // namespace sigserve::cli
