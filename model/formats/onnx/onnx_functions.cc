#include "model/formats/onnx/onnx_functions.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/onnx/onnx_tensor.h"

namespace sigserve {
namespace {

absl::string_view Domain(absl::string_view domain) {
  return domain == "ai.onnx" ? absl::string_view() : domain;
}

/// How deep a function's calls of other functions go. Remembers what it has found.
class CallDepth {
 public:
  explicit CallDepth(const onnx::ModelProto& model) {
    for (const onnx::FunctionProto& function : model.functions()) {
      functions_[{Domain(function.domain()), function.name()}] = {&function, kUnknown};
    }
  }

  absl::StatusOr<int> Of(const onnx::FunctionProto& function, int above = 1) {
    if (above > kMaxCalls) {
      return absl::InvalidArgumentError(absl::StrCat("ONNX_DEPTH: function ",
                                                     Printable(function.name()),
                                                     " is called more than ", kMaxCalls, " deep"));
    }
    Entry& entry = functions_[{Domain(function.domain()), function.name()}];
    if (entry.depth == kBusy) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_CYCLE: function ", Printable(function.name()), " calls itself"));
    }
    if (entry.depth != kUnknown) return entry.depth;
    entry.depth = kBusy;
    int deepest = 0;
    for (const onnx::NodeProto& node : function.node()) {
      const auto called = functions_.find({Domain(node.domain()), node.op_type()});
      if (called == functions_.end()) continue;
      SIGSERVE_ASSIGN_OR_RETURN(const int depth, Of(*called->second.function, above + 1));
      deepest = std::max(deepest, depth);
    }
    return entry.depth = deepest + 1;
  }

 private:
  static constexpr int kMaxCalls = 100;
  static constexpr int kUnknown = -1;
  static constexpr int kBusy = -2;
  struct Entry {
    const onnx::FunctionProto* function = nullptr;
    int depth = kUnknown;
  };
  std::map<std::pair<absl::string_view, absl::string_view>, Entry> functions_;
};

}  // namespace

absl::Status RefuseFunctions(const onnx::ModelProto& model) {
  if (model.functions_size() == 0) return absl::OkStatus();
  // Functions that no caller could use are malformed, not merely unsupported.
  CallDepth depth(model);
  for (const onnx::FunctionProto& function : model.functions()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(function.name(), "function"));
    SIGSERVE_RETURN_IF_ERROR(depth.Of(function).status());
  }
  return absl::UnimplementedError(absl::StrCat("ONNX_OP: function ",
                                               Printable(model.functions(0).name()),
                                               ": model-local functions are not supported"));
}

}  // namespace sigserve
