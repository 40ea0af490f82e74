// HTTP/2 frames (RFC 9113, sections 4 and 6) as bytes: what a client needs to write, and the head
// of what it reads. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sigserve::bench {

inline constexpr size_t kFrameHeadBytes = 9;
/// Both sides' limit unless settings raise it; ours never do.
inline constexpr size_t kMaxFramePayload = 16384;
inline constexpr int64_t kMaxWindow = 0x7fffffff;

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;
inline constexpr uint8_t kPriority = 0x20;

struct FrameHead {
  size_t length;
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
};

void PutU32(uint32_t value, std::string* out);
/// Reads 4 bytes, big endian.
uint32_t GetU32(const char* bytes);

void PutFrameHead(const FrameHead& head, std::string* out);
/// Reads kFrameHeadBytes.
FrameHead GetFrameHead(const char* bytes);

/// Takes a DATA or HEADERS frame's padding off its payload. False if there is more than payload.
bool StripPadding(const FrameHead& head, absl::string_view* payload);

/// WINDOW_UPDATE; stream 0 is the connection.
void PutWindowUpdate(uint32_t stream, uint32_t bytes, std::string* out);
void PutRstStream(uint32_t stream, uint32_t error, std::string* out);
/// A client's preface, its settings (no push, the largest stream windows) and the largest
/// connection window.
void PutClientPreface(std::string* out);

}  // namespace sigserve::bench
