// Whether this is a sanitizer's build, which has operators new and delete of its own: for the
// preprocessor SIGSERVE_SANITIZED, defined or not, for the compiler kSanitized.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIGSERVE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIGSERVE_SANITIZED 1
#endif
#endif

namespace sigserve::testing_support {

#ifdef SIGSERVE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace sigserve::testing_support
