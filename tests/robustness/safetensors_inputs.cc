// Hostile inputs 1 to 31: weights.safetensors with a valid architecture.
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/robustness/hostile_input.h"

namespace sigserve::robustness {
namespace {

struct Case {
  std::string what;
  std::string file;
  absl::StatusCode code;
  std::string token;
};

std::string Length(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

std::string File(const std::string& header, const std::string& data = "") {
  return Length(header.size()) + header + data;
}

/// One tensor 'w' with this dtype, shape and offsets, as JSON text.
std::string One(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return absl::StrCat(R"({"w":{"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)",
                      offsets, "}}");
}

std::string Named(const std::string& name) {
  return File(absl::StrCat(R"({")", name, R"(":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})"),
              "1234");
}

std::string F32(const std::string& name, uint64_t begin, uint64_t end) {
  return absl::StrCat("\"", name, R"(":{"dtype":"F32","shape":[)", (end - begin) / 4,
                      R"(],"data_offsets":[)", begin, ",", end, "]}");
}

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::string ManyOnOneRange(int count) {
  std::vector<std::string> tensors;
  for (int i = 0; i < count; ++i) tensors.push_back(F32(absl::StrCat("t", i), 0, 160'000));
  return File(absl::StrCat("{", absl::StrJoin(tensors, ","), "}"), std::string(160'000, 0));
}

std::string ManyEmpty(int count) {
  std::string header = "{";
  for (int i = 0; i < count; ++i)
    absl::StrAppend(&header, i > 0 ? "," : "", F32(absl::StrCat("t", i), 0, 0));
  return File(header + "}");
}

std::vector<Case> Cases() {
  const std::string deep(100'000, '[');
  const std::string four(4, 0);
  const std::string eight(8, 0);
  const std::string ok = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  std::string ones = "[1";
  for (int i = 1; i < 100'000; ++i) ones += ",1";
  ones += "]";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  return {
      {"1 empty file", "", kIa, "ST_TRUNCATED: needs 8 bytes, has 0"},
      {"2 seven bytes", std::string(7, 0), kIa, "ST_TRUNCATED"},
      {"3 no header", Length(0), kIa, "ST_HEADER_JSON: empty header"},
      {"4 length wraps", Length(~uint64_t{0}) + "{}", kIa, "ST_HEADER_TOO_LARGE"},
      {"5 length over the cap", Length(100'000'001) + std::string(1000, ' '), kIa,
       "ST_HEADER_TOO_LARGE"},
      {"6 one over", Length(3) + "{}", kIa, "ST_HEADER_LENGTH"},
      {"7 not UTF-8", Named("\xFF"), kIa, "ST_HEADER_UTF8"},
      {"7 overlong", Named("\xC0\xAF"), kIa, "ST_HEADER_UTF8"},
      {"7 surrogate", Named("\xED\xA0\x80"), kIa, "ST_HEADER_UTF8"},
      {"7 escaped lone surrogate", Named("\\ud800"), kIa, "ST_HEADER_UTF8"},
      {"8 an array", File("[]"), kIa, "ST_HEADER_JSON"},
      {"8 a string", File("\"x\""), kIa, "ST_HEADER_JSON"},
      {"8 null", File("null"), kIa, "ST_HEADER_JSON"},
      {"8 cut off", File("{"), kIa, "ST_HEADER_JSON"},
      {"9 deep metadata", File(R"({"__metadata__":{"a":)" + deep), kIa, "ST_HEADER_DEPTH"},
      {"9 deep tensor", File(R"({"w":)" + deep), kIa, "ST_HEADER_JSON"},
      {"10 NUL after it", File(std::string("{}\0", 3)), kIa, "ST_HEADER_JSON"},
      {"10 text after it", File("{}x"), kIa, "ST_HEADER_JSON"},
      {"10 a second object", File("{}{}"), kIa, "ST_HEADER_JSON"},
      {"10 byte order mark", File("\xEF\xBB\xBF{}"), kIa, "ST_HEADER_JSON"},
      {"11 name twice", File("{" + F32("w", 0, 4) + "," + F32("w", 4, 8) + "}", eight), kIa,
       "ST_DUP_NAME: tensor 'w'"},
      {"12 shape twice", File(R"({"w":{"shape":[1],)" + ok + "}}", four), kIa, "ST_DUP_KEY"},
      {"12 two spellings", File("{" + F32("a", 0, 4) + "," + F32("\\u0061", 4, 8) + "}", eight),
       kIa, "ST_DUP_KEY"},
      {"13 metadata is a number", File(R"({"__metadata__":{"a":1}})"), kIa, "ST_METADATA"},
      {"13 metadata is an array", File(R"({"__metadata__":[]})"), kIa, "ST_METADATA"},
      {"13 metadata twice", File(R"({"__metadata__":{},"__metadata__":{}})"), kIa, "ST_METADATA"},
      {"14 unknown dtype", File(One("F128", "[1]", "[0,4]"), four), kUi,
       "ST_DTYPE: tensor 'w' is of dtype 'F128'"},
      {"14 lower case", File(One("f32", "[1]", "[0,4]"), four), kUi, "ST_DTYPE"},
      {"14 of the format, not ours", File(One("U8", "[4]", "[0,4]"), four), kUi, "ST_DTYPE"},
      {"15 product overflows", File(One("F32", "[2,18446744073709551614]", "[0,4]"), four), kIa,
       "ST_OVERFLOW"},
      {"15 size overflows", File(One("F32", "[18446744073709551616]", "[0,4]"), four), kIa,
       "ST_OVERFLOW"},
      {"16 bytes overflow", File(One("F64", "[2305843009213693952]", "[0,4]"), four), kIa,
       "ST_OVERFLOW"},
      {"17 negative", File(One("F32", "[-1]", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"17 fraction", File(One("F32", "[1.5]", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"17 exponent", File(One("F32", "[1e3]", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"17 string", File(One("F32", "[\"4\"]", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"17 no array", File(One("F32", "4", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"17 nested", File(One("F32", "[[4]]", "[0,4]"), four), kIa, "ST_SHAPE"},
      {"18 rank 100,000", File(One("F32", ones, "[0,4]"), four), kIa, "ST_RANK_LIMIT"},
      {"19 zero first", File(One("F32", "[0,9223372036854775808,9223372036854775808]", "[0,0]")),
       kIa, "ST_OVERFLOW"},
      {"19 zero last", File(One("F32", "[9223372036854775808,9223372036854775808,0]", "[0,0]")),
       kIa, "ST_OVERFLOW"},
      {"20 end before begin", File(One("F32", "[1]", "[4,0]"), four), kIa, "ST_OFFSET"},
      {"20 one offset", File(One("F32", "[1]", "[4]"), four), kIa, "ST_OFFSET"},
      {"20 three offsets", File(One("F32", "[1]", "[0,4,8]"), four), kIa, "ST_OFFSET"},
      {"20 negative offset", File(One("F32", "[1]", "[-4,0]"), four), kIa, "ST_OFFSET"},
      {"21 beyond the file", File(One("F32", "[2]", "[0,8]"), four), kIa, "ST_OFFSET"},
      {"22 overlap",
       File(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
            R"("b":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}})",
            std::string(7, 0)),
       kIa, "ST_OVERLAP: tensor 'b'"},
      {"23 all on one range", ManyOnOneRange(100'000), kIa, "ST_OVERLAP"},
      {"24 hole", File("{" + F32("a", 0, 4) + "," + F32("b", 5, 9) + "}", std::string(9, 0)), kIa,
       "ST_HOLE: tensor 'b'"},
      {"24 hole at the start", File("{" + F32("a", 4, 8) + "}", eight), kIa, "ST_HOLE"},
      {"25 trailing byte", File("{" + F32("a", 0, 4) + "}", std::string(5, 0)), kIa,
       "ST_TRAILING: 1 bytes"},
      {"25 trailing archive", File("{}", "PK\x05\x06"), kIa, "ST_TRAILING"},
      {"26 other size", File(One("F32", "[2]", "[0,4]"), four), kIa, "ST_SIZE"},
      {"27 half a byte", File(One("F4", "[3]", "[0,2]"), "12"), kIa, "ST_MISALIGNED"},
      {"28 a million tensors", ManyEmpty(1'000'000), kRe, "ST_TENSOR_COUNT"},
      {"29 no name", Named(""), kIa, "ST_NAME"},
      {"29 long name", Named(std::string(1 << 20, 'n')), kIa, "ST_NAME"},
      {"29 NUL", Named("a\\u0000-"), kIa, R"(ST_NAME: tensor name 'a\x00-')"},
      {"29 path", Named("../x"), kIa, "ST_NAME: tensor name '../x'"},
      {"29 right to left", Named("a\\u202eb"), kIa, R"(ST_NAME: tensor name 'a\xe2\x80\xae)"},
      {"30 NaN", File(One("F32", "[2]", "[0,8]"), Bytes<float>({1, nan})), kIa,
       "MODEL_NONFINITE: tensor 'w': element 1 is nan"},
      {"30 infinity", File(One("F32", "[2]", "[0,8]"), Bytes<float>({-inf, 1})), kIa,
       "MODEL_NONFINITE: tensor 'w': element 0 is -inf"},
      {"30 too large for FLOAT32", File(One("F64", "[1]", "[0,8]"), Bytes<double>({1e300})), kIa,
       "MODEL_NONFINITE"},
      {"a BOOL of 2", File(One("BOOL", "[1]", "[0,1]"), "\x02"), kIa, "ST_BOOL: tensor 'w'"},
      {"no dtype", File(R"({"w":{"shape":[],"data_offsets":[0,4]}})", four), kIa, "ST_HEADER_JSON"},
      {"unknown key", File(R"({"w":{"kind":1,)" + ok + "}}", four), kIa, "ST_HEADER_JSON"},
      {"a tensor that is a number", File(R"({"w":3})"), kIa, "ST_HEADER_JSON"},
  };
}

}  // namespace

std::vector<HostileInput> SafetensorsInputs() {
  std::vector<HostileInput> inputs;
  for (Case& c : Cases()) {
    inputs.push_back({c.what, Weights("weights.safetensors", c.file), c.code, c.token});
  }
  // 31: reading copies, so a file that gets shorter meanwhile is a short file.
  const std::string good = File("{" + F32("0.weight", 0, 8) + "}", std::string(8, 0));
  for (size_t length = 8; length < good.size(); ++length) {
    inputs.push_back({absl::StrCat("31 cut after ", length, " bytes"),
                      Weights("weights.safetensors", good.substr(0, length)), kIa, "ST_"});
  }
  return inputs;
}

}  // namespace sigserve::robustness
