#include "server/rpc/wire_message.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sigserve/v1/model.pb.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::StatusIs;

v1::GetModelRequest Request() {
  v1::GetModelRequest request;
  request.mutable_model()->set_name("a model with a long name");
  return request;
}

TEST(ParseMessageTest, OneOrManyPieces) {
  const std::string bytes = Request().SerializeAsString();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const absl::string_view whole = bytes;
    const std::vector<absl::string_view> pieces = {whole.substr(0, cut), "", whole.substr(cut)};
    v1::GetModelRequest parsed;
    EXPECT_OK(ParseMessage(pieces, &parsed));
    EXPECT_EQ(parsed.SerializeAsString(), bytes) << cut;
  }
}

TEST(ParseMessageTest, PreviousContentsAreCleared) {
  v1::GetModelRequest request = Request();
  EXPECT_OK(ParseMessage({}, &request));
  EXPECT_FALSE(request.has_model());
  request = Request();
  const absl::string_view empty;
  EXPECT_OK(ParseMessage({&empty, 1}, &request));
  EXPECT_FALSE(request.has_model());
}

TEST(ParseMessageTest, MalformedBytesNameTheMessage) {
  v1::GetModelRequest request;
  const absl::string_view garbage = "\xFF\xFF";
  EXPECT_THAT(ParseMessage({&garbage, 1}, &request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("GetModelRequest")));
}

}  // namespace
}  // namespace sigserve
