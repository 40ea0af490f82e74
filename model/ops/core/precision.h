// For products with constant weights (gemm.cc, matmul.cc, conv.cc): in what precision they
// multiply. A node of kFusedDomain may have the attribute "precision": "bf16" (kernels/bf16_gemm.h
// says what that computes). Bias, activation and everything else stay FLOAT32.
#pragma once

#include "absl/strings/string_view.h"
#include "model/ops/core/maker.h"

namespace sigserve {

enum class Precision { kFloat32, kBf16 };

inline constexpr absl::string_view kPrecisionAttribute = "precision";
inline constexpr absl::string_view kBf16Name = "bf16";

inline absl::StatusOr<Precision> ReadPrecision(const NodeSpec& node) {
  if (node.domain != kFusedDomain || !node.attributes.has(kPrecisionAttribute)) {
    return Precision::kFloat32;
  }
  const absl::StatusOr<std::string> name = node.attributes.String(kPrecisionAttribute, "");
  SIGSERVE_RETURN_IF_ERROR(name.status());
  if (kBf16Name == *name) return Precision::kBf16;
  return absl::InvalidArgumentError(absl::StrCat("precision is '", *name, "', expected bf16"));
}

}  // namespace sigserve
