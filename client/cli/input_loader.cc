#include "client/cli/input_loader.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/json_reader.h"
#include "client/cli/npy_reader.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

absl::StatusOr<std::string> ReadAll(std::istream& in, const std::string& source) {
  std::string bytes;
  std::vector<char> buffer(1 << 16);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    bytes.append(buffer.data(), static_cast<size_t>(in.gcount()));
    if (static_cast<int64_t>(bytes.size()) > kMaxInputBytes) {
      return absl::InvalidArgumentError(absl::StrCat(source, ": larger than 4 GiB; cut it up"));
    }
  }
  if (in.bad()) return absl::InvalidArgumentError(absl::StrCat(source, ": reading failed"));
  return bytes;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory"));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int reason = errno;
    return absl::NotFoundError(
        absl::StrCat(path, ": ", reason == 0 ? "cannot be opened" : std::strerror(reason)));
  }
  return ReadAll(file, path);
}

InputFormat Detect(const std::string& path, absl::string_view bytes) {
  const std::string name = absl::AsciiStrToLower(path);
  if (absl::EndsWith(name, ".csv")) return InputFormat::kCsv;
  if (absl::EndsWith(name, ".json")) return InputFormat::kJson;
  if (absl::EndsWith(name, ".npy") || absl::StartsWith(bytes, "\x93NUMPY")) {
    return InputFormat::kNpy;
  }
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(bytes);
  return absl::StartsWith(text, "[") || absl::StartsWith(text, "{") ? InputFormat::kJson
                                                                    : InputFormat::kCsv;
}

}  // namespace

absl::StatusOr<InputData> LoadInput(const std::string& path, InputFormat format, CsvOptions csv,
                                    std::istream& standard_input) {
  const bool is_standard_input = path == "-";
  csv.source = is_standard_input ? "standard input" : path;
  CLIENT_ASSIGN_OR_RETURN(const std::string bytes,
                          is_standard_input ? ReadAll(standard_input, csv.source) : ReadFile(path));
  if (bytes.empty()) return absl::InvalidArgumentError(absl::StrCat(csv.source, ": is empty"));
  if (format == InputFormat::kAuto) format = Detect(path, bytes);
  const bool chooses_columns =
      !csv.label_columns.empty() || !csv.features.empty() || !csv.dropped.empty();
  if (format != InputFormat::kCsv && chooses_columns) {
    return absl::InvalidArgumentError(absl::StrCat(
        csv.source, ": --label-column, --features and --drop need CSV; JSON and .npy have no ",
        "named columns"));
  }
  switch (format) {
    case InputFormat::kJson:
      return ReadJson(bytes, csv.source);
    case InputFormat::kNpy:
      return ReadNpy(bytes, csv.source);
    default:
      return ReadCsv(bytes, csv);
  }
}

absl::StatusOr<InputData> ParseRows(const std::vector<std::string>& rows) {
  return ReadCsv(absl::StrJoin(rows, "\n"), {.source = "--row", .header = HeaderMode::kAbsent});
}

}  // namespace sigserve::cli
