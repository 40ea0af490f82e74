#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/layers.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxLayers = 64;

struct Recurrent {
  absl::string_view op;
  std::vector<int> gates;  // ONNX's gate i is PyTorch's gates[i]
};

/// Rows of one direction's weights in ONNX's order of gates, appended to `to`.
void AppendGates(const Tensor& from, const std::vector<int>& gates, std::vector<float>& to) {
  const auto values = from.values<float>();
  const size_t gate = values.size() / gates.size();
  for (const int g : gates) {
    const auto begin = values.begin() + static_cast<ptrdiff_t>(gate * static_cast<size_t>(g));
    to.insert(to.end(), begin, begin + static_cast<ptrdiff_t>(gate));
  }
}

struct Sizes {
  int64_t input = 0;
  int64_t hidden = 0;
  int64_t directions = 1;
  bool bias = true;
};

/// One of the stacked layers: reads and leaves [time, batch, features].
void AddStacked(const Recurrent& kind, const Sizes& sizes, int64_t number, Attributes attributes,
                NetBuilder& net) {
  const auto gates = static_cast<int64_t>(kind.gates.size());
  const int64_t rows = gates * sizes.hidden;
  std::vector<float> w;
  std::vector<float> r;
  std::vector<float> b;
  bool complete = true;
  const auto take = [&](absl::string_view name, const std::string& suffix, const Shape& shape,
                        std::vector<float>& to) {
    const Tensor* tensor = net.Weight(absl::StrCat(name, suffix), shape);
    complete = complete && tensor != nullptr;
    if (tensor != nullptr) AppendGates(*tensor, kind.gates, to);
  };
  for (int64_t d = 0; d < sizes.directions; ++d) {
    const std::string suffix = absl::StrCat("_l", number, d == 1 ? "_reverse" : "");
    take("weight_ih", suffix, Shape{rows, sizes.input}, w);
    take("weight_hh", suffix, Shape{rows, sizes.hidden}, r);
    if (!sizes.bias) continue;
    take("bias_ih", suffix, Shape{rows}, b);
    take("bias_hh", suffix, Shape{rows}, b);
  }
  if (!complete) return;
  const int64_t dirs = sizes.directions;
  std::vector<std::string> inputs = {
      net.Constant(Tensor::Of<float>(Shape{dirs, rows, sizes.input}, w)),
      net.Constant(Tensor::Of<float>(Shape{dirs, rows, sizes.hidden}, r))};
  if (sizes.bias) inputs.push_back(net.Constant(Tensor::Of<float>(Shape{dirs, 2 * rows}, b)));
  net.Then(kind.op, std::move(inputs), std::move(attributes));
  // [time, direction, batch, hidden]
  net.Then("Transpose", {}, With({{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
  net.Then("Reshape", {net.Ints({0, 0, dirs * sizes.hidden})});
}

}  // namespace

absl::StatusOr<bool> AddRecurrent(const model::Layer& layer, NetBuilder& net) {
  Recurrent kind;
  if (layer.type() == "LSTM") {
    kind = {"LSTM", {0, 3, 1, 2}};  // i f g o -> i o f c
  } else if (layer.type() == "GRU") {
    kind = {"GRU", {1, 0, 2}};  // r z n -> z r h
  } else if (layer.type() == "RNN") {
    kind = {"RNN", {0}};
  } else {
    return false;
  }
  SIGSERVE_RETURN_IF_ERROR(
      kind.op == "RNN"
          ? CheckArguments(layer, {"input_size", "hidden_size", "num_layers", "bias", "batch_first",
                                   "bidirectional", "nonlinearity", "p"})
          : CheckArguments(layer, {"input_size", "hidden_size", "num_layers", "bias", "batch_first",
                                   "bidirectional", "p"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, 3, 3));
  if (!layer.batch_first()) {
    return BadArgument("batch_first must be true: dimension 0 is the batch");
  }
  Sizes sizes;
  SIGSERVE_ASSIGN_OR_RETURN(sizes.input,
                            Size(layer.has_input_size(), layer.input_size(), "input_size"));
  SIGSERVE_ASSIGN_OR_RETURN(sizes.hidden,
                            Size(layer.has_hidden_size(), layer.hidden_size(), "hidden_size"));
  const int64_t count = layer.has_num_layers() ? layer.num_layers() : 1;
  if (count < 1 || count > kMaxLayers) {
    return BadArgument(absl::StrCat("num_layers is ", count, ", expected 1 to ", kMaxLayers));
  }
  sizes.directions = layer.bidirectional() ? 2 : 1;
  sizes.bias = !layer.has_bias() || layer.bias();
  Attributes attributes =
      With({{"hidden_size", sizes.hidden},
            {"direction", std::string(layer.bidirectional() ? "bidirectional" : "forward")}});
  if (kind.op == "GRU") {
    SIGSERVE_RETURN_IF_ERROR(attributes.Add("linear_before_reset", int64_t{1}));
  }
  if (kind.op == "RNN") {
    const std::string& name = layer.nonlinearity();
    if (!name.empty() && name != "tanh" && name != "relu") {
      return BadArgument("nonlinearity must be tanh or relu");
    }
    SIGSERVE_RETURN_IF_ERROR(attributes.Add(
        "activations", std::vector<std::string>(static_cast<size_t>(sizes.directions),
                                                name == "relu" ? "Relu" : "Tanh")));
  }
  const Attributes swap = With({{"perm", std::vector<int64_t>{1, 0, 2}}});
  net.Then("Transpose", {}, swap);
  for (int64_t i = 0; i < count; ++i) {
    AddStacked(kind, sizes, i, attributes, net);
    sizes.input = sizes.directions * sizes.hidden;
  }
  net.Then("Transpose", {}, swap);
  return true;
}

}  // namespace sigserve
