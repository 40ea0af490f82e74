#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// The inputs' columns side by side, as FLOAT32. An input of one dimension is one row.
class FeatureVectorizerOp final : public Op {
 public:
  /// `columns`: of each input; empty: as many as it has.
  explicit FeatureVectorizerOp(std::vector<int64_t> columns) : columns_(std::move(columns)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (!columns_.empty() && columns_.size() != in.size()) {
      return absl::InvalidArgumentError(absl::StrCat("inputdimensions has ", columns_.size(),
                                                     " numbers for ", in.size(), " inputs"));
    }
    int64_t rows = 0;
    int64_t total = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      auto shape = RowsOf(in[i]);
      if (!shape.ok()) return Annotate(shape.status(), absl::StrCat("input ", i));
      if (!columns_.empty() && shape->columns != columns_[i]) {
        return absl::InvalidArgumentError(absl::StrCat(
            "input ", i, " has ", shape->columns, " columns, inputdimensions says ", columns_[i]));
      }
      if (i > 0 && shape->rows != rows) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", i, " has ", shape->rows, " rows, input 0 has ", rows));
      }
      rows = shape->rows;
      if (shape->columns > std::numeric_limits<int64_t>::max() - total) {
        return absl::InvalidArgumentError("the inputs have more columns than can be counted");
      }
      total += shape->columns;
    }
    return SetOutput(DType::kFloat32, Shape{rows, total}, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const int64_t rows = out[0].shape()[0];
    const auto total = static_cast<size_t>(out[0].shape()[1]);
    float* y = out[0].values<float>().data();
    for (const TensorView& input : in) {
      const auto columns = static_cast<size_t>(input.shape()[input.shape().rank() - 1]);
      VisitNumbers(input, [&](auto x) {
        for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
          std::transform(x.begin() + row * columns, x.begin() + (row + 1) * columns,
                         y + row * total, [](auto v) { return static_cast<float>(v); });
        }
      });
      y += columns;
    }
  }

 private:
  const std::vector<int64_t> columns_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeFeatureVectorizer(const NodeSpec& node,
                                                                absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"inputdimensions"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> columns, node.attributes.Ints("inputdimensions"));
  return std::make_unique<FeatureVectorizerOp>(std::move(columns));
}

}  // namespace sigserve
