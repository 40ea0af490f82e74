#include "client/bench/h2_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "client/bench/dial.h"
#include "client/bench/h2_frames.h"
#include "client/status_macros.h"

namespace sigserve::bench {
namespace {

constexpr size_t kReadBytes = size_t{128} << 10;
constexpr size_t kMaxQueuedBytes = size_t{1} << 20;
constexpr size_t kMaxMessageBytes = size_t{64} << 20;
constexpr size_t kMaxHeaderBlock = size_t{64} << 10;
constexpr int64_t kWindowStep = int64_t{1} << 30;
constexpr uint32_t kLastStream = 0x7ffffff1;
constexpr size_t kMessageHead = 5;  // compressed flag, length
constexpr uint32_t kCancel = 8;
constexpr int kInternal = 13;
constexpr int kUnavailable = 14;

absl::Status Broken(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("the server broke HTTP/2: ", what));
}

void PutMessageHead(size_t bytes, std::string* out) {
  out->push_back('\0');  // not compressed
  PutU32(static_cast<uint32_t>(bytes), out);
}

class Connection final : public H2Connection {
 public:
  Connection(int fd, const std::string& authority, AnswerHandler* handler)
      : fd_(fd), handler_(handler), headers_(authority), in_(kReadBytes + kMaxFramePayload) {
    PutClientPreface(&out_);
  }
  ~Connection() override { close(fd_); }

  int AddMethod(const Method& method) override { return headers_.Add(method); }
  bool CanSend() const override { return waiting_.empty() && out_.size() < kMaxQueuedBytes; }
  bool CanStart() const override {
    return CanSend() && !going_away_ && calls_.size() < max_calls_ && next_stream_ <= kLastStream;
  }
  size_t open_calls() const override { return calls_.size(); }
  bool wants_write() const override { return written_ < out_.size(); }
  int fd() const override { return fd_; }

  uint32_t Start(int method, absl::string_view message, bool last, uint64_t tag) override {
    const uint32_t stream = next_stream_;
    next_stream_ += 2;
    const std::string& block = headers_.Encode(method);
    PutFrameHead({.length = block.size(), .type = kHeaders, .flags = kEndHeaders, .stream = stream},
                 &out_);
    out_ += block;
    Call& call = calls_[stream];
    call.tag = tag;
    call.window = peer_stream_window_;
    SendOn(stream, &call, message, last);
    return stream;
  }

  void Send(uint32_t stream, absl::string_view message, bool last) override {
    const auto found = calls_.find(stream);
    if (found != calls_.end()) SendOn(stream, &found->second, message, last);
  }

  absl::Status Pump() override {
    CLIENT_RETURN_IF_ERROR(Write());
    CLIENT_RETURN_IF_ERROR(Read());
    CLIENT_RETURN_IF_ERROR(Write());
    if (calls_.empty() && (going_away_ || next_stream_ > kLastStream)) {
      return absl::UnavailableError("the server is going away");
    }
    return absl::OkStatus();
  }

 private:
  struct Call {
    uint64_t tag = 0;
    int64_t window = 0;
    int64_t received = 0;  // since the last WINDOW_UPDATE
    std::optional<int> code;
    bool sent_all = false;
    std::string partial;
  };
  struct Waiting {
    uint32_t stream;
    std::string body;
    size_t sent;
    bool last;
  };

  void SendOn(uint32_t stream, Call* call, absl::string_view message, bool last) {
    const size_t size = kMessageHead + message.size();
    const auto wanted = static_cast<int64_t>(size);
    if (waiting_.empty() && size <= kMaxFramePayload && wanted <= window_ &&
        wanted <= call->window) {
      PutFrameHead({.length = size,
                    .type = kData,
                    .flags = last ? kEndStream : uint8_t{0},
                    .stream = stream},
                   &out_);
      PutMessageHead(message.size(), &out_);
      out_.append(message.data(), message.size());
      window_ -= wanted;
      call->window -= wanted;
      call->sent_all = last;
      return;
    }
    std::string body;
    body.reserve(size);
    PutMessageHead(message.size(), &body);
    body.append(message.data(), message.size());
    waiting_.push_back({.stream = stream, .body = std::move(body), .sent = 0, .last = last});
    SendWaiting();
  }

  /// In order, so that one call's messages stay in order; what waits behind a full stream waits.
  void SendWaiting() {
    while (!waiting_.empty()) {
      Waiting& next = waiting_.front();
      const auto found = calls_.find(next.stream);
      if (found == calls_.end()) {
        waiting_.pop_front();
        continue;
      }
      Call& call = found->second;
      const auto left = static_cast<int64_t>(next.body.size() - next.sent);
      const int64_t n =
          std::min({window_, call.window, static_cast<int64_t>(kMaxFramePayload), left});
      if (n <= 0) return;
      const bool end = n == left && next.last;
      PutFrameHead({.length = static_cast<size_t>(n),
                    .type = kData,
                    .flags = end ? kEndStream : uint8_t{0},
                    .stream = next.stream},
                   &out_);
      out_.append(next.body, next.sent, static_cast<size_t>(n));
      next.sent += static_cast<size_t>(n);
      window_ -= n;
      call.window -= n;
      call.sent_all = end;
      if (n == left) waiting_.pop_front();
    }
  }

  absl::Status Write() {
    while (written_ < out_.size()) {
      const ssize_t n = send(fd_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return absl::OkStatus();
      if (n < 0) return absl::UnavailableError(absl::StrCat("writing: ", strerror(errno)));
      written_ += static_cast<size_t>(n);
    }
    out_.clear();
    written_ = 0;
    return absl::OkStatus();
  }

  absl::Status Read() {
    for (;;) {
      const size_t room = in_.size() - filled_;
      const ssize_t n = recv(fd_, in_.data() + filled_, room, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return absl::OkStatus();
      if (n < 0) return absl::UnavailableError(absl::StrCat("reading: ", strerror(errno)));
      if (n == 0) return absl::UnavailableError("the server closed the connection");
      filled_ += static_cast<size_t>(n);
      CLIENT_RETURN_IF_ERROR(TakeFrames());
      if (static_cast<size_t>(n) < room) return absl::OkStatus();
    }
  }

  absl::Status TakeFrames() {
    size_t at = 0;
    while (filled_ - at >= kFrameHeadBytes) {
      const FrameHead head = GetFrameHead(in_.data() + at);
      if (head.length > kMaxFramePayload) return Broken("a frame above 16 KiB");
      if (filled_ - at < kFrameHeadBytes + head.length) break;
      CLIENT_RETURN_IF_ERROR(OnFrame(head, {in_.data() + at + kFrameHeadBytes, head.length}));
      at += kFrameHeadBytes + head.length;
    }
    std::memmove(in_.data(), in_.data() + at, filled_ - at);
    filled_ -= at;
    return absl::OkStatus();
  }

  absl::Status OnFrame(const FrameHead& head, absl::string_view body) {
    if (block_stream_ != 0 && (head.type != kContinuation || head.stream != block_stream_)) {
      return Broken("headers were left unfinished");
    }
    switch (head.type) {
      case kData:
        return OnDataFrame(head, body);
      case kHeaders:
        if (!StripPadding(head, &body)) return Broken("more padding than frame");
        if ((head.flags & kPriority) != 0) {
          if (body.size() < 5) return Broken("a short HEADERS frame");
          body.remove_prefix(5);
        }
        if (head.stream == 0) return Broken("HEADERS on stream 0");
        block_.clear();
        block_stream_ = head.stream;
        block_ends_call_ = (head.flags & kEndStream) != 0;
        return OnBlockPart(head, body);
      case kContinuation:
        if (block_stream_ == 0) return Broken("CONTINUATION of nothing");
        return OnBlockPart(head, body);
      case kRstStream:
        if (body.size() != 4) return Broken("a RST_STREAM frame of a wrong size");
        End(head.stream);
        return absl::OkStatus();
      case kSettings:
        return OnSettings(head, body);
      case kPing:
        if (body.size() != 8) return Broken("a PING frame of a wrong size");
        if ((head.flags & kAck) == 0) {
          PutFrameHead({.length = 8, .type = kPing, .flags = kAck, .stream = 0}, &out_);
          out_.append(body.data(), body.size());
        }
        return absl::OkStatus();
      case kGoAway:
        return OnGoAway(body);
      case kWindowUpdate:
        return OnWindowUpdate(head, body);
      case kPushPromise:
        return Broken("PUSH_PROMISE");
      default:
        return absl::OkStatus();  // unknown frames are to be ignored
    }
  }

  absl::Status OnDataFrame(const FrameHead& head, absl::string_view body) {
    const auto size = static_cast<int64_t>(body.size());
    received_ += size;
    if (received_ >= kWindowStep) {
      PutWindowUpdate(0, static_cast<uint32_t>(received_), &out_);
      received_ = 0;
    }
    if (!StripPadding(head, &body)) return Broken("more padding than frame");
    const auto found = calls_.find(head.stream);
    if (found == calls_.end()) return absl::OkStatus();  // of a call that is over
    Call& call = found->second;
    call.received += size;
    if (call.received >= kWindowStep) {
      PutWindowUpdate(head.stream, static_cast<uint32_t>(call.received), &out_);
      call.received = 0;
    }
    CLIENT_RETURN_IF_ERROR(OnMessages(&call, body));
    if ((head.flags & kEndStream) != 0) End(head.stream);
    return absl::OkStatus();
  }

  absl::Status OnMessages(Call* call, absl::string_view bytes) {
    const bool joined = !call->partial.empty();
    if (joined) {
      call->partial.append(bytes.data(), bytes.size());
      bytes = call->partial;
    }
    size_t at = 0;
    while (bytes.size() - at >= kMessageHead) {
      const size_t size = GetU32(bytes.data() + at + 1);
      if (size > kMaxMessageBytes) return Broken("a message above 64 MiB");
      if (bytes[at] != '\0') return Broken("a compressed message, which we did not ask for");
      if (bytes.size() - at - kMessageHead < size) break;
      handler_->OnMessage(call->tag, bytes.substr(at + kMessageHead, size));
      at += kMessageHead + size;
    }
    if (joined) {
      call->partial.erase(0, at);
    } else {
      call->partial.assign(bytes.data() + at, bytes.size() - at);
    }
    return absl::OkStatus();
  }

  absl::Status OnBlockPart(const FrameHead& head, absl::string_view part) {
    if (block_.size() + part.size() > kMaxHeaderBlock) return Broken("headers above 64 KiB");
    block_.append(part.data(), part.size());
    if ((head.flags & kEndHeaders) == 0) return absl::OkStatus();
    const uint32_t stream = std::exchange(block_stream_, 0);
    CLIENT_ASSIGN_OR_RETURN(const std::optional<int> code, headers_.DecodeStatus(block_));
    const auto found = calls_.find(stream);
    if (found != calls_.end() && code) found->second.code = code;
    if (block_ends_call_) End(stream);
    return absl::OkStatus();
  }

  absl::Status OnSettings(const FrameHead& head, absl::string_view body) {
    constexpr size_t kSettingBytes = 6;
    constexpr uint32_t kHeaderTableSize = 1;
    constexpr uint32_t kMaxConcurrentStreams = 3;
    constexpr uint32_t kInitialWindowSize = 4;
    if ((head.flags & kAck) != 0) return absl::OkStatus();
    if (body.size() % kSettingBytes != 0) return Broken("a SETTINGS frame of a wrong size");
    for (; !body.empty(); body.remove_prefix(kSettingBytes)) {
      const uint32_t id = GetU32(body.data()) >> 16;
      const uint32_t value = GetU32(body.data() + 2);
      if (id == kHeaderTableSize) headers_.LimitTable(value);
      if (id == kMaxConcurrentStreams) max_calls_ = value;
      if (id == kInitialWindowSize) {
        if (value > kMaxWindow) return Broken("a window above 2^31 - 1");
        for (auto& [stream, call] : calls_) call.window += value - peer_stream_window_;
        peer_stream_window_ = value;
      }
    }
    PutFrameHead({.length = 0, .type = kSettings, .flags = kAck, .stream = 0}, &out_);
    SendWaiting();
    return absl::OkStatus();
  }

  absl::Status OnGoAway(absl::string_view body) {
    if (body.size() < 8) return Broken("a short GOAWAY frame");
    going_away_ = true;
    const uint32_t last_taken = GetU32(body.data()) & 0x7fffffff;
    std::vector<uint32_t> lost;
    for (auto& [stream, call] : calls_) {
      if (stream <= last_taken) continue;
      call.code = kUnavailable;
      call.sent_all = true;
      lost.push_back(stream);
    }
    for (const uint32_t stream : lost) End(stream);
    return absl::OkStatus();
  }

  absl::Status OnWindowUpdate(const FrameHead& head, absl::string_view body) {
    if (body.size() != 4) return Broken("a WINDOW_UPDATE frame of a wrong size");
    const int64_t more = GetU32(body.data()) & 0x7fffffff;
    int64_t* window = &window_;
    if (head.stream != 0) {
      const auto found = calls_.find(head.stream);
      if (found == calls_.end()) return absl::OkStatus();
      window = &found->second.window;
    }
    *window += more;
    if (*window > kMaxWindow) return Broken("a window above 2^31 - 1");
    SendWaiting();
    return absl::OkStatus();
  }

  void End(uint32_t stream) {
    const auto found = calls_.find(stream);
    if (found == calls_.end()) return;
    const uint64_t tag = found->second.tag;
    const int code = found->second.code.value_or(kInternal);
    if (!found->second.sent_all) PutRstStream(stream, kCancel, &out_);
    calls_.erase(found);
    handler_->OnEnd(tag, code);
  }

  const int fd_;
  AnswerHandler* const handler_;
  HeaderCodec headers_;
  absl::flat_hash_map<uint32_t, Call> calls_;
  uint32_t next_stream_ = 1;
  size_t max_calls_ = kMaxWindow;
  bool going_away_ = false;

  // Writing.
  std::string out_;
  size_t written_ = 0;
  std::deque<Waiting> waiting_;  // for a window
  int64_t window_ = 65535;
  int64_t peer_stream_window_ = 65535;

  // Reading.
  std::vector<char> in_;
  size_t filled_ = 0;
  int64_t received_ = 0;  // since the last WINDOW_UPDATE
  std::string block_;     // of headers, until it is whole
  uint32_t block_stream_ = 0;
  bool block_ends_call_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<H2Connection>> H2Connection::Connect(const std::string& address,
                                                                    AnswerHandler* handler) {
  CLIENT_ASSIGN_OR_RETURN(const int fd, Dial(address));
  return Adopt(fd, address, handler);
}

std::unique_ptr<H2Connection> H2Connection::Adopt(int fd, const std::string& authority,
                                                  AnswerHandler* handler) {
  return std::make_unique<Connection>(SetNonBlocking(fd), authority, handler);
}

}  // namespace sigserve::bench
