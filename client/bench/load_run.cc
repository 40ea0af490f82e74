#include "client/bench/load_run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/bench/arrivals.h"
#include "client/bench/load_connection.h"
#include "client/status_macros.h"

namespace sigserve::bench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMillisecond = kSecond / 1000;
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
  std::vector<std::unique_ptr<LoadConnection>> connections = {};
  size_t next_connection = 0;
  int64_t ok_in_window = 0;
  LoadResult result = {};
};

class Run {
 public:
  Run(const LoadOptions& options, const Workload& workload, const BackgroundLoad& background)
      : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    sources_.emplace_back(workload, options.concurrency);
    if (background.workload != nullptr)
      sources_.emplace_back(*background.workload, background.concurrency);
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
    if (sources_.size() > 1) measured.background.push_back(std::move(sources_.back().result));
    return std::move(measured);
  }

 private:
  absl::Status Connect(Source* source) {
    const int64_t most = options_.rate > 0 && source == &sources_.front() ? options_.connections
                                                                          : source->concurrency;
    const int64_t connections = std::min<int64_t>(options_.connections, most);
    for (int64_t i = 0; i < connections; ++i) {
      CLIENT_ASSIGN_OR_RETURN(
          auto connection,
          LoadConnection::Open(
              options_.address, source->workload, options_.deadline_ms,
              [this, source](int64_t due, int code) { Tally(source, due, code); }));
      source->connections.push_back(std::move(connection));
      watched_.push_back({source, source->connections.back().get()});
      Watch(watched_.size() - 1);
    }
    return absl::OkStatus();
  }

  void Watch(size_t index) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, watched_[index].connection->fd(), &event);
  }

  void Tally(Source* source, int64_t due, int code) {
    const int64_t now = NowNs();
    moved_ = true;
    LoadResult& result = source->result;
    if (code == 0 && now >= begin_ && now < end_) ++source->ok_in_window;
    ++(code == kUnanswered ? result.unanswered : result.answers_in_all);
    if (due < begin_ || due >= end_) return;
    (code > 0 ? result.failure_latency : result.latency).Record(now - due);
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
    const auto connections = static_cast<int64_t>(source->connections.size());
    for (int64_t i = 0; i < connections; ++i) {
      LoadConnection& connection = *source->connections[i];
      const int64_t share =
          source->concurrency / connections + (i < source->concurrency % connections);
      while (connection.in_flight() < share && connection.CanSend()) Send(&connection, NowNs());
    }
  }

  absl::Status OpenLoop() {
    int64_t now = NowNs();
    Arrivals arrivals(options_.rate, now, options_.seed);
    Source& measured = sources_.front();
    const int64_t patience = options_.deadline_ms > 0 ? options_.deadline_ms * kMillisecond
                                                      : std::numeric_limits<int64_t>::max();
    while (now < end_) {
      for (; arrivals.due_ns() <= now; arrivals.Advance()) {
        if (now - arrivals.due_ns() >= patience) {
          if (arrivals.due_ns() >= begin_) ++measured.result.expired;
          continue;
        }
        LoadConnection* const connection = NextConnection(&measured);
        if (connection == nullptr) break;
        Send(connection, arrivals.due_ns());
      }
      if (sources_.size() > 1) FillUp(&sources_.back());
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (; arrivals.due_ns() < end_; arrivals.Advance()) {
      if (arrivals.due_ns() < begin_) continue;
      if (end_ - arrivals.due_ns() >= patience) {
        ++measured.result.expired;
        continue;
      }
      ++measured.result.unsent;
      measured.result.latency.Record(end_ - arrivals.due_ns());
    }
    return absl::OkStatus();
  }

  /// Round robin over the connections that can send; null if none can.
  static LoadConnection* NextConnection(Source* source) {
    for (size_t tried = 0; tried < source->connections.size(); ++tried) {
      source->next_connection = (source->next_connection + 1) % source->connections.size();
      LoadConnection* const connection = source->connections[source->next_connection].get();
      if (connection->CanSend()) return connection;
    }
    return nullptr;
  }

  void Send(LoadConnection* connection, int64_t due) {
    connection->Send(due);
    moved_ = true;
  }

  absl::Status Drain() {
    const auto in_flight = [this] {
      return std::any_of(watched_.begin(), watched_.end(), [](const Watched& watched) {
        return watched.connection->in_flight() > 0;
      });
    };
    for (int64_t now = NowNs(); in_flight() && now < end_ + kDrain;) {
      CLIENT_RETURN_IF_ERROR(Turn(&now));
    }
    for (const Watched& watched : watched_) watched.connection->Abandon(kUnanswered);
    return absl::OkStatus();
  }

  /// Writes queued bytes, reads what has arrived, and advances `now`.
  absl::Status Turn(int64_t* now) {
    for (size_t i = 0; i < watched_.size(); ++i) {
      if (watched_[i].connection->wants_write()) CLIENT_RETURN_IF_ERROR(Pump(i));
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
    const auto [source, connection] = watched_[index];
    const int64_t reconnects = connection->reconnects();
    CLIENT_RETURN_IF_ERROR(connection->Pump());
    if (connection->reconnects() == reconnects) return absl::OkStatus();
    Watch(index);  // closing the old socket removed it from the epoll set
    LoadResult& result = source->result;
    if (++result.reconnects > static_cast<int64_t>(source->connections.size()) &&
        result.reconnects * kAnswersPerReconnect > result.answers_in_all) {
      return absl::UnavailableError("the server keeps closing its connections");
    }
    return absl::OkStatus();
  }

  struct Watched {
    Source* source;
    LoadConnection* connection;
  };

  const LoadOptions& options_;
  const int epoll_;
  std::deque<Source> sources_;    // the measured load, then the background; never move
  std::vector<Watched> watched_;  // of all
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t busy_ns_ = 0;
  int64_t worked_ns_ = 1;
  bool moved_ = false;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, const Workload& workload,
                                   const BackgroundLoad& background) {
  return Run(options, workload, background).Execute();
}

}  // namespace sigserve::bench
