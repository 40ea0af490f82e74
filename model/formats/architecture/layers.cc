#include "model/formats/architecture/layers.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int kMaxDepth = 16;

absl::Status AddSequential(const model::Layer& layer, int depth, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"layer"}));
  if (depth == kMaxDepth) {
    return BadArgument(absl::StrCat("nests more than ", kMaxDepth, " deep"));
  }
  for (int i = 0; i < layer.layer_size(); ++i) {
    SIGSERVE_RETURN_IF_ERROR(AddLayer(layer.layer(i), i, depth + 1, net));
  }
  return absl::OkStatus();
}

absl::Status AddOne(const model::Layer& layer, NetBuilder& net) {
  for (const auto add : {AddDense, AddConvolution, AddNormalization, AddActivation, AddRecurrent}) {
    SIGSERVE_ASSIGN_OR_RETURN(const bool added, add(layer, net));
    if (added) return absl::OkStatus();
  }
  return absl::UnimplementedError("ARCH_LAYER: no such layer here (architecture.proto lists all)");
}

}  // namespace

absl::Status BadArgument(absl::string_view text) { return Malformed("ARCH_ARGUMENT", text); }

absl::Status CheckArguments(const model::Layer& layer,
                            std::initializer_list<absl::string_view> allowed) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  layer.GetReflection()->ListFields(layer, &fields);
  for (const auto* field : fields) {
    const std::string& name = field->name();
    if (name == "type" || name == "key" || name == "inplace") continue;
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    return BadArgument(absl::StrCat("has no argument '", name, "'; it has ",
                                    allowed.size() == 0 ? "none" : absl::StrJoin(allowed, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Size(bool present, int64_t value, absl::string_view argument) {
  if (!present) return BadArgument(absl::StrCat(argument, " is missing"));
  if (value >= 1 && value < (int64_t{1} << 31)) return value;
  return BadArgument(absl::StrCat(argument, " is ", value, ", expected 1 or more"));
}

absl::Status CheckRank(const NetBuilder& net, int lowest, int highest) {
  if (net.rank() >= lowest && net.rank() <= highest) return absl::OkStatus();
  return BadArgument(absl::StrCat("gets ", net.rank(), " dimensions, expected ", lowest,
                                  lowest == highest ? "" : absl::StrCat(" to ", highest)));
}

absl::Status AddLayer(const model::Layer& layer, int number, int depth, NetBuilder& net) {
  const std::string outer = net.prefix();
  const std::string key = layer.has_key() ? layer.key() : absl::StrCat(number);
  if (!key.empty()) {
    if (const absl::string_view problem = NameProblem(key); !problem.empty()) {
      return BadArgument(absl::StrCat("layer ", number, ": its key ", problem));
    }
    net.set_prefix(absl::StrCat(outer, key, "."));
  }
  if (layer.type() == "Sequential") {
    absl::Status status = AddSequential(layer, depth, net);
    net.set_prefix(outer);
    return status;
  }
  const absl::Status status = AddOne(layer, net);
  net.set_prefix(outer);
  return WithSubject(
      status, absl::StrCat(layer.type().empty() ? "a layer without type" : Printable(layer.type()),
                           " ", Printable(absl::StrCat(outer, key))));
}

}  // namespace sigserve
