#include "client/cli/context.h"

#include "absl/strings/str_cat.h"

namespace sigserve::cli {

const char kExitCodesHelp[] =
    "Exit codes: 0 success; 1 an error from the server, or not serving; 2 wrong usage\n"
    "or input file; 3 the server cannot be reached.";

std::unique_ptr<client::Client> Context::Connect() {
  client::ClientOptions to = {.deadline = absl::Seconds(options.timeout_seconds)};
  if (options.use_tls()) to.tls = options.tls;
  auto client = client::Client::Create(options.address, to);
  if (client.ok()) return *std::move(client);
  UsageError(client.status().message());
  return nullptr;
}

namespace {

/// What to try, for an error of the connection.
const char* Advice(client::ConnectFault fault) {
  switch (fault) {
    case client::ConnectFault::kServerUsesTls:
      return "add --ca-file FILE with its authority's certificate, or --tls to trust the "
             "system's authorities";
    case client::ConnectFault::kServerUsesPlainText:
      return "add --no-tls, or omit the TLS options";
    case client::ConnectFault::kServerNotTrusted:
      return "check --ca-file and --server-name";
    case client::ConnectFault::kServerWantsCertificate:
      return "add --certificate-file FILE and --key-file FILE";
    default:
      return "is sigserve running there? (--address)";
  }
}

}  // namespace

ExitCode Context::ServerError(const absl::Status& status) {
  if (client::IsUnreachable(status)) {
    err() << "sigctl: " << status.message() << "; " << Advice(client::ConnectFaultOf(status))
          << "\n";
    return ExitCode::kUnreachable;
  }
  err() << "sigctl: " << absl::StatusCodeToString(status.code()) << ": " << status.message();
  if (absl::IsDeadlineExceeded(status)) {
    err() << " (after " << options.timeout_seconds << " s; --timeout sets the limit)";
  } else if (absl::IsUnimplemented(status) && status.message().empty()) {
    err() << "this server does not offer it; is " << options.address << " a sigserve?";
  }
  err() << "\n";
  return ExitCode::kServerError;
}

ExitCode Context::UsageError(absl::string_view message) {
  err() << "sigctl: " << message << "\n";
  return ExitCode::kUsage;
}

}  // namespace sigserve::cli
