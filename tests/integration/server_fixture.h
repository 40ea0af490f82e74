// The built sigserve as a child process on free ports of 127.0.0.1, over a repository in a
// temporary directory. Not thread-safe.
//
//   TempRepository repository;
//   repository.AddExample("breast_cancer");
//   auto server = ServerProcess::Start(repository.path());
//   ... server->grpc_address() ...
//   EXPECT_EQ(server->Stop(), 0);
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace sigserve::testing_support {

/// A temporary directory; the destructor removes it with its contents.
class TempRepository {
 public:
  TempRepository();
  ~TempRepository();
  TempRepository(const TempRepository&) = delete;
  TempRepository& operator=(const TempRepository&) = delete;

  const std::string& path() const { return path_; }

  /// Writes <model>/<version>/model.onnx; the version appears atomically.
  void AddModel(const std::string& model, int version, const std::string& bytes);
  void AddConfig(const std::string& model, const std::string& config_pbtxt);
  /// A copy of deploy/examples/repository/<model>.
  void AddExample(const std::string& model);
  /// The bytes of that example's version 1.
  static std::string ExampleBytes(const std::string& model);
  void Remove(const std::string& model);

 private:
  std::string path_;
};

struct HttpResponse {
  int code = 0;  // 0: no answer
  std::string head;
  std::string body;
};
HttpResponse HttpGet(const std::string& address, const std::string& path,
                     const std::string& method = "GET");

/// The result of a command that has ended.
struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};
/// Runs the built sigserve with these arguments until it ends.
CommandResult RunSigserve(const std::vector<std::string>& arguments);

/// Starts the built sigctl and drops its output. The caller ends it and waits for it.
pid_t StartSigctl(const std::vector<std::string>& arguments);

class ServerProcess {
 public:
  /// Waits until the server prints its addresses. Null, with a test failure that shows its standard
  /// error, if it ends instead.
  static std::unique_ptr<ServerProcess> Start(const std::string& repository,
                                              const std::vector<std::string>& arguments = {});
  /// Kills the process if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& grpc_address() const { return grpc_address_; }
  /// Empty if HTTP is off.
  const std::string& http_address() const { return http_address_; }
  /// The line it printed.
  const std::string& announcement() const { return announcement_; }
  pid_t pid() const { return pid_; }
  bool running();
  void Signal(int signal);
  /// Waits for its end. The exit code; 128 + N when signal N ended it.
  int Wait();
  /// SIGTERM, then Wait().
  int Stop();
  /// Peak resident memory so far, in bytes.
  int64_t peak_memory() const;
  /// Its standard error so far.
  std::string log() const;

 private:
  ServerProcess() = default;

  pid_t pid_ = -1;
  int exit_code_ = -1;
  int out_fd_ = -1;
  std::string log_path_;
  std::string grpc_address_;
  std::string http_address_;
  std::string announcement_;
};

}  // namespace sigserve::testing_support
