// One connection of a load run and the calls on it: unary calls, or the messages of one stream.
// Reconnects when the server goes away. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/bench/h2_connection.h"
#include "client/bench/workload.h"

namespace sigserve::bench {

class LoadConnection final : public AnswerHandler {
 public:
  /// Called once for every call sent: when it was due, and its gRPC status code.
  using OnAnswer = std::function<void(int64_t due_ns, int code)>;

  /// `workload` outlives the connection.
  static absl::StatusOr<std::unique_ptr<LoadConnection>> Open(const std::string& address,
                                                              const Workload& workload,
                                                              int64_t deadline_ms,
                                                              OnAnswer on_answer);

  bool CanSend() const;
  /// Sends the workload's next message. Call only if CanSend.
  void Send(int64_t due_ns);
  /// Moves bytes. Replaces a lost connection (its open calls end as UNAVAILABLE); an error means
  /// that this failed.
  absl::Status Pump();

  int64_t in_flight() const { return in_flight_; }
  int64_t reconnects() const { return reconnects_; }
  int fd() const { return connection_->fd(); }
  bool wants_write() const { return connection_->wants_write(); }
  /// Ends every open call with `code`.
  void Abandon(int code);

  void OnMessage(uint64_t tag, absl::string_view message) override;
  void OnEnd(uint64_t tag, int code) override;

 private:
  LoadConnection(std::string address, const Workload& workload, int64_t deadline_ms,
                 OnAnswer on_answer);
  bool streams() const { return workload_.matching != Matching::kOneCallEach; }
  absl::Status Connect();
  uint32_t TakeSlot(int64_t due_ns);
  void Answer(uint32_t slot, int code);

  const std::string address_;
  const Workload& workload_;
  const int64_t deadline_ms_;
  const OnAnswer on_answer_;
  std::unique_ptr<H2Connection> connection_;
  int method_ = 0;
  uint32_t stream_ = 0;  // 0 = none open
  size_t next_message_ = 0;
  std::string message_;       // with its id
  std::vector<int64_t> due_;  // by slot; -1 = free
  std::vector<uint32_t> free_;
  std::deque<uint32_t> order_;  // for Matching::kInOrder
  int64_t in_flight_ = 0;
  int64_t reconnects_ = 0;
};

}  // namespace sigserve::bench
