#include <algorithm>
#include <cstring>

#include "model/ops/ml/makers.h"

namespace sigserve {
namespace {

// Picks elements along the last dimension. An index that is not known before the request and out of
// range counts as the nearest that is in range.
class ArrayFeatureExtractorOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& x = in[0].type.shape;
    if (x.rank() == 0 || x[x.rank() - 1] == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("X is ", x.ToString(), ", which has no features"));
    }
    if (in[1].type.dtype != DType::kInt64) {
      return absl::InvalidArgumentError(
          absl::StrCat("Y is ", Name(in[1].type.dtype), ", expected INT64"));
    }
    const int64_t features = x[x.rank() - 1];
    if (in[1].value.present()) {
      for (const int64_t index : in[1].value.values<int64_t>()) {
        if (index < 0 || index >= features) {
          return absl::InvalidArgumentError(
              absl::StrCat("Y has index ", index, ", X has ", features, " features"));
        }
      }
    }
    Shape y = x.rank() == 1 ? Shape{1, 1} : x;
    y.set(y.rank() - 1, in[1].type.shape.elements());
    return SetOutput(in[0].type.dtype, std::move(y), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const int64_t features = shape[shape.rank() - 1];
    const size_t size = SizeOf(in[0].dtype());
    const auto indices = in[1].values<int64_t>();
    const auto* x = static_cast<const char*>(in[0].data());
    auto* y = static_cast<char*>(out[0].data());
    for (int64_t row = 0; row < in[0].elements() / features; ++row) {
      for (const int64_t index : indices) {
        const int64_t at = row * features + std::clamp<int64_t>(index, 0, features - 1);
        std::memcpy(y, x + static_cast<size_t>(at) * size, size);
        y += size;
      }
    }
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeArrayFeatureExtractor(const NodeSpec& node,
                                                                    absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<ArrayFeatureExtractorOp>();
}

}  // namespace sigserve
