#include "client/cli/interrupt.h"

#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX, not <csignal>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

namespace sigserve::cli {
namespace {

sigset_t Sigint() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = Sigint();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  waiter_ = std::thread([this] {
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}};
    while (poll(fds, 2, -1) < 0 || (fds[0].revents == 0 && fds[1].revents == 0)) {
    }
    if (fds[0].revents != 0) stop_.request_stop();
  });
}

Interrupt::~Interrupt() {
  const uint64_t one = 1;
  // An eventfd takes its first write at once.
  if (write(end_fd_, &one, sizeof(one)) != sizeof(one)) stop_.request_stop();
  waiter_.join();
  // Swallow what has arrived, or unblocking would end the process.
  timespec none = {};
  const sigset_t set = Sigint();
  while (sigtimedwait(&set, nullptr, &none) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  close(signal_fd_);
  close(end_fd_);
}

}  // namespace sigserve::cli
