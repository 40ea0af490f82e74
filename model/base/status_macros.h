// Early return of errors.
//   SIGSERVE_RETURN_IF_ERROR(expr);               expr: absl::Status
//   SIGSERVE_ASSIGN_OR_RETURN(auto x, expr);      expr: absl::StatusOr<T>
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SIGSERVE_STATUS_CONCAT_INNER(a, b) a##b
#define SIGSERVE_STATUS_CONCAT(a, b) SIGSERVE_STATUS_CONCAT_INNER(a, b)

#define SIGSERVE_RETURN_IF_ERROR(expr)      \
  do {                                      \
    absl::Status sigserve_status_ = (expr); \
    if (!sigserve_status_.ok()) {           \
      return sigserve_status_;              \
    }                                       \
  } while (false)

#define SIGSERVE_ASSIGN_OR_RETURN(lhs, expr) \
  SIGSERVE_ASSIGN_OR_RETURN_IMPL(SIGSERVE_STATUS_CONCAT(statusor_, __LINE__), lhs, expr)

#define SIGSERVE_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expr) \
  auto statusor = (expr);                                   \
  if (!statusor.ok()) {                                     \
    return std::move(statusor).status();                    \
  }                                                         \
  lhs = *std::move(statusor)

namespace sigserve {

/// The same code with "<context>: " before the message; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace sigserve
