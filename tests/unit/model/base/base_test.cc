// The small pieces of model/base: buffers, clocks, status macros, log lines.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/aligned_buffer.h"
#include "model/base/clock.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(AlignedBufferTest, IsAlignedAndZero) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{1000}}) {
    const AlignedBuffer buffer(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment, 0u);
    const std::string zeros(size, '\0');
    EXPECT_TRUE(size == 0 || std::memcmp(buffer.data(), zeros.data(), size) == 0);
  }
}

TEST(ClockTest, TheFakeMovesOnlyWhenTold) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  const MonotonicTime monotonic = clock.Monotonic();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(3));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(3));
  EXPECT_EQ(clock.Monotonic() - monotonic, absl::Seconds(3));
}

TEST(ClockTest, TheRealOneDoesNotGoBack) {
  const RealClock clock;
  const MonotonicTime first = clock.Monotonic();
  EXPECT_GE(clock.Monotonic(), first);
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}

absl::StatusOr<int> Quarter(int x) {
  SIGSERVE_ASSIGN_OR_RETURN(const int half, Half(x));
  SIGSERVE_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusMacrosTest, ReturnTheFirstError) {
  ASSERT_OK_AND_ASSIGN(const int quarter, Quarter(8));
  EXPECT_EQ(quarter, 2);
  EXPECT_THAT(Quarter(6), StatusIs(absl::StatusCode::kInvalidArgument, "odd"));
}

TEST(StatusMacrosTest, AnnotatePutsTheContextFirst) {
  EXPECT_THAT(Annotate(absl::NotFoundError("no"), "loading 'm'"),
              StatusIs(absl::StatusCode::kNotFound, "loading 'm': no"));
  EXPECT_OK(Annotate(absl::OkStatus(), "loading 'm'"));
}

TEST(LogTest, NamesCannotForgeLines) {
  testing::internal::CaptureStderr();
  SIGSERVE_LOG(kWarning, "model '", "a\n2026-01-01 E forged\x1b", "' is caf\xC3\xA9");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, ContainsRegex("^....-..-..T..:..:......Z W base_test.cc:[0-9]+] model 'a"));
  EXPECT_THAT(text, HasSubstr("a\\n2026-01-01 E forged\\x1b' is"));
  EXPECT_THAT(text, HasSubstr("caf\xC3\xA9"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace sigserve
