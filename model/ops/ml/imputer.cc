#include <cmath>
#include <type_traits>
#include <vector>

#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// Puts a value, one for all or one per feature, where another stands (NaN counts as equal to NaN).
class ImputerOp final : public Op {
 public:
  ImputerOp(std::vector<float> floats, float replaced_float, std::vector<int64_t> ints,
            int64_t replaced_int)
      : floats_(std::move(floats)),
        replaced_float_(replaced_float),
        ints_(std::move(ints)),
        replaced_int_(replaced_int) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, RowsOf(in[0]));
    const DType dtype = in[0].type.dtype;
    const bool whole = dtype == DType::kInt32 || dtype == DType::kInt64;
    const size_t count = whole ? ints_.size() : floats_.size();
    if (count != 1 && count != static_cast<size_t>(x.columns)) {
      return absl::InvalidArgumentError(absl::StrCat("has ", count, " values for ", Name(dtype),
                                                     ", the input has ", x.columns, " features"));
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitNumbers(in[0], [&](auto x) {
      using T = typename decltype(x)::value_type;
      T* y = out[0].values<T>().data();
      const Shape& shape = in[0].shape();
      const auto columns = static_cast<size_t>(shape[shape.rank() - 1]);
      for (size_t i = 0; i < x.size(); ++i) {
        if constexpr (std::is_integral_v<T>) {
          y[i] = x[i] == replaced_int_ ? static_cast<T>(Pick(ints_, i % columns)) : x[i];
        } else {
          const bool replace = std::isnan(replaced_float_)
                                   ? std::isnan(x[i])
                                   : x[i] == static_cast<T>(replaced_float_);
          y[i] = replace ? static_cast<T>(Pick(floats_, i % columns)) : x[i];
        }
      }
    });
  }

 private:
  template <typename T>
  static T Pick(const std::vector<T>& values, size_t column) {
    return values[values.size() == 1 ? 0 : column];
  }

  const std::vector<float> floats_;
  const float replaced_float_;
  const std::vector<int64_t> ints_;
  const int64_t replaced_int_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeImputer(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"imputed_value_floats", "imputed_value_int64s",
                                                  "replaced_value_float", "replaced_value_int64"}));
  SIGSERVE_ASSIGN_OR_RETURN(auto floats, attributes.Floats("imputed_value_floats"));
  SIGSERVE_ASSIGN_OR_RETURN(auto ints, attributes.Ints("imputed_value_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const float from, attributes.Float("replaced_value_float", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t from_int, attributes.Int("replaced_value_int64", 0));
  if (floats.empty() == ints.empty()) {
    return absl::InvalidArgumentError(
        "expected one of 'imputed_value_floats' and 'imputed_value_int64s'");
  }
  return std::make_unique<ImputerOp>(std::move(floats), from, std::move(ints), from_int);
}

}  // namespace sigserve
