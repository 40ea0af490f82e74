// Early return of errors inside client/, which does not know model/base and its macros.
//   CLIENT_RETURN_IF_ERROR(expr);               expr: absl::Status
//   CLIENT_ASSIGN_OR_RETURN(auto x, expr);      expr: absl::StatusOr<T>
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CLIENT_STATUS_CONCAT_INNER(a, b) a##b
#define CLIENT_STATUS_CONCAT(a, b) CLIENT_STATUS_CONCAT_INNER(a, b)

#define CLIENT_RETURN_IF_ERROR(expr)      \
  do {                                    \
    absl::Status client_status_ = (expr); \
    if (!client_status_.ok()) {           \
      return client_status_;              \
    }                                     \
  } while (false)

#define CLIENT_ASSIGN_OR_RETURN(lhs, expr) \
  CLIENT_ASSIGN_OR_RETURN_IMPL(CLIENT_STATUS_CONCAT(client_statusor_, __LINE__), lhs, expr)

// Names cannot be enclosed in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define CLIENT_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expr) \
  auto statusor = (expr);                                 \
  if (!statusor.ok()) {                                   \
    return std::move(statusor).status();                  \
  }                                                       \
  lhs = *std::move(statusor)
// NOLINTEND(bugprone-macro-parentheses)
