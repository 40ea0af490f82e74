// For svm_classifier.cc and svm_regressor.cc: support vectors and their kernel function.
//
// Everything is computed in double precision, as libsvm does, and each row by itself, in one order.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {

/// A FLOATS attribute. INVALID_ARGUMENT when there is a NaN or an infinity in it.
absl::StatusOr<std::vector<float>> FiniteFloats(const Attributes& attributes,
                                                absl::string_view name);

enum class SvmKernel { kLinear, kPoly, kRbf, kSigmoid };

class SupportVectors {
 public:
  /// `count` vectors from the attribute `name`, one after the other, and the node's kernel_type and
  /// kernel_params. `linear`: the kernel is LINEAR whatever these say.
  static absl::StatusOr<SupportVectors> Make(const Attributes& attributes, absl::string_view name,
                                             int64_t count, bool linear);

  /// INVALID_ARGUMENT when the rows have another number of features.
  absl::StatusOr<RowShape> CheckInput(const Operand& x) const;

  /// Of ForEachRow().
  int64_t WorkspaceBytes() const {
    return Workspace::BytesFor<double>(static_cast<double>(features_));
  }

  /// For each row of `x`: begin(row), then add(vector, kernel of the two) for every vector in
  /// order, then end(row).
  template <typename Begin, typename Add, typename End>
  void ForEachRow(const TensorView& x, size_t rows, Workspace workspace, Begin begin, Add add,
                  End end) const {
    const absl::Span<double> row = workspace.Take<double>(features_);
    VisitNumbers(x, [&](auto values) {
      for (size_t r = 0; r < rows; ++r) {
        std::copy_n(values.data() + r * features_, features_, row.data());
        begin(r);
        for (size_t first = 0; first < count_; first += kPanel) {
          const std::array<double, kPanel> kernels = Evaluate(row.data(), first);
          for (size_t i = 0; i < std::min(kPanel, count_ - first); ++i) {
            add(first + i, kernels[i]);
          }
        }
        end(r);
      }
    });
  }

 private:
  static constexpr size_t kPanel = 16;  // vectors that are evaluated together

  absl::Status ReadKernel(const Attributes& attributes);
  std::array<double, kPanel> Evaluate(const double* row, size_t first) const;
  double Finish(double value) const;

  size_t count_ = 0;
  size_t features_ = 0;
  std::vector<float> panels_;  // of kPanel vectors, feature by feature; the last may have fewer
  SvmKernel kernel_ = SvmKernel::kLinear;
  double gamma_ = 0;
  double offset_ = 0;
  double degree_ = 0;
};

}  // namespace sigserve
