#include "client/load/load_run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "client/load/arrivals.h"
#include "client/load/lane.h"
#include "client/status_macros.h"

namespace sigserve::load {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDrain = 2 * kSecond;
constexpr int64_t kAnswersPerReconnect = 100;
constexpr int kUnanswered = -1;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

int64_t ToNs(double seconds) { return static_cast<int64_t>(seconds * kSecond); }

class Run {
 public:
  Run(const LoadOptions& options, const Workload& workload)
      : options_(options), workload_(workload), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Run() { close(epoll_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  absl::StatusOr<LoadResult> Execute() {
    for (int i = 0; i < options_.connections; ++i) {
      CLIENT_ASSIGN_OR_RETURN(auto lane,
                              Lane::Open(options_.address, workload_, options_.deadline_ms,
                                         [this](int64_t due, int code) { Tally(due, code); }));
      Watch(*lane);
      lanes_.push_back(std::move(lane));
    }
    begin_ = NowNs() + ToNs(options_.warmup_s);
    end_ = begin_ + ToNs(options_.duration_s);
    CLIENT_RETURN_IF_ERROR(options_.rate > 0 ? OpenLoop() : ClosedLoop());
    CLIENT_RETURN_IF_ERROR(Drain());
    result_.offered_per_second = options_.rate;
    result_.ok_per_second = static_cast<double>(ok_in_window_) / options_.duration_s;
    result_.client_busy = static_cast<double>(busy_ns_) / static_cast<double>(worked_ns_);
    return result_;
  }

 private:
  void Watch(const Lane& lane) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = lanes_.size();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, lane.fd(), &event);
  }

  void Tally(int64_t due, int code) {
    const int64_t now = NowNs();
    moved_ = true;
    if (code == 0 && now >= begin_ && now < end_) ++ok_in_window_;
    ++(code == kUnanswered ? result_.unanswered : result_.answers_in_all);
    if (due < begin_ || due >= end_) return;
    result_.latency.Record(now - due);
    if (code != kUnanswered) ++result_.codes[code];
  }

  absl::Status ClosedLoop() {
    const auto lanes = static_cast<int64_t>(lanes_.size());
    for (int64_t now = NowNs(); now < end_;) {
      for (int64_t i = 0; i < lanes; ++i) {
        Lane& lane = *lanes_[i];
        const int64_t share = options_.concurrency / lanes + (i < options_.concurrency % lanes);
        while (lane.in_flight() < share && lane.CanSend()) Send(&lane, NowNs());
      }
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    return absl::OkStatus();
  }

  absl::Status OpenLoop() {
    int64_t now = NowNs();
    Arrivals arrivals(options_.rate, now, options_.seed);
    while (now < end_) {
      while (arrivals.due_ns() <= now) {
        Lane* const lane = NextLane();
        if (lane == nullptr) break;
        Send(lane, arrivals.due_ns());
        arrivals.Advance();
      }
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (; arrivals.due_ns() < end_; arrivals.Advance()) {
      if (arrivals.due_ns() < begin_) continue;
      ++result_.unsent;
      result_.latency.Record(end_ - arrivals.due_ns());
    }
    return absl::OkStatus();
  }

  /// In turn, those that take no more left out; null if none does.
  Lane* NextLane() {
    for (size_t tried = 0; tried < lanes_.size(); ++tried) {
      next_lane_ = (next_lane_ + 1) % lanes_.size();
      if (lanes_[next_lane_]->CanSend()) return lanes_[next_lane_].get();
    }
    return nullptr;
  }

  void Send(Lane* lane, int64_t due) {
    lane->Send(due);
    moved_ = true;
  }

  absl::Status Drain() {
    const auto in_flight = [this] {
      return std::any_of(lanes_.begin(), lanes_.end(),
                         [](const auto& lane) { return lane->in_flight() > 0; });
    };
    for (int64_t now = NowNs(); in_flight() && now < end_ + kDrain;) {
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (auto& lane : lanes_) lane->Abandon(kUnanswered);
    return absl::OkStatus();
  }

  /// Writes what was queued, reads what has come; `now` moves on.
  absl::Status Turn(int64_t* now) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i]->wants_write()) CLIENT_RETURN_IF_ERROR(Pump(i));
    }
    epoll_event events[64];
    const int ready = epoll_wait(epoll_, events, 64, 0);
    for (int i = 0; i < ready; ++i) CLIENT_RETURN_IF_ERROR(Pump(events[i].data.u64));
    const int64_t before = *now;
    *now = NowNs();
    worked_ns_ += *now - before;
    if (moved_) busy_ns_ += *now - before;
    moved_ = false;
    return absl::OkStatus();
  }

  absl::Status Pump(size_t index) {
    Lane& lane = *lanes_[index];
    const int64_t reconnects = lane.reconnects();
    CLIENT_RETURN_IF_ERROR(lane.Pump());
    if (lane.reconnects() == reconnects) return absl::OkStatus();
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, lane.fd(), &event);  // the old one left with its closing
    if (++result_.reconnects > options_.connections &&
        result_.reconnects * kAnswersPerReconnect > result_.answers_in_all) {
      return absl::UnavailableError("the server keeps closing its connections");
    }
    return absl::OkStatus();
  }

  const LoadOptions& options_;
  const Workload& workload_;
  const int epoll_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  size_t next_lane_ = 0;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t ok_in_window_ = 0;
  int64_t busy_ns_ = 0;
  int64_t worked_ns_ = 1;
  bool moved_ = false;
  LoadResult result_;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, const Workload& workload) {
  return Run(options, workload).Execute();
}

}  // namespace sigserve::load
