#include "model/ops/ml/support_vectors.h"

#include <cmath>

namespace sigserve {
namespace {

template <typename Term>
inline void AddTerms(const double* row, size_t features, const float* panel, size_t width,
                     Term term, double* sums) {
  for (size_t f = 0; f < features; ++f, panel += width) {
    for (size_t i = 0; i < width; ++i) {
      sums[i] += term(row[f], static_cast<double>(panel[i]));
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<float>> FiniteFloats(const Attributes& attributes,
                                                absl::string_view name) {
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<float> values, attributes.Floats(name));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", name, "': entry ", i, " is ", values[i]));
    }
  }
  return values;
}

absl::StatusOr<SupportVectors> SupportVectors::Make(const Attributes& attributes,
                                                    absl::string_view name, int64_t count,
                                                    bool linear) {
  SupportVectors result;
  if (!linear) {
    SIGSERVE_RETURN_IF_ERROR(result.ReadKernel(attributes));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<float> vectors, FiniteFloats(attributes, name));
  const auto numbers = static_cast<int64_t>(vectors.size());
  if (count < 1 || numbers == 0 || numbers % count != 0) {
    return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' has ", numbers,
                                                   " numbers for ", count,
                                                   " vectors, expected a positive multiple"));
  }
  result.count_ = static_cast<size_t>(count);
  result.features_ = vectors.size() / result.count_;
  result.panels_.resize(vectors.size());
  for (size_t v = 0; v < result.count_; ++v) {
    const size_t first = v / kPanel * kPanel;
    const size_t width = std::min(kPanel, result.count_ - first);
    float* to = result.panels_.data() + first * result.features_ + (v - first);
    for (size_t f = 0; f < result.features_; ++f) {
      to[f * width] = vectors[v * result.features_ + f];
    }
  }
  return result;
}

absl::Status SupportVectors::ReadKernel(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string type, attributes.String("kernel_type", "LINEAR"));
  if (type == "LINEAR") {
    kernel_ = SvmKernel::kLinear;
  } else if (type == "POLY") {
    kernel_ = SvmKernel::kPoly;
  } else if (type == "RBF") {
    kernel_ = SvmKernel::kRbf;
  } else if (type == "SIGMOID") {
    kernel_ = SvmKernel::kSigmoid;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("attribute 'kernel_type' is '", type,
                                                   "', expected LINEAR, POLY, RBF or SIGMOID"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<float> params,
                            FiniteFloats(attributes, "kernel_params"));
  if (params.size() != 3 && !(params.empty() && kernel_ == SvmKernel::kLinear)) {
    return absl::InvalidArgumentError(absl::StrCat("attribute 'kernel_params' has ", params.size(),
                                                   " numbers, expected gamma, coef0 and degree"));
  }
  if (!params.empty()) {
    gamma_ = params[0];
    offset_ = params[1];
    degree_ = params[2];
  }
  return absl::OkStatus();
}

absl::StatusOr<RowShape> SupportVectors::CheckInput(const Operand& x) const {
  SIGSERVE_ASSIGN_OR_RETURN(const RowShape rows, RowsOf(x));
  if (rows.columns != static_cast<int64_t>(features_)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input has ", rows.columns, " features, the support vectors have ", features_));
  }
  return rows;
}

std::array<double, SupportVectors::kPanel> SupportVectors::Evaluate(const double* row,
                                                                    size_t first) const {
  const auto product = [](double x, double v) { return x * v; };
  const auto square = [](double x, double v) { return (x - v) * (x - v); };
  const size_t width = std::min(kPanel, count_ - first);
  std::array<double, kPanel> sums = {};
  const auto add = [&](auto term) {
    const float* panel = panels_.data() + first * features_;
    // A width that the compiler knows, so that the sums are vectors.
    if (width == kPanel) {
      AddTerms(row, features_, panel, kPanel, term, sums.data());
    } else {
      AddTerms(row, features_, panel, width, term, sums.data());
    }
  };
  if (kernel_ == SvmKernel::kRbf) {
    add(square);
  } else {
    add(product);
  }
  if (kernel_ != SvmKernel::kLinear) {
    for (size_t i = 0; i < width; ++i) {
      sums[i] = Finish(sums[i]);
    }
  }
  return sums;
}

double SupportVectors::Finish(double value) const {
  switch (kernel_) {
    case SvmKernel::kPoly:
      return std::pow(gamma_ * value + offset_, degree_);
    case SvmKernel::kRbf:
      return std::exp(-gamma_ * value);
    case SvmKernel::kSigmoid:
      return std::tanh(gamma_ * value + offset_);
    case SvmKernel::kLinear:
      break;
  }
  return value;
}

}  // namespace sigserve
