// sigserve: flags, signals and the exit code. Everything else is server/server.h.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "model/base/file.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "server/config/command_line.h"
#include "server/config/server_options.h"
#include "server/server.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

absl::StatusOr<ServerOptions> ReadOptions(const CommandLine& command_line, FileSystem* files) {
  ServerOptions options;
  const std::string& path = command_line.config_file();
  if (!path.empty()) {
    absl::StatusOr<std::string> text = files->ReadFile(path, kMaxConfigBytes);
    if (!text.ok()) return Annotate(text.status(), "--config");
    SIGSERVE_ASSIGN_OR_RETURN(options, ParseServerConfig(*text, path));
  }
  command_line.ApplyTo(&options);
  SIGSERVE_RETURN_IF_ERROR(Validate(options));
  return options;
}

/// SIGTERM, SIGINT and SIGHUP, blocked from before the first thread so that only Wait() takes them.
/// While the first two are unblocked (loading, draining), they end the process at once; by a
/// handler, because the kernel ignores default actions for a container's first process.
class Signals {
 public:
  Signals() {
    struct sigaction end = {};
    end.sa_handler = [](int signal) { _exit(128 + signal); };
    sigemptyset(&stop_);
    for (const int signal : {SIGTERM, SIGINT}) {
      sigaction(signal, &end, nullptr);
      sigaddset(&stop_, signal);
    }
    all_ = stop_;
    sigaddset(&all_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &all_, nullptr);
  }
  void BlockStop() { pthread_sigmask(SIG_BLOCK, &stop_, nullptr); }
  void UnblockStop() { pthread_sigmask(SIG_UNBLOCK, &stop_, nullptr); }
  int Wait() {
    int signal = 0;
    sigwait(&all_, &signal);
    return signal;
  }

 private:
  sigset_t stop_;
  sigset_t all_;
};

void Announce(const Server& server, const ServerOptions& options) {
  const std::string http = server.http_address();
  std::printf("sigserve %s: gRPC on %s, %s, repository %s (%s%s)\n",
              std::string(ServerVersion()).c_str(), server.grpc_address().c_str(),
              http.empty() ? "no HTTP" : ("HTTP on " + http).c_str(), options.repository.c_str(),
              server.ModelSummary().c_str(), options.listen.tls.enabled() ? "; gRPC with TLS" : "");
  std::fflush(stdout);
}

absl::Status Serve(const ServerOptions& options, FileSystem* files, Signals* signals) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Create(options, files));
  signals->UnblockStop();
  SIGSERVE_RETURN_IF_ERROR(server->LoadModels());
  signals->BlockStop();  // before the server's threads start: they inherit it
  SIGSERVE_RETURN_IF_ERROR(server->Start());
  Announce(*server, options);
  int signal = 0;
  while ((signal = signals->Wait()) == SIGHUP) server->Reload();
  signals->UnblockStop();
  SIGSERVE_LOG(kInfo, strsignal(signal), ": finishing calls for at most ",
               absl::FormatDuration(options.listen.drain));
  server->Stop(options.listen.drain);
  SIGSERVE_LOG(kInfo, "stopped");
  return absl::OkStatus();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "sigserve: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> command_line = CommandLine::Parse({argv + 1, argv + argc});
  if (!command_line.ok()) return Fail(command_line.status());
  const std::string version(ServerVersion());
  if (command_line->action() == CommandLine::Action::kHelp) {
    std::fputs(HelpText(version).c_str(), stdout);
    return EXIT_SUCCESS;
  }
  if (command_line->action() == CommandLine::Action::kVersion) {
    std::printf("sigserve %s\n", version.c_str());
    return EXIT_SUCCESS;
  }
  PosixFileSystem files;
  const absl::StatusOr<ServerOptions> options = ReadOptions(*command_line, &files);
  if (!options.ok()) return Fail(options.status());
  Signals signals;
  PrepareProcess();
  const absl::Status status = Serve(*options, &files, &signals);
  return status.ok() ? EXIT_SUCCESS : Fail(status);
}

}  // namespace
}  // namespace sigserve

int main(int argc, char** argv) { return sigserve::Main(argc, argv); }
