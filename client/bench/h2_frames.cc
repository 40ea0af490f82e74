#include "client/bench/h2_frames.h"

namespace sigserve::bench {
namespace {

constexpr uint16_t kEnablePush = 2;
constexpr uint16_t kInitialWindowSize = 4;
constexpr size_t kSettingBytes = 6;
constexpr uint32_t kDefaultWindow = 65535;

void PutSetting(uint16_t id, uint32_t value, std::string* out) {
  out->push_back(static_cast<char>(id >> 8));
  out->push_back(static_cast<char>(id));
  PutU32(value, out);
}

}  // namespace

void PutU32(uint32_t value, std::string* out) {
  const char bytes[4] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                         static_cast<char>(value >> 8), static_cast<char>(value)};
  out->append(bytes, sizeof(bytes));
}

uint32_t GetU32(const char* bytes) {
  const auto byte = [bytes](int i) { return uint32_t{static_cast<uint8_t>(bytes[i])}; };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}

void PutFrameHead(const FrameHead& head, std::string* out) {
  const char bytes[5] = {static_cast<char>(head.length >> 16), static_cast<char>(head.length >> 8),
                         static_cast<char>(head.length), static_cast<char>(head.type),
                         static_cast<char>(head.flags)};
  out->append(bytes, sizeof(bytes));
  PutU32(head.stream, out);
}

FrameHead GetFrameHead(const char* bytes) {
  const auto byte = [bytes](int i) { return static_cast<uint8_t>(bytes[i]); };
  return {.length = size_t{byte(0)} << 16 | size_t{byte(1)} << 8 | byte(2),
          .type = byte(3),
          .flags = byte(4),
          .stream = GetU32(bytes + 5) & 0x7fffffff};
}

bool StripPadding(const FrameHead& head, absl::string_view* payload) {
  if ((head.flags & kPadded) == 0) return true;
  const size_t padding = payload->empty() ? 0 : static_cast<uint8_t>((*payload)[0]);
  if (padding + 1 > payload->size()) return false;
  *payload = payload->substr(1, payload->size() - 1 - padding);
  return true;
}

void PutWindowUpdate(uint32_t stream, uint32_t bytes, std::string* out) {
  PutFrameHead({.length = 4, .type = kWindowUpdate, .flags = 0, .stream = stream}, out);
  PutU32(bytes, out);
}

void PutRstStream(uint32_t stream, uint32_t error, std::string* out) {
  PutFrameHead({.length = 4, .type = kRstStream, .flags = 0, .stream = stream}, out);
  PutU32(error, out);
}

void PutClientPreface(std::string* out) {
  out->append("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  PutFrameHead({.length = 2 * kSettingBytes, .type = kSettings, .flags = 0, .stream = 0}, out);
  PutSetting(kEnablePush, 0, out);
  PutSetting(kInitialWindowSize, kMaxWindow, out);
  PutWindowUpdate(0, kMaxWindow - kDefaultWindow, out);
}

}  // namespace sigserve::bench
