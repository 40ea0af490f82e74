#include <algorithm>
#include <cmath>

#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

enum class Norm { kMax, kL1, kL2 };

// Divides each row by its norm; a row whose norm is 0 stays as it is. MAX is the largest element,
// not the largest magnitude: so says the operator's definition.
class NormalizerOp final : public Op {
 public:
  explicit NormalizerOp(Norm norm) : norm_(norm) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(RowsOf(in[0]).status());
    return SetOutput(DType::kFloat32, in[0].type.shape, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const auto columns = static_cast<size_t>(shape[shape.rank() - 1]);
    float* y = out[0].values<float>().data();
    VisitNumbers(in[0], [&](auto x) {
      for (size_t begin = 0; begin < x.size(); begin += columns) {
        const double norm = Of(x.subspan(begin, columns));
        for (size_t i = begin; i < begin + columns; ++i) {
          y[i] = static_cast<float>(norm == 0 ? static_cast<double>(x[i]) : x[i] / norm);
        }
      }
    });
  }

 private:
  // In double precision: squares of large floats must not overflow.
  template <typename T>
  double Of(absl::Span<const T> row) const {
    double norm = norm_ == Norm::kMax ? static_cast<double>(row[0]) : 0;
    for (const T v : row) {
      const auto x = static_cast<double>(v);
      switch (norm_) {
        case Norm::kMax:
          norm = std::max(norm, x);
          break;
        case Norm::kL1:
          norm += std::abs(x);
          break;
        case Norm::kL2:
          norm += x * x;
          break;
      }
    }
    return norm_ == Norm::kL2 ? std::sqrt(norm) : norm;
  }

  const Norm norm_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeNormalizer(const NodeSpec& node,
                                                         absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"norm"}));
  SIGSERVE_ASSIGN_OR_RETURN(const std::string norm, node.attributes.String("norm", "MAX"));
  if (norm == "MAX") {
    return std::make_unique<NormalizerOp>(Norm::kMax);
  }
  if (norm == "L1") {
    return std::make_unique<NormalizerOp>(Norm::kL1);
  }
  if (norm == "L2") {
    return std::make_unique<NormalizerOp>(Norm::kL2);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'norm' is '", norm, "', expected MAX, L1 or L2"));
}

}  // namespace sigserve
