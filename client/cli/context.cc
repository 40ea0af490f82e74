#include "client/cli/context.h"

#include "absl/strings/str_cat.h"

namespace sigserve::cli {

const char kExitCodesHelp[] =
    "Exit codes: 0 done; 1 an error from the server, or not serving; 2 bad usage or input file;\n"
    "3 the server cannot be reached.";

std::unique_ptr<client::Client> Context::Connect() {
  client::ClientOptions to = {.deadline = absl::Seconds(options.timeout_seconds)};
  if (options.use_tls()) to.tls = options.tls;
  auto client = client::Client::Create(options.address, to);
  if (client.ok()) return *std::move(client);
  UsageError(client.status().message());
  return nullptr;
}

ExitCode Context::ServerError(const absl::Status& status) {
  if (client::IsUnreachable(status)) {
    err() << "sigctl: " << status.message() << "; is sigserve running there? (--address)\n";
    return ExitCode::kUnreachable;
  }
  err() << "sigctl: " << absl::StatusCodeToString(status.code()) << ": " << status.message();
  if (absl::IsDeadlineExceeded(status)) {
    err() << " (waited " << options.timeout_seconds << " s; --timeout gives it longer)";
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
