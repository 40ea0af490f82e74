#include "tests/integration/server_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace sigserve::testing_support {
namespace {

namespace fs = std::filesystem;

constexpr char kServer[] = SIGSERVE_BINARY_DIR "/bin/sigserve";
constexpr char kClient[] = SIGSERVE_BINARY_DIR "/bin/sigctl";
constexpr char kExamples[] = SIGSERVE_SOURCE_DIR "/deploy/examples/repository/";
// Reached only if the server hangs; sanitizer builds start slowly.
constexpr int kTimeoutMs = 60'000;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

std::string TempPath(const std::string& what) {
  const fs::path base = fs::temp_directory_path() / ("sigserve_" + what + "_XXXXXX");
  return base.string();
}

// Starts a binary with its standard output in a pipe and its standard error in a file.
pid_t Spawn(std::string binary, const std::vector<std::string>& arguments,
            const std::string& log_path, int* out_fd) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return -1;
  std::vector<char*> argv;
  argv.push_back(binary.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(pipe_fds[1], STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(binary.c_str(), argv.data());
    _exit(127);
  }
  close(pipe_fds[1]);
  *out_fd = pipe_fds[0];
  return pid;
}

// The first line, or all there was when the other end closed first.
std::string ReadLine(int fd) {
  std::string line;
  pollfd waiting{fd, POLLIN, 0};
  char c = 0;
  while (poll(&waiting, 1, kTimeoutMs) > 0 && read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TempRepository::TempRepository() {
  std::string path = TempPath("repository");
  if (mkdtemp(path.data()) == nullptr) ADD_FAILURE() << "cannot make " << path;
  path_ = path;
}

TempRepository::~TempRepository() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TempRepository::AddModel(const std::string& model, int version, const std::string& bytes) {
  const fs::path directory = fs::path(path_) / model / std::to_string(version);
  const fs::path aside = fs::path(path_) / model / (".adding_" + std::to_string(version));
  fs::create_directories(aside);
  std::ofstream(aside / "model.onnx", std::ios::binary) << bytes;
  fs::rename(aside, directory);
}

void TempRepository::AddConfig(const std::string& model, const std::string& config_pbtxt) {
  fs::create_directories(fs::path(path_) / model);
  std::ofstream(fs::path(path_) / model / "config.pbtxt") << config_pbtxt;
}

void TempRepository::AddExample(const std::string& model) {
  fs::copy(kExamples + model, fs::path(path_) / model, fs::copy_options::recursive);
}

std::string TempRepository::ExampleBytes(const std::string& model) {
  return ReadAll(kExamples + model + "/1/model.onnx");
}

void TempRepository::Remove(const std::string& model) { fs::remove_all(fs::path(path_) / model); }

HttpResponse HttpGet(const std::string& address, const std::string& path,
                     const std::string& method) {
  HttpResponse response;
  const size_t colon = address.rfind(':');
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &target.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string text;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0) {
    const std::string request =
        method + " " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n";
    if (write(fd, request.data(), request.size()) > 0) {
      char buffer[4096];
      ssize_t got = 0;
      while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<size_t>(got));
      }
    }
  }
  close(fd);
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos || text.size() < 12) return response;
  response.code = std::atoi(text.c_str() + 9);  // "HTTP/1.1 200 OK"
  response.head = text.substr(0, end);
  response.body = text.substr(end + 4);
  return response;
}

CommandResult RunSigserve(const std::vector<std::string>& arguments) {
  std::string log_path = TempPath("log");
  close(mkstemp(log_path.data()));
  CommandResult result;
  int out_fd = -1;
  const pid_t pid = Spawn(kServer, arguments, log_path, &out_fd);
  char buffer[4096];
  ssize_t got = 0;
  pollfd waiting{out_fd, POLLIN, 0};
  while (poll(&waiting, 1, kTimeoutMs) > 0 && (got = read(out_fd, buffer, sizeof buffer)) > 0) {
    result.out.append(buffer, static_cast<size_t>(got));
  }
  close(out_fd);
  int status = 0;
  waitpid(pid, &status, 0);
  result.exit_code = ExitCode(status);
  result.err = ReadAll(log_path);
  unlink(log_path.c_str());
  return result;
}

pid_t StartSigctl(const std::vector<std::string>& arguments) {
  int out_fd = -1;
  const pid_t pid = Spawn(kClient, arguments, "/dev/null", &out_fd);
  close(out_fd);
  return pid;
}

std::unique_ptr<ServerProcess> ServerProcess::Start(const std::string& repository,
                                                    const std::vector<std::string>& arguments) {
  std::unique_ptr<ServerProcess> server(new ServerProcess);
  server->log_path_ = TempPath("log");
  close(mkstemp(server->log_path_.data()));
  std::vector<std::string> all = {"--repository=" + repository, "--grpc_address=127.0.0.1:0",
                                  "--http_address=127.0.0.1:0"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  server->pid_ = Spawn(kServer, all, server->log_path_, &server->out_fd_);
  server->announcement_ = ReadLine(server->out_fd_);
  static const std::regex line(
      "sigserve [^ ]+: gRPC on ([^ ,]+), (?:no HTTP|HTTP on ([^ ,]+)), .*");
  std::smatch match;
  if (!std::regex_match(server->announcement_, match, line)) {
    ADD_FAILURE() << "sigserve did not start; it printed '" << server->announcement_
                  << "' and logged:\n"
                  << server->log();
    return nullptr;
  }
  server->grpc_address_ = match[1];
  server->http_address_ = match[2];
  return server;
}

ServerProcess::~ServerProcess() {
  if (running()) {
    Signal(SIGKILL);
    Wait();
  }
  if (out_fd_ >= 0) close(out_fd_);
  unlink(log_path_.c_str());
}

bool ServerProcess::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_code_ = ExitCode(status);
  pid_ = -1;
  return false;
}

void ServerProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int ServerProcess::Wait() {
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
    exit_code_ = ExitCode(status);
    pid_ = -1;
  }
  return exit_code_;
}

int ServerProcess::Stop() {
  Signal(SIGTERM);
  return Wait();
}

int64_t ServerProcess::peak_memory() const {
  std::istringstream status(ReadAll("/proc/" + std::to_string(pid_) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;  // kB
  }
  ADD_FAILURE() << "no VmHWM of process " << pid_;
  return 0;
}

std::string ServerProcess::log() const { return ReadAll(log_path_); }

}  // namespace sigserve::testing_support
