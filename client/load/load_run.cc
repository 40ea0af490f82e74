#include "client/load/load_run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <memory>
#include <utility>
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

// One workload's connections and tallies.
struct Source {
  Source(const Workload& messages, int64_t in_flight)
      : workload(messages), concurrency(in_flight) {}

  const Workload& workload;
  const int64_t concurrency;
  std::vector<std::unique_ptr<Lane>> lanes = {};
  size_t next_lane = 0;
  int64_t ok_in_window = 0;
  LoadResult result = {};
};

class Run {
 public:
  Run(const LoadOptions& options, const Workload& workload, const Beside& beside)
      : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    sources_.emplace_back(workload, options.concurrency);
    if (beside.workload != nullptr) sources_.emplace_back(*beside.workload, beside.concurrency);
  }
  ~Run() { close(epoll_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  absl::StatusOr<LoadResult> Execute() {
    for (Source& source : sources_) CLIENT_RETURN_IF_ERROR(Connect(&source));
    begin_ = NowNs() + ToNs(options_.warmup_s);
    end_ = begin_ + ToNs(options_.duration_s);
    CLIENT_RETURN_IF_ERROR(options_.rate > 0 ? OpenLoop() : ClosedLoop());
    CLIENT_RETURN_IF_ERROR(Drain());
    for (Source& source : sources_) {
      source.result.ok_per_second = static_cast<double>(source.ok_in_window) / options_.duration_s;
      source.result.client_busy = static_cast<double>(busy_ns_) / static_cast<double>(worked_ns_);
    }
    LoadResult& measured = sources_.front().result;
    measured.offered_per_second = options_.rate;
    if (sources_.size() > 1) measured.beside.push_back(std::move(sources_.back().result));
    return std::move(measured);
  }

 private:
  absl::Status Connect(Source* source) {
    const int64_t most = options_.rate > 0 && source == &sources_.front() ? options_.connections
                                                                          : source->concurrency;
    const int64_t connections = std::min<int64_t>(options_.connections, most);
    for (int64_t i = 0; i < connections; ++i) {
      CLIENT_ASSIGN_OR_RETURN(
          auto lane,
          Lane::Open(options_.address, source->workload, options_.deadline_ms,
                     [this, source](int64_t due, int code) { Tally(source, due, code); }));
      source->lanes.push_back(std::move(lane));
      lanes_.push_back({source, source->lanes.back().get()});
      Watch(lanes_.size() - 1);
    }
    return absl::OkStatus();
  }

  void Watch(size_t index) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, lanes_[index].lane->fd(), &event);
  }

  void Tally(Source* source, int64_t due, int code) {
    const int64_t now = NowNs();
    moved_ = true;
    LoadResult& result = source->result;
    if (code == 0 && now >= begin_ && now < end_) ++source->ok_in_window;
    ++(code == kUnanswered ? result.unanswered : result.answers_in_all);
    if (due < begin_ || due >= end_) return;
    result.latency.Record(now - due);
    if (code != kUnanswered) ++result.codes[code];
  }

  absl::Status ClosedLoop() {
    for (int64_t now = NowNs(); now < end_;) {
      for (Source& source : sources_) FillUp(&source);
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    return absl::OkStatus();
  }

  void FillUp(Source* source) {
    const auto lanes = static_cast<int64_t>(source->lanes.size());
    for (int64_t i = 0; i < lanes; ++i) {
      Lane& lane = *source->lanes[i];
      const int64_t share = source->concurrency / lanes + (i < source->concurrency % lanes);
      while (lane.in_flight() < share && lane.CanSend()) Send(&lane, NowNs());
    }
  }

  absl::Status OpenLoop() {
    int64_t now = NowNs();
    Arrivals arrivals(options_.rate, now, options_.seed);
    Source& measured = sources_.front();
    while (now < end_) {
      while (arrivals.due_ns() <= now) {
        Lane* const lane = NextLane(&measured);
        if (lane == nullptr) break;
        Send(lane, arrivals.due_ns());
        arrivals.Advance();
      }
      if (sources_.size() > 1) FillUp(&sources_.back());
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (; arrivals.due_ns() < end_; arrivals.Advance()) {
      if (arrivals.due_ns() < begin_) continue;
      ++measured.result.unsent;
      measured.result.latency.Record(end_ - arrivals.due_ns());
    }
    return absl::OkStatus();
  }

  /// In turn, those that take no more left out; null if none does.
  static Lane* NextLane(Source* source) {
    for (size_t tried = 0; tried < source->lanes.size(); ++tried) {
      source->next_lane = (source->next_lane + 1) % source->lanes.size();
      Lane* const lane = source->lanes[source->next_lane].get();
      if (lane->CanSend()) return lane;
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
                         [](const Watched& watched) { return watched.lane->in_flight() > 0; });
    };
    for (int64_t now = NowNs(); in_flight() && now < end_ + kDrain;) {
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (const Watched& watched : lanes_) watched.lane->Abandon(kUnanswered);
    return absl::OkStatus();
  }

  /// Writes what was queued, reads what has come; `now` moves on.
  absl::Status Turn(int64_t* now) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i].lane->wants_write()) CLIENT_RETURN_IF_ERROR(Pump(i));
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
    const auto [source, lane] = lanes_[index];
    const int64_t reconnects = lane->reconnects();
    CLIENT_RETURN_IF_ERROR(lane->Pump());
    if (lane->reconnects() == reconnects) return absl::OkStatus();
    Watch(index);  // the old one left with its closing
    LoadResult& result = source->result;
    if (++result.reconnects > static_cast<int64_t>(source->lanes.size()) &&
        result.reconnects * kAnswersPerReconnect > result.answers_in_all) {
      return absl::UnavailableError("the server keeps closing its connections");
    }
    return absl::OkStatus();
  }

  struct Watched {
    Source* source;
    Lane* lane;
  };

  const LoadOptions& options_;
  const int epoll_;
  std::deque<Source> sources_;  // what is measured, then what is beside it; never move
  std::vector<Watched> lanes_;  // of all
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t busy_ns_ = 0;
  int64_t worked_ns_ = 1;
  bool moved_ = false;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, const Workload& workload,
                                   const Beside& beside) {
  return Run(options, workload, beside).Execute();
}

}  // namespace sigserve::load
