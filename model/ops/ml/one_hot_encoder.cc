#include <algorithm>
#include <type_traits>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// One new dimension, last: 1 where the number is that category's, else 0. A number that is no
// category gives zeros; fractions are cut off first.
class OneHotEncoderOp final : public Op {
 public:
  explicit OneHotEncoderOp(absl::flat_hash_map<int64_t, int64_t> places)
      : count_(static_cast<int64_t>(places.size())), places_(std::move(places)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    Shape shape = in[0].type.shape;
    shape.push_back(count_);
    return SetOutput(DType::kFloat32, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const absl::Span<float> y = out[0].values<float>();
    std::fill(y.begin(), y.end(), 0.0F);
    VisitNumbers(in[0], [&](auto x) {
      for (size_t i = 0; i < x.size(); ++i) {
        const int64_t place = PlaceOf(x[i]);
        if (place >= 0) y[i * static_cast<size_t>(count_) + static_cast<size_t>(place)] = 1;
      }
    });
  }

 private:
  template <typename T>
  int64_t PlaceOf(T number) const {
    if constexpr (std::is_floating_point_v<T>) {
      // Beyond these, and for NaN, the conversion is undefined.
      if (!(number >= T{-0x1p63} && number < T{0x1p63})) return -1;
    }
    const auto found = places_.find(static_cast<int64_t>(number));
    return found == places_.end() ? -1 : found->second;
  }

  const int64_t count_;
  const absl::flat_hash_map<int64_t, int64_t> places_;  // by category
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeOneHotEncoder(const NodeSpec& node,
                                                            absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  if (attributes.has("cats_strings")) {
    return absl::UnimplementedError("attribute 'cats_strings': strings are not supported");
  }
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"cats_int64s", "zeros"}));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<int64_t> categories, attributes.Ints("cats_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t zeros, attributes.Int("zeros", 1));
  if (zeros == 0) {
    return absl::UnimplementedError(
        "zeros is 0: a number that is no category cannot fail here, it gives zeros");
  }
  if (categories.empty()) return absl::InvalidArgumentError("'cats_int64s' has no category");
  absl::flat_hash_map<int64_t, int64_t> places;
  for (const int64_t category : categories) {
    if (!places.emplace(category, static_cast<int64_t>(places.size())).second) {
      return absl::InvalidArgumentError(absl::StrCat("'cats_int64s' has ", category, " twice"));
    }
  }
  return std::make_unique<OneHotEncoderOp>(std::move(places));
}

}  // namespace sigserve
