// The readers of user files: what they take, and what they say to the rest.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "client/cli/input_data.h"
#include "client/cli/json_reader.h"
#include "client/cli/npy_reader.h"
#include "client/cli/table_reader.h"
#include "tests/support/status_matchers.h"

namespace sigserve::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
constexpr auto kBad = absl::StatusCode::kInvalidArgument;

struct BadInput {
  std::string text;
  std::string message;
};

TEST(NumberTest, WhatCountsAsANumber) {
  double value = 0;
  for (const char* text : {"1", "-0.5", "+3e-7", " 2\t", ".5", "5.", "inf", "-inf", "1e308"}) {
    EXPECT_TRUE(ParseNumber(text, &value)) << text;
  }
  EXPECT_TRUE(ParseNumber("NaN", &value));
  EXPECT_TRUE(std::isnan(value));
  for (const char* text : {"", " ", "x", "1x", "1 2", "0x10", "+-1", "++1", "1,5", "NA", "null",
                           "nan(1)", "1e400", "--1"}) {
    EXPECT_FALSE(ParseNumber(text, &value)) << text;
  }
}

TEST(CsvTest, HeaderQuotesCrLfBomBlankLines) {
  ASSERT_OK_AND_ASSIGN(
      const InputData data,
      ReadCsv("\xEF\xBB\xBF\"a, \"\"b\"\"\",c,y\r\n\r\n1,\"2\",M\r\n-3.5,nan,\"B\n\"",
              {.label_columns = {"y"}}));
  EXPECT_THAT(data.column_names, ElementsAre("a, \"b\"", "c"));
  EXPECT_THAT(data.labels, ElementsAre("M", "B"));
  ASSERT_EQ(data.arrays.size(), 1U);
  EXPECT_THAT(data.arrays[0].shape, ElementsAre(2, 2));
  EXPECT_EQ(data.arrays[0].values[2], -3.5);
  EXPECT_TRUE(std::isnan(data.arrays[0].values[3]));
}

TEST(CsvTest, WithoutHeader) {
  ASSERT_OK_AND_ASSIGN(const InputData data, ReadCsv("1,2,0\n3,4,1", {.label_columns = {"3"}}));
  EXPECT_THAT(data.arrays[0].values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(data.labels, ElementsAre("0", "1"));
  EXPECT_THAT(data.column_names, IsEmpty());
}

TEST(CsvTest, LabelColumnsKeepTheOrderAsked) {
  ASSERT_OK_AND_ASSIGN(const InputData data,
                       ReadCsv("a,b,c\n1,2,3\n", {.label_columns = {"c", "a"}}));
  EXPECT_THAT(data.labels, ElementsAre("3", "1"));
  EXPECT_THAT(data.arrays[0].values, ElementsAre(2));
}

TEST(CsvTest, SeparatorsAndEncodings) {
  for (const char* const text : {"a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "\"x;y\",b\n1,2\n"}) {
    ASSERT_OK_AND_ASSIGN(const InputData data, ReadCsv(text, {}));
    EXPECT_THAT(data.arrays[0].values, ElementsAre(1, 2)) << text;
  }
  ASSERT_OK_AND_ASSIGN(const InputData chosen, ReadCsv("a,x;b\n1;2\n", {.separator = ';'}));
  EXPECT_THAT(chosen.column_names, ElementsAre("a,x", "b"));
  const std::string little(
      "\xFF\xFE\xE4\0,\0b\0\n\0"
      "1\0,\0"
      "2\0",
      16);
  const std::string big(
      "\xFE\xFF\0\xE4\0,\0b\0\n\0"
      "1\0,\0"
      "2",
      16);
  for (const std::string& text : {little, big}) {
    ASSERT_OK_AND_ASSIGN(const InputData data, ReadCsv(text, {}));
    EXPECT_THAT(data.column_names, ElementsAre("\xC3\xA4", "b"));
    EXPECT_THAT(data.arrays[0].values, ElementsAre(1, 2));
  }
}

TEST(CsvTest, FeaturesAndDroppedColumns) {
  const std::string text = "id,a,b,y\nP-1,1,2,0\nP-2,3,4,1\n";
  ASSERT_OK_AND_ASSIGN(const InputData dropped,
                       ReadCsv(text, {.label_columns = {"y"}, .dropped = {"id"}}));
  EXPECT_THAT(dropped.column_names, ElementsAre("a", "b"));
  EXPECT_THAT(dropped.arrays[0].values, ElementsAre(1, 2, 3, 4));
  ASSERT_OK_AND_ASSIGN(const InputData chosen, ReadCsv(text, {.features = {"b", "a"}}));
  EXPECT_THAT(chosen.arrays[0].values, ElementsAre(2, 1, 4, 3));
  EXPECT_THAT(ReadCsv(text, {.features = {"a"}, .dropped = {"a"}}),
              StatusIs(kBad, HasSubstr("'a' is given twice")));
  EXPECT_THAT(ReadCsv("alpha,b\n1,2\n", {.features = {"alhpa"}}),
              StatusIs(kBad, HasSubstr("did you mean alpha?")));
}

TEST(CsvTest, BadTables) {
  const std::vector<BadInput> cases = {
      {"", "no rows"},
      {"\n\r\n", "no rows"},
      {"a,b\n", "a header but no rows"},
      {"a,b\n1,2\n3\n", "row 2 (line 3): 1 fields, but line 1 has 2; the separator is ','"},
      {"a,b\n1,2,3\n", "row 1 (line 2): 3 fields, but line 1 has 2"},
      {"a,b\n1,x\n", "row 1 (line 2), column 2 ('b'): 'x' is not a number; --drop b leaves"},
      {"1,2\n3,x\n", "row 2 (line 2), column 2: 'x' is not a number"},
      {"a,b\n1,\n", "row 1 (line 2), column 2 ('b'): is empty"},
      {"a,b\n1,1e999\n", "is not a number"},
      {"a,b\n1,\"2\n", "line 2, column 2: the quote is never closed"},
      {"a,b\n1,\"2\"x\n", "line 2, column 2: text after the closing quote"},
      {"a;b\n1,5;2\n", "the decimal sign is a point"},
      {"a,b,c\n1;2,3,4\n", "the separator is ','"},
      {std::string("a\0b\0", 4), "UTF-16 needs a byte-order mark"},
      {"gr\xF6\xDF\x65,b\n1,2\n", "the header is not UTF-8"},
  };
  for (const BadInput& c : cases) {
    EXPECT_THAT(
        ReadCsv(c.text, {.source = "f.csv"}),
        StatusIs(kBad, testing::AllOf(testing::StartsWith("f.csv: "), HasSubstr(c.message))))
        << c.text;
  }
  EXPECT_THAT(ReadCsv("a,b\n1,2\n", {.label_columns = {"z"}}), StatusIs(kBad, HasSubstr("a, b")));
  EXPECT_THAT(ReadCsv("1,2\n", {.label_columns = {"3"}}), StatusIs(kBad, HasSubstr("1 to 2")));
  EXPECT_THAT(ReadCsv("a,b\n1,2\n", {.label_columns = {"a", "1"}}),
              StatusIs(kBad, HasSubstr("twice")));
  EXPECT_THAT(ReadCsv("a\n1\n", {.label_columns = {"a"}}), StatusIs(kBad, HasSubstr("no column")));
}

TEST(JsonTest, TheThreeForms) {
  for (const char* text : {"[[1,2],[3,4]]", R"({"input": [[1,2],[3,4]]})"}) {
    ASSERT_OK_AND_ASSIGN(const InputData data, ReadJson(text, "f"));
    EXPECT_THAT(data.arrays[0].shape, ElementsAre(2, 2));
    EXPECT_THAT(data.arrays[0].values, ElementsAre(1, 2, 3, 4));
  }
  ASSERT_OK_AND_ASSIGN(const InputData named,
                       ReadJson(R"({"inputs": {"a": [1.5], "b": [[true, false]]}})", "f"));
  ASSERT_EQ(named.arrays.size(), 2U);
  EXPECT_EQ(named.arrays[1].name, "b");
  EXPECT_THAT(named.arrays[1].values, ElementsAre(1, 0));
  ASSERT_OK_AND_ASSIGN(const InputData scalar, ReadJson(R"({"input": 7})", "f"));
  EXPECT_THAT(scalar.arrays[0].shape, IsEmpty());
}

TEST(JsonTest, BadJson) {
  const std::vector<BadInput> cases = {
      {"", "not JSON from line 1, column"},
      {"[[1,2],[3,", "not JSON from line 1, column"},
      {"[[1,NaN]]", "not JSON from line 1, column"},
      {"3", "expected [[...]]"},
      {"{}", "expected [[...]]"},
      {R"({"inputs": {}})", "expected [[...]]"},
      {R"({"input": [[1]], "extra": 1})", "expected [[...]]"},
      {"[[1,2],[3]]", "rows[1]: 1 entries, but the first of its siblings has 2"},
      {"[[1,2],3]", "rows[1]: an array is expected"},
      {"[1,[2]]", "rows[1]: a number is expected, not array"},
      {R"([[1,"x"]])", "rows[0][1]: a number is expected, not string"},
      {"[[1,null]]", "rows[0][1]: a number is expected, not null"},
      {"[9007199254740993]", "rows[0]: an integer of 2^53"},
      {"[[[[[[[[[1]]]]]]]]]", "nested more than 8 deep"},
      {std::string(100000, '['), "not JSON from line 1, column"},
      {std::string(100000, '[') + std::string(100000, ']'), "nested more than 8 deep"},
  };
  for (const BadInput& c : cases) {
    EXPECT_THAT(ReadJson(c.text, "f"), StatusIs(kBad, HasSubstr(c.message)))
        << c.text.substr(0, 40);
  }
}

template <typename T>
std::string Npy(const std::string& header, const std::vector<T>& values, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  if (version > 1) bytes += std::string(2, '\0');
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

std::string HeaderOf(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }   \n";
}

TEST(NpyTest, DtypesAndVersions) {
  for (const char version : {'\1', '\2', '\3'}) {
    ASSERT_OK_AND_ASSIGN(
        const InputData data,
        ReadNpy(Npy<float>(HeaderOf("<f4", "(2, 2)"), {1, 2, 3, 4.5F}, version), "f"));
    EXPECT_THAT(data.arrays[0].shape, ElementsAre(2, 2));
    EXPECT_THAT(data.arrays[0].values, ElementsAre(1, 2, 3, 4.5));
  }
  ASSERT_OK_AND_ASSIGN(const InputData f8,
                       ReadNpy(Npy<double>(HeaderOf("<f8", "(1,)"), {0.1}), "f"));
  EXPECT_THAT(f8.arrays[0].values, ElementsAre(0.1));
  ASSERT_OK_AND_ASSIGN(const InputData i8, ReadNpy(Npy<int64_t>(HeaderOf("<i8", "()"), {-7}), "f"));
  EXPECT_THAT(i8.arrays[0].values, ElementsAre(-7));
  EXPECT_THAT(i8.arrays[0].shape, IsEmpty());
}

TEST(NpyTest, BadFiles) {
  const std::string good = Npy<float>(HeaderOf("<f4", "(2,)"), {1, 2});
  const std::vector<BadInput> cases = {
      {"", "does not begin with"},
      {"NUMPY", "does not begin with"},
      {good.substr(0, 7), "truncated after the magic"},
      {good.substr(0, 9), "truncated before the header's length"},
      {good.substr(0, 30), "follow"},
      {good.substr(0, good.size() - 1), "needs 8 bytes of data, but there are 7"},
      {good + "x", "needs 8 bytes of data, but there are 9"},
      {std::string("\x93NUMPY\2\0\xFF\xFF\xFF\xFF", 12), "header of 4294967295 bytes"},
      {std::string("\x93NUMPY\7\0\1\0{", 11), ".npy version 7"},
      {Npy<float>("{'descr': '<f4'}", {}), "unreadable header"},
      {Npy<float>("garbage", {}), "unreadable header"},
      {Npy<float>("", {}), "unreadable header"},
      {Npy<float>(HeaderOf("<f4", "(2,)") + "x", {1, 2}), "unreadable header"},
      {Npy<float>(HeaderOf("<f4", "(-2,)"), {1, 2}), "unreadable header"},
      {Npy<float>(HeaderOf("<f4", "(99999999999999999999,)"), {1}), "unreadable header"},
      {Npy<float>(HeaderOf("<f4", "(4294967296, 4294967296)"), {1}), "is not possible"},
      {Npy<float>(HeaderOf(">f4", "(1,)"), {1}), "dtype '>f4'"},
      {Npy<float>(HeaderOf("|O", "(1,)"), {1}), "dtype '|O'"},
      {Npy<float>("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", {1}), "Fortran order"},
      {Npy<int64_t>(HeaderOf("<i8", "(1,)"), {std::numeric_limits<int64_t>::max()}), "2^53"},
  };
  for (const BadInput& c : cases) {
    EXPECT_THAT(ReadNpy(c.text, "f.npy"), StatusIs(kBad, HasSubstr(c.message))) << c.message;
  }
}

}  // namespace
}  // namespace sigserve::cli
