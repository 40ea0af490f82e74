#include "tests/support/npy.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sigserve::testing_support {
namespace {

absl::StatusOr<DType> ParseDescr(absl::string_view header) {
  static constexpr struct {
    const char* descr;
    DType dtype;
  } kDtypes[] = {{"'<f4'", DType::kFloat32},
                 {"'<f8'", DType::kFloat64},
                 {"'<i4'", DType::kInt32},
                 {"'<i8'", DType::kInt64},
                 {"'|b1'", DType::kBool}};
  for (const auto& entry : kDtypes) {
    if (absl::StrContains(header, entry.descr)) return entry.dtype;
  }
  return absl::UnimplementedError(absl::StrCat("dtype in ", header));
}

absl::StatusOr<Shape> ParseShape(absl::string_view header) {
  const size_t open = header.find('(');
  const size_t close = header.find(')');
  if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) {
    return absl::InvalidArgumentError(absl::StrCat("no shape in ", header));
  }
  Shape shape;
  for (absl::string_view part :
       absl::StrSplit(header.substr(open + 1, close - open - 1), ',', absl::SkipWhitespace())) {
    int64_t size = 0;
    if (!absl::SimpleAtoi(part, &size)) {
      return absl::InvalidArgumentError(absl::StrCat("bad shape in ", header));
    }
    shape.push_back(size);
  }
  return shape;
}

absl::StatusOr<Tensor> Parse(absl::string_view bytes) {
  if (bytes.size() < 12 || !absl::StartsWith(bytes, "\x93NUMPY")) {
    return absl::InvalidArgumentError("not a .npy file");
  }
  const bool short_length = bytes[6] == 1;
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, short_length ? 2 : 4);
  const size_t start = short_length ? 10 : 12;
  if (bytes.size() < start + length) return absl::InvalidArgumentError("truncated header");
  const absl::string_view header = bytes.substr(start, length);
  if (absl::StrContains(header, "'fortran_order': True")) {
    return absl::UnimplementedError("Fortran order");
  }
  auto dtype = ParseDescr(header);
  if (!dtype.ok()) return dtype.status();
  auto shape = ParseShape(header);
  if (!shape.ok()) return shape.status();
  auto expected = CheckedBytes(*shape, SizeOf(*dtype));
  if (!expected.ok()) return expected.status();
  const absl::string_view data = bytes.substr(start + length);
  if (data.size() != static_cast<size_t>(*expected)) {
    return absl::InvalidArgumentError(
        absl::StrCat("needs ", *expected, " bytes of data, has ", data.size()));
  }
  Tensor tensor(*dtype, *shape);
  if (!data.empty()) std::memcpy(tensor.data(), data.data(), data.size());
  return tensor;
}

}  // namespace

absl::StatusOr<Tensor> ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(path);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto tensor = Parse(bytes);
  if (!tensor.ok()) {
    return absl::Status(tensor.status().code(),
                        absl::StrCat(path, ": ", tensor.status().message()));
  }
  return tensor;
}

}  // namespace sigserve::testing_support
