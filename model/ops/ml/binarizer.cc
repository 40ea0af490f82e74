#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// 1 where x > threshold, else 0, in the input's own type.
class BinarizerOp final : public Op {
 public:
  explicit BinarizerOp(float threshold) : threshold_(threshold) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitNumbers(in[0], [&](auto x) {
      using T = typename decltype(x)::value_type;
      T* y = out[0].values<T>().data();
      for (size_t i = 0; i < x.size(); ++i) {
        y[i] = static_cast<double>(x[i]) > static_cast<double>(threshold_) ? T{1} : T{0};
      }
    });
  }

 private:
  const float threshold_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeBinarizer(const NodeSpec& node,
                                                        absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"threshold"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float threshold, node.attributes.Float("threshold", 0));
  return std::make_unique<BinarizerOp>(threshold);
}

}  // namespace sigserve
