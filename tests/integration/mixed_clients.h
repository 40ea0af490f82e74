// Clients that send requests of call_mix.h to a real server, each on a thread and a connection of
// its own, and keep count of how they ended.
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
constexpr absl::Duration kPatience = absl::Seconds(60);

/// Its share of the calls goes by their numbers.
class Client {
 public:
  Client(std::string address, uint32_t first, uint32_t count)
      : address_(std::move(address)), next_(first), end_(first + count), random_(first) {}
  virtual ~Client() = default;
  virtual void Run() = 0;

  Tallies tallies;

 protected:
  bool more() const { return next_ < end_; }
  Ask NextAsk(Method method, bool wild) { return Ask::Random(next_++, method, wild, random_); }
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int percent) { return Below(100) < percent; }
  const std::string& address() const { return address_; }

 private:
  const std::string address_;
  uint32_t next_;
  const uint32_t end_;
  std::mt19937 random_;
};

/// Keeps some unary calls in flight. Wild ones are cancelled when some others have ended, or have
/// little time, or none.
std::unique_ptr<Client> UnaryClient(const std::string& address, uint32_t first, uint32_t count);
/// One stream after the other. Wild ones are cancelled after some answers, or have little time.
std::unique_ptr<Client> StreamClient(const std::string& address, uint32_t first, uint32_t count,
                                     Method method);
/// Connections that are closed with calls in the middle: unary ones, and a stream. All wild.
std::unique_ptr<Client> LostClient(const std::string& address, uint32_t first, uint32_t count);

}  // namespace sigserve::testing_support
