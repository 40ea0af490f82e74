// Integer arithmetic that wraps around.
#pragma once

#include <type_traits>

namespace sigserve {

/// f on unsigned words for integers (overflow wraps instead of being undefined), else as is.
template <typename T, typename F>
T Wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(f(static_cast<U>(a), static_cast<U>(b)));
  } else {
    return f(a, b);
  }
}

}  // namespace sigserve
