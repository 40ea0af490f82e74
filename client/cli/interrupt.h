// Ctrl-C as a stop token, for the time this object lives. Make it before any other thread is
// started (threads inherit the blocked signal), one at a time.
#pragma once

#include <stop_token>
#include <thread>

namespace sigserve::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Stop is requested by the first SIGINT; later ones are swallowed.
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::thread waiter_;
};

}  // namespace sigserve::cli
