#include "model/train/random.h"

#include <bit>
#include <utility>

namespace sigserve {

// PCG-XSH-RR 64/32 (O'Neill 2014, pcg32_srandom_r and pcg32_random_r).
Random::Random(uint64_t seed, uint64_t stream) : increment_((stream << 1) | 1) {
  Next();
  state_ += seed;
  Next();
}

uint32_t Random::Next() {
  const uint64_t old = state_;
  state_ = old * 6364136223846793005u + increment_;
  const auto mixed = static_cast<uint32_t>(((old >> 18) ^ old) >> 27);
  return std::rotr(mixed, static_cast<int>(old >> 59));
}

// Lemire 2019: the high half of a product, redrawn where the low half shows a bias.
uint32_t Random::Below(uint32_t bound) {
  uint64_t product = uint64_t{Next()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t biased = (0 - bound) % bound;
    while (static_cast<uint32_t>(product) < biased) {
      product = uint64_t{Next()} * bound;
    }
  }
  return static_cast<uint32_t>(product >> 32);
}

float Random::Uniform(float low, float high) {
  const float unit = static_cast<float>(Next() >> 8) * 0x1p-24f;
  return low + (high - low) * unit;
}

void Random::Shuffle(absl::Span<uint32_t> items) {
  for (size_t left = items.size(); left > 1; --left) {
    std::swap(items[left - 1], items[Below(static_cast<uint32_t>(left))]);
  }
}

}  // namespace sigserve
