// Defines SIGSERVE_SANITIZED under a sanitizer that has operators new and delete of its own.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIGSERVE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIGSERVE_SANITIZED 1
#endif
#endif
