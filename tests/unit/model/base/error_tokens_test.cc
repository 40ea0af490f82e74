#include "model/base/error_tokens.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::absl::StatusCode;

TEST(ErrorTokensTest, AreSortedAndDistinct) {
  const auto tokens = ErrorTokens();
  EXPECT_EQ(std::adjacent_find(tokens.begin(), tokens.end(),
                               [](const auto& a, const auto& b) { return a.token >= b.token; }),
            tokens.end());
}

TEST(ErrorTokensTest, TokenOfAMessage) {
  EXPECT_EQ(TokenOf("ONNX_OP: text"), "ONNX_OP");
  EXPECT_EQ(TokenOf("NO_TOKEN: text"), "");
  EXPECT_EQ(TokenOf("ONNX_OP"), "");
  EXPECT_EQ(TokenOf("file: ONNX_OP: text"), "");
  EXPECT_EQ(TokenOf(""), "");
  for (const ErrorToken& entry : ErrorTokens()) {
    EXPECT_EQ(TokenOf(Malformed(entry.token, "text").message()), entry.token);
  }
}

TEST(ErrorTokensTest, ASubjectFollowsTheToken) {
  EXPECT_THAT(WithSubject(Unsupported("ONNX_OP", "text"), "Gemm 'fc'"),
              StatusIs(StatusCode::kUnimplemented, "ONNX_OP: Gemm 'fc': text"));
  EXPECT_THAT(WithSubject(absl::DataLossError("gone"), "Gemm 'fc'"),
              StatusIs(StatusCode::kDataLoss, "Gemm 'fc': gone"));
  EXPECT_OK(WithSubject(absl::OkStatus(), "Gemm 'fc'"));
}

TEST(ErrorTokensTest, ATokenReplacesAnother) {
  EXPECT_THAT(WithToken(Malformed("GRAPH_SSA", "text"), "ONNX_SSA"),
              StatusIs(StatusCode::kInvalidArgument, "ONNX_SSA: text"));
}

}  // namespace
}  // namespace sigserve
