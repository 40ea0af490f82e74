#include "client/cli/json_reader.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 8;
constexpr double kExactInteger = 9007199254740992.0;  // 2^53

absl::Status Error(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

/// Appends the values of `node` to `array`; `depth` is the dimension it fills.
absl::Status Flatten(const json& node, size_t depth, const std::string& path, InputArray* array) {
  if (!node.is_array()) {
    if (depth != array->shape.size()) return Error(path, "an array is expected here, not a value");
    if (!node.is_number() && !node.is_boolean()) {
      return Error(path, absl::StrCat("a number is expected, not ", node.type_name()));
    }
    const double value = node.is_boolean() ? (node.get<bool>() ? 1.0 : 0.0) : node.get<double>();
    if (node.is_number_integer() && std::abs(value) >= kExactInteger) {
      return Error(path, "an integer of 2^53 or more is not exact");
    }
    array->values.push_back(value);
    return absl::OkStatus();
  }
  if (depth == array->shape.size()) return Error(path, "a number is expected, not array");
  if (static_cast<int64_t>(node.size()) != array->shape[depth]) {
    return Error(path, absl::StrCat(node.size(), " entries, but the first of its siblings has ",
                                    array->shape[depth]));
  }
  for (size_t i = 0; i < node.size(); ++i) {
    CLIENT_RETURN_IF_ERROR(Flatten(node[i], depth + 1, absl::StrCat(path, "[", i, "]"), array));
  }
  return absl::OkStatus();
}

absl::StatusOr<InputArray> ToArray(const json& node, const std::string& name,
                                   const std::string& path) {
  InputArray array{.name = name};
  for (const json* level = &node; level->is_array(); level = &level->front()) {
    if (array.shape.size() == kMaxDepth) return Error(path, "nested more than 8 deep");
    array.shape.push_back(static_cast<int64_t>(level->size()));
    if (level->empty()) break;
  }
  CLIENT_RETURN_IF_ERROR(Flatten(node, 0, path, &array));
  return array;
}

absl::StatusOr<std::vector<InputArray>> ToArrays(const json& root) {
  const char* const forms = "expected [[...]], {\"input\": [[...]]} or {\"inputs\": {name: ...}}";
  std::vector<InputArray> arrays;
  if (root.is_array()) {
    CLIENT_ASSIGN_OR_RETURN(arrays.emplace_back(), ToArray(root, "", "rows"));
    return arrays;
  }
  if (!root.is_object() || root.size() != 1) return absl::InvalidArgumentError(forms);
  if (root.contains("input")) {
    CLIENT_ASSIGN_OR_RETURN(arrays.emplace_back(), ToArray(root["input"], "", "input"));
    return arrays;
  }
  if (!root.contains("inputs") || !root["inputs"].is_object() || root["inputs"].empty()) {
    return absl::InvalidArgumentError(forms);
  }
  for (const auto& [name, node] : root["inputs"].items()) {
    CLIENT_ASSIGN_OR_RETURN(arrays.emplace_back(),
                            ToArray(node, name, absl::StrCat("inputs.", name)));
  }
  return arrays;
}

}  // namespace

absl::StatusOr<InputData> ReadJson(absl::string_view text, const std::string& source) {
  json root;
  try {
    root = json::parse(text.begin(), text.end());
  } catch (const json::parse_error& error) {
    const size_t at = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const auto begin = text.begin();
    const auto line = std::count(begin, begin + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    const size_t before = text.substr(0, at).rfind('\n');
    const size_t column = before == absl::string_view::npos ? at + 1 : at - before;
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": not JSON from line ", line, ", column ", column));
  } catch (const json::exception&) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": a number is out of range"));
  }
  auto arrays = ToArrays(root);
  if (!arrays.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", arrays.status().message()));
  }
  return InputData{.source = source, .arrays = *std::move(arrays)};
}

}  // namespace sigserve::cli
