// Clients that send the requests of call_mix.h to a real server and count how they ended. Each has
// its own connection and runs on its own thread.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "tests/integration/call_mix.h"

namespace sigserve::testing_support {

/// Only a hang takes this long.
constexpr absl::Duration kTimeout = absl::Seconds(60);

/// Sends the requests with the numbers from `first` to first + count - 1.
class Client {
 public:
  Client(std::string address, uint32_t first, uint32_t count)
      : address_(std::move(address)), next_(first), end_(first + count), random_(first) {}
  virtual ~Client() = default;
  virtual void Run() = 0;

  Tallies tallies;

 protected:
  bool more() const { return next_ < end_; }
  NumberedRequest NextRequest(Method method, bool wild) {
    return NumberedRequest::Random(next_++, method, wild, random_);
  }
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }
  const std::string& address() const { return address_; }

 private:
  const std::string address_;
  uint32_t next_;
  const uint32_t end_;
  std::mt19937 random_;
};

/// Keeps 64 unary calls in flight. Wild ones are cancelled after some other calls have ended, or
/// have a deadline of at most a few milliseconds.
std::unique_ptr<Client> UnaryClient(const std::string& address, uint32_t first, uint32_t count);
/// Runs streams one after the other. Wild ones are cancelled after some answers, or have a short
/// deadline.
std::unique_ptr<Client> StreamClient(const std::string& address, uint32_t first, uint32_t count,
                                     Method method);
/// Closes connections while unary calls and a stream are open on them. All its calls are wild.
std::unique_ptr<Client> LostClient(const std::string& address, uint32_t first, uint32_t count);

}  // namespace sigserve::testing_support
