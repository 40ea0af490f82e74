#include "model/ops/core/attributes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

absl::string_view TypeName(const AttributeValue& value) {
  static constexpr absl::string_view kNames[] = {"INT",    "FLOAT",   "STRING", "INTS",
                                                 "FLOATS", "STRINGS", "TENSOR"};
  return kNames[value.index()];
}

template <typename T>
absl::StatusOr<T> Get(const AttributeValue* value, absl::string_view name, T otherwise) {
  if (value == nullptr) {
    return otherwise;
  }
  if (const T* typed = std::get_if<T>(value)) {
    return *typed;
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is ", TypeName(*value),
                                                 ", expected ", TypeName(AttributeValue(T{}))));
}

}  // namespace

absl::Status Attributes::Add(absl::string_view name, AttributeValue value) {
  const auto [entry, added] = values_.try_emplace(std::string(name));
  if (!added) {
    return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is given twice"));
  }
  entry->second = std::move(value);
  return absl::OkStatus();
}

std::vector<std::string> Attributes::names() const {
  std::vector<std::string> result;
  result.reserve(values_.size());
  for (const auto& [name, value] : values_) {
    result.push_back(name);
  }
  std::sort(result.begin(), result.end());
  return result;
}

absl::Status Attributes::CheckKnown(std::initializer_list<absl::string_view> known) const {
  for (const std::string& name : names()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat("has no attribute '", name, "'"));
    }
  }
  return absl::OkStatus();
}

const AttributeValue* Attributes::find(absl::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

absl::StatusOr<int64_t> Attributes::Int(absl::string_view name, int64_t otherwise) const {
  return Get<int64_t>(find(name), name, otherwise);
}
absl::StatusOr<float> Attributes::Float(absl::string_view name, float otherwise) const {
  return Get<float>(find(name), name, otherwise);
}
absl::StatusOr<std::string> Attributes::String(absl::string_view name,
                                               absl::string_view otherwise) const {
  return Get<std::string>(find(name), name, std::string(otherwise));
}
absl::StatusOr<std::vector<int64_t>> Attributes::Ints(absl::string_view name,
                                                      std::vector<int64_t> otherwise) const {
  return Get<std::vector<int64_t>>(find(name), name, std::move(otherwise));
}
absl::StatusOr<std::vector<float>> Attributes::Floats(absl::string_view name,
                                                      std::vector<float> otherwise) const {
  return Get<std::vector<float>>(find(name), name, std::move(otherwise));
}
absl::StatusOr<std::vector<std::string>> Attributes::Strings(
    absl::string_view name, std::vector<std::string> otherwise) const {
  return Get<std::vector<std::string>>(find(name), name, std::move(otherwise));
}

}  // namespace sigserve
