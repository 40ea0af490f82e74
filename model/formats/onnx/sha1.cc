#include "model/formats/onnx/sha1.h"

#include <bit>

#include "absl/strings/escaping.h"

namespace sigserve {
namespace {

constexpr size_t kBlock = 64;

}  // namespace

void Sha1::Compress(const unsigned char* block) {
  std::array<uint32_t, 80> w;
  for (size_t i = 0; i < 16; ++i) {
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | uint32_t{block[4 * i + 3]};
  }
  for (size_t i = 16; i < 80; ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  auto [a, b, c, d, e] = state_;
  for (size_t i = 0; i < 80; ++i) {
    uint32_t f = 0;
    uint32_t k = 0;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999;
    } else if (i < 40) {
      f = b ^ c ^ d;
      k = 0x6ED9EBA1;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDC;
    } else {
      f = b ^ c ^ d;
      k = 0xCA62C1D6;
    }
    const uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
}

void Sha1::Add(absl::string_view bytes) {
  bytes_ += bytes.size();
  if (!pending_.empty()) {
    const size_t taken = std::min(kBlock - pending_.size(), bytes.size());
    pending_.append(bytes.data(), taken);
    bytes.remove_prefix(taken);
    if (pending_.size() < kBlock) return;
    Compress(reinterpret_cast<const unsigned char*>(pending_.data()));
    pending_.clear();
  }
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    Compress(reinterpret_cast<const unsigned char*>(bytes.data()));
  }
  pending_.assign(bytes.data(), bytes.size());
}

std::string Sha1::Hex() {
  const uint64_t bits = bytes_ * 8;
  std::string end(1, '\x80');
  while ((bytes_ + end.size()) % kBlock != kBlock - sizeof(bits)) end.push_back('\0');
  for (int shift = 56; shift >= 0; shift -= 8) end.push_back(static_cast<char>(bits >> shift));
  Add(end);
  std::string digest;
  for (const uint32_t word : state_) {
    for (int shift = 24; shift >= 0; shift -= 8) digest.push_back(static_cast<char>(word >> shift));
  }
  return absl::BytesToHexString(digest);
}

}  // namespace sigserve
