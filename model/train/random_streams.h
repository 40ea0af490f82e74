// Which stream of a training's seed is drawn from for what (random.h): drawing more of one never
// changes another. Part of what a seed means: never renumber.
#pragma once

#include <cstdint>

namespace sigserve {

inline constexpr uint64_t kWeightStream = 1;
inline constexpr uint64_t kSplitStream = 2;
inline constexpr uint64_t kShuffleStream = 3;

}  // namespace sigserve
