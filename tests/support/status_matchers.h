// Matchers for absl::Status and absl::StatusOr (Debian's Abseil has none).
//   EXPECT_OK(expr);   ASSERT_OK_AND_ASSIGN(auto x, expr);
//   EXPECT_THAT(expr, StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("who")));
#pragma once

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve::testing_support {

inline const absl::Status& GetStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).ok();
}

MATCHER_P2(StatusIs, code, message, "") {
  const absl::Status& status = GetStatus(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code &&
         testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}

}  // namespace sigserve::testing_support

using ::sigserve::testing_support::StatusIs;

#define EXPECT_OK(expr) EXPECT_THAT(expr, ::sigserve::testing_support::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT(expr, ::sigserve::testing_support::IsOk())
#define SIGSERVE_TEST_CONCAT_INNER(a, b) a##b
#define SIGSERVE_TEST_CONCAT(a, b) SIGSERVE_TEST_CONCAT_INNER(a, b)
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_IMPL(SIGSERVE_TEST_CONCAT(result_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_IMPL(result, lhs, expr) \
  auto result = (expr);                              \
  ASSERT_OK(result);                                 \
  lhs = *std::move(result)
