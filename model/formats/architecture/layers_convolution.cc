#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/layers.h"

namespace sigserve {
namespace {

using Sizes = std::vector<int64_t>;

/// The same padding before and after, as ONNX wants it.
Sizes Pads(const Sizes& padding) {
  Sizes pads = padding;
  pads.insert(pads.end(), padding.begin(), padding.end());
  return pads;
}

struct Window {
  Sizes kernel;
  Sizes stride;
  Sizes padding;
  Sizes dilation;
};

absl::StatusOr<Window> ReadWindow(const model::Layer& layer, int dims, bool pooling) {
  Window window;
  if (layer.kernel_size().empty()) return BadArgument("kernel_size is missing");
  SIGSERVE_ASSIGN_OR_RETURN(window.kernel,
                            PerDimension(layer.kernel_size(), dims, {}, 1, "kernel_size"));
  SIGSERVE_ASSIGN_OR_RETURN(
      window.stride,
      PerDimension(layer.stride(), dims, pooling ? window.kernel : Sizes{1}, 1, "stride"));
  SIGSERVE_ASSIGN_OR_RETURN(window.padding, PerDimension(layer.padding(), dims, {0}, 0, "padding"));
  SIGSERVE_ASSIGN_OR_RETURN(window.dilation,
                            PerDimension(layer.dilation(), dims, {1}, 1, "dilation"));
  return window;
}

absl::Status AddConv(const model::Layer& layer, int dims, bool transposed, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(
      transposed
          ? CheckArguments(layer, {"in_channels", "out_channels", "kernel_size", "stride",
                                   "padding", "output_padding", "groups", "bias", "dilation"})
          : CheckArguments(layer, {"in_channels", "out_channels", "kernel_size", "stride",
                                   "padding", "dilation", "groups", "bias"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, dims + 2, dims + 2));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t in,
                            Size(layer.has_in_channels(), layer.in_channels(), "in_channels"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t out,
                            Size(layer.has_out_channels(), layer.out_channels(), "out_channels"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t groups,
                            Size(true, layer.has_groups() ? layer.groups() : 1, "groups"));
  if (in % groups != 0 || out % groups != 0) {
    return BadArgument(absl::StrCat("groups ", groups, " must divide in_channels ", in,
                                    " and out_channels ", out));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const Window window, ReadWindow(layer, dims, /*pooling=*/false));
  Attributes attributes = With({{"kernel_shape", window.kernel},
                                {"strides", window.stride},
                                {"pads", Pads(window.padding)},
                                {"dilations", window.dilation},
                                {"group", groups}});
  Shape shape = transposed ? Shape{in, out / groups} : Shape{out, in / groups};
  for (const int64_t size : window.kernel) shape.push_back(size);
  if (transposed) {
    SIGSERVE_ASSIGN_OR_RETURN(Sizes more,
                              PerDimension(layer.output_padding(), dims, {0}, 0, "output_padding"));
    SIGSERVE_RETURN_IF_ERROR(attributes.Add("output_padding", std::move(more)));
  }
  std::vector<std::string> inputs = {net.WeightConstant("weight", shape)};
  if (!layer.has_bias() || layer.bias()) {
    inputs.push_back(net.WeightConstant("bias", Shape{out}));
  }
  net.Then(transposed ? "ConvTranspose" : "Conv", std::move(inputs), std::move(attributes));
  return absl::OkStatus();
}

absl::Status AddPool(const model::Layer& layer, int dims, bool maximum, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(
      maximum ? CheckArguments(layer, {"kernel_size", "stride", "padding", "dilation", "ceil_mode"})
              : CheckArguments(
                    layer, {"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, dims + 2, dims + 2));
  SIGSERVE_ASSIGN_OR_RETURN(const Window window, ReadWindow(layer, dims, /*pooling=*/true));
  Attributes attributes = With({{"kernel_shape", window.kernel},
                                {"strides", window.stride},
                                {"pads", Pads(window.padding)},
                                {"ceil_mode", int64_t{layer.ceil_mode() ? 1 : 0}}});
  if (maximum) {
    SIGSERVE_RETURN_IF_ERROR(attributes.Add("dilations", window.dilation));
  } else {
    const bool include = !layer.has_count_include_pad() || layer.count_include_pad();
    SIGSERVE_RETURN_IF_ERROR(attributes.Add("count_include_pad", int64_t{include ? 1 : 0}));
  }
  net.Then(maximum ? "MaxPool" : "AveragePool", {}, std::move(attributes));
  return absl::OkStatus();
}

absl::Status AddGlobalPool(const model::Layer& layer, int dims, bool maximum, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"output_size"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, dims + 2, dims + 2));
  SIGSERVE_ASSIGN_OR_RETURN(const Sizes size,
                            PerDimension(layer.output_size(), dims, {}, 1, "output_size"));
  if (size != Sizes(static_cast<size_t>(dims), 1)) {
    return BadArgument("output_size other than 1 is not supported");
  }
  net.Then(maximum ? "GlobalMaxPool" : "GlobalAveragePool");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> AddConvolution(const model::Layer& layer, NetBuilder& net) {
  absl::string_view type = layer.type();
  const int dims = absl::EndsWith(type, "1d") ? 1 : absl::EndsWith(type, "2d") ? 2 : 0;
  if (dims == 0) return false;
  type.remove_suffix(2);
  absl::Status status;
  if (type == "Conv" || type == "ConvTranspose") {
    status = AddConv(layer, dims, type == "ConvTranspose", net);
  } else if (type == "MaxPool" || type == "AvgPool") {
    status = AddPool(layer, dims, type == "MaxPool", net);
  } else if (type == "AdaptiveMaxPool" || type == "AdaptiveAvgPool") {
    status = AddGlobalPool(layer, dims, type == "AdaptiveMaxPool", net);
  } else {
    return false;
  }
  if (!status.ok()) return status;
  return true;
}

}  // namespace sigserve
