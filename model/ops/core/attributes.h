// A node's attributes by name, with typed readers. A reader answers the default when the attribute
// is absent and INVALID_ARGUMENT (naming the attribute, its type and the expected one) when it has
// another type. A value: copies.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tensor/tensor.h"

namespace sigserve {

using AttributeValue =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, std::shared_ptr<const Tensor>>;

class Attributes {
 public:
  /// INVALID_ARGUMENT when the name is taken.
  absl::Status Add(absl::string_view name, AttributeValue value);

  bool has(absl::string_view name) const { return values_.contains(name); }
  /// Sorted by name.
  std::vector<std::string> names() const;
  /// INVALID_ARGUMENT when there is an attribute that is not in `known`: names it.
  absl::Status CheckKnown(std::initializer_list<absl::string_view> known) const;
  /// Null when absent.
  const AttributeValue* find(absl::string_view name) const;

  absl::StatusOr<int64_t> Int(absl::string_view name, int64_t otherwise) const;
  absl::StatusOr<float> Float(absl::string_view name, float otherwise) const;
  absl::StatusOr<std::string> String(absl::string_view name, absl::string_view otherwise) const;
  absl::StatusOr<std::vector<int64_t>> Ints(absl::string_view name,
                                            std::vector<int64_t> otherwise = {}) const;
  absl::StatusOr<std::vector<float>> Floats(absl::string_view name,
                                            std::vector<float> otherwise = {}) const;
  absl::StatusOr<std::vector<std::string>> Strings(absl::string_view name,
                                                   std::vector<std::string> otherwise = {}) const;

 private:
  absl::flat_hash_map<std::string, AttributeValue> values_;
};

}  // namespace sigserve
