#include <algorithm>
#include <cstdint>

#include "model/ops/core/axes.h"
#include "model/ops/core/indices.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

enum class Reduction { kSum, kMean, kMax };

// torch's EmbeddingBag, which its exporter writes as a loop (formats/onnx/onnx_embedding_bag.h); of
// the fused domain. Inputs: count, weight [V, D], indices [L], starts, ends, and perhaps one factor
// for each index. Row b < count of the result reduces the rows of `weight` that
// indices[starts[b]:ends[b]] names (slices as in Python); of none it is 0.
class EmbeddingBagOp final : public Op {
 public:
  explicit EmbeddingBagOp(Reduction reduction) : reduction_(reduction) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t count, KnownInteger(in[0], "count"));
    const Shape& weight = in[1].type.shape;
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[1], "weight"));
    if (weight.rank() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("weight is ", weight.ToString(), ", expected two dimensions"));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckIndices(in[2], weight[0]));
    SIGSERVE_RETURN_IF_ERROR(ExpectList(in[2], "indices", 0));
    SIGSERVE_RETURN_IF_ERROR(ExpectList(in[3], "starts", count));
    SIGSERVE_RETURN_IF_ERROR(ExpectList(in[4], "ends", count));
    if (in.size() > 5 && in[5].present) {
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[5], "factors"));
      if (in[5].type.shape != in[2].type.shape) {
        return absl::InvalidArgumentError(absl::StrCat("factors are ", in[5].type.shape.ToString(),
                                                       ", indices are ",
                                                       in[2].type.shape.ToString()));
      }
    }
    return SetOutput(DType::kFloat32, Shape{std::max<int64_t>(count, 0), weight[1]}, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const int64_t length = in[2].elements();
    const auto bags = static_cast<size_t>(out[0].shape()[0]);
    const auto width = static_cast<size_t>(out[0].shape()[1]);
    float* y = out[0].values<float>().data();
    for (size_t b = 0; b < bags; ++b, y += width) {
      const int64_t first = Bound(IndexAt(in[3], b), length);
      const int64_t last = Bound(IndexAt(in[4], b), length);
      std::fill_n(y, width, 0.0F);
      for (int64_t i = first; i < last; ++i) {
        Add(in, static_cast<size_t>(i), i == first, y, width);
      }
      if (reduction_ != Reduction::kMean || last <= first) continue;
      for (size_t d = 0; d < width; ++d) y[d] /= static_cast<float>(last - first);
    }
  }

 private:
  static absl::Status ExpectList(const Operand& in, absl::string_view what, int64_t at_least) {
    const TensorType& type = in.type;
    const bool integers = type.dtype == DType::kInt32 || type.dtype == DType::kInt64;
    if (integers && type.shape.rank() == 1 && type.shape[0] >= at_least) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(what, " are ", Name(type.dtype), " ", type.shape.ToString(),
                     ", expected one dimension of at least ", at_least, " integers"));
  }

  /// Where a slice of `length` elements begins or ends.
  static int64_t Bound(int64_t at, int64_t length) {
    return std::clamp<int64_t>(at < 0 ? at + length : at, 0, length);
  }

  void Add(absl::Span<const TensorView> in, size_t i, bool first, float* y, size_t width) const {
    const int64_t row = Resolved(IndexAt(in[2], i), in[1].shape()[0]);
    if (row < 0) {
      std::fill_n(y, width, Nothing<float>());
      return;
    }
    const float* x = in[1].values<float>().data() + static_cast<size_t>(row) * width;
    const float factor = in.size() > 5 && in[5].present() ? in[5].values<float>()[i] : 1.0F;
    if (reduction_ != Reduction::kMax) {
      for (size_t d = 0; d < width; ++d) y[d] += factor * x[d];
      return;
    }
    for (size_t d = 0; d < width; ++d) {
      const float value = factor * x[d];
      // Not std::max: a NaN stays.
      y[d] = first || value > y[d] || value != value ? value : y[d];
    }
  }

  const Reduction reduction_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeEmbeddingBag(const NodeSpec& node,
                                                           absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"mode"}));
  SIGSERVE_ASSIGN_OR_RETURN(const std::string mode, node.attributes.String("mode", "sum"));
  if (mode == "sum") return std::make_unique<EmbeddingBagOp>(Reduction::kSum);
  if (mode == "mean") return std::make_unique<EmbeddingBagOp>(Reduction::kMean);
  if (mode == "max") return std::make_unique<EmbeddingBagOp>(Reduction::kMax);
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'mode' is '", mode, "', expected sum, mean or max"));
}

}  // namespace sigserve
