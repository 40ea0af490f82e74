#include "model/base/utf8.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

TEST(Utf8Test, EscapesInvalidBytesOnly) {
  const struct {
    std::string text, escaped;
  } cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\x89", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\x89"},
      {"caf\xE9", "caf\\xe9"},                            // Latin-1
      {"\xFF\xFEk", "\\xff\\xfek"},                       // UTF-16's byte order mark
      {"\xE2\x82", "\\xe2\\x82"},                         // cut
      {"\xC3(", "\\xc3("},                                // no continuation
      {"\xA9", "\\xa9"},                                  // a continuation alone
      {"\xC0\xAF", "\\xc0\\xaf"},                         // overlong
      {"\xE0\x80\xAF", "\\xe0\\x80\\xaf"},                // overlong
      {"\xED\xA0\x80", "\\xed\\xa0\\x80"},                // a surrogate
      {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},       // above U+10FFFF
      {std::string("a\0b", 3), std::string("a\0b", 3)},   // NUL is valid
      {"\xC3\xA9\xE9\xC3\xA9", "\xC3\xA9\\xe9\xC3\xA9"},  // amid valid text
  };
  for (const auto& c : cases) {
    EXPECT_EQ(EscapeInvalidUtf8(c.text), c.escaped);
    EXPECT_EQ(IsValidUtf8(c.text), c.text == c.escaped) << c.escaped;
    EXPECT_TRUE(IsValidUtf8(EscapeInvalidUtf8(c.text)));
  }
}

TEST(Utf8Test, AByteOrderMarkIsDropped) {
  EXPECT_EQ(WithoutByteOrderMark("\xEF\xBB\xBFname"), "name");
  EXPECT_EQ(WithoutByteOrderMark("name\xEF\xBB\xBF"), "name\xEF\xBB\xBF");
  EXPECT_EQ(WithoutByteOrderMark(""), "");
}

TEST(Utf8Test, FilesInOtherEncodingsAreNamedWithLineAndByte) {
  EXPECT_OK(CheckUtf8File("", "labels.txt"));
  EXPECT_OK(CheckUtf8File("caf\xC3\xA9\n", "labels.txt"));
  EXPECT_THAT(
      CheckUtf8File("tea\nmilk\ncaf\xE9\n", "labels.txt"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "labels.txt: line 3 has the byte 0xE9, which is not UTF-8; convert the file, "
               "for example with: iconv -f LATIN1 -t UTF-8"));
  for (const std::string mark : {"\xFF\xFE", "\xFE\xFF"}) {
    EXPECT_THAT(CheckUtf8File(mark + "t", "labels.txt"),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "labels.txt: is UTF-16, expected UTF-8; convert the file, for example "
                         "with: iconv -f UTF-16 -t UTF-8"));
  }
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(CutUtf8("abc", 3), "abc");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
  EXPECT_EQ(CutUtf8("a\xE2\x82\xAC", 4), "a\xE2\x82\xAC");
  EXPECT_EQ(CutUtf8("a\xE2\x82\xAC", 3), "a");
  EXPECT_EQ(CutUtf8("a\xE2\x82\xAC", 2), "a");
  EXPECT_EQ(CutUtf8("\xC3\xA9", 0), "");
}

}  // namespace
}  // namespace sigserve
