#include <array>
#include <numeric>
#include <vector>

#include "model/ops/nn/conv_weights.h"
#include "model/ops/nn/window.h"

namespace sigserve {
namespace {

// Outputs whose distance is a multiple of the stride read the same taps, so each such phase is a
// convolution of stride 1 with some of the taps. Along one axis, output o reads input i by tap k
// where o + pad = i * stride + k * dilation.
constexpr size_t kTogether = 4;  // of these phases

struct Phase {
  int64_t first_tap = 0;
  int64_t taps = 0;
  int64_t tap_step = 1;  // in taps; the input moves by -tap_step * dilation / stride
};

// The taps that outputs read whose (o + pad) % stride is `remainder`.
Phase PhaseOf(const WindowAxis& axis, int64_t remainder) {
  Phase phase;
  const int64_t common = std::gcd(axis.stride, axis.dilation);
  phase.tap_step = axis.stride / common;
  const int64_t limit = std::min(phase.tap_step, axis.kernel);
  for (int64_t k = 0; k < limit; ++k) {
    if (k * axis.dilation % axis.stride == remainder) {
      phase.first_tap = k;
      phase.taps = (axis.kernel - 1 - k) / phase.tap_step + 1;
      break;
    }
  }
  return phase;
}

class ConvTransposeOp final : public Op {
 public:
  struct Settings {
    Window window;
    int64_t groups = 1;
    std::vector<int64_t> output_padding;
    std::vector<int64_t> output_shape;
    kernels::ConvEpilogue epilogue;
  };

  ConvTransposeOp(Settings settings, const TensorView& w) : settings_(std::move(settings)) {
    const bool usable = w.present() && w.dtype() == DType::kFloat32 && w.shape().rank() >= 3 &&
                        w.shape().rank() <= 4 && w.shape()[0] % settings_.groups == 0;
    if (usable) {
      // Packing does not depend on the input's size: any shape of this rank will do for it.
      const auto axes = Axes(w.shape(), w.shape());
      if (axes.ok()) {
        packed_ = AlignedBuffer::Uninitialized(PackedSize(*axes, w.shape()) * sizeof(float));
        Pack(*axes, w, static_cast<float*>(packed_.data()));
      }
    }
  }

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& x = in[0].type.shape;
    const Shape& w = in[1].type.shape;
    if (w.rank() != x.rank()) {
      return absl::InvalidArgumentError(absl::StrCat("X is ", x.ToString(), ", W is ", w.ToString(),
                                                     ": they must have one rank"));
    }
    const std::vector<int64_t>& kernel = settings_.window.kernel;
    SIGSERVE_ASSIGN_OR_RETURN(WindowAxes axes, Axes(x, w));
    if (!kernel.empty() && absl::MakeConstSpan(kernel) != w.dims().subspan(2)) {
      return absl::InvalidArgumentError(
          absl::StrCat("kernel_shape is ", Shape(kernel).ToString(), ", W is ", w.ToString()));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckEntries("the window's sizes in W", w.dims().subspan(2), 1));
    if (w[0] != x[1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("X has ", x[1], " channels, W ", w.ToString(), " needs ", w[0]));
    }
    if (w[0] % settings_.groups != 0) {
      return absl::InvalidArgumentError(absl::StrCat("X has ", x[1], " channels, which group ",
                                                     settings_.groups, " does not divide"));
    }
    int64_t channels = 0;
    if (__builtin_mul_overflow(w[1], settings_.groups, &channels)) {
      return absl::InvalidArgumentError("too many output channels");
    }
    SIGSERVE_RETURN_IF_ERROR(CheckConvOperands(in, channels));
    SIGSERVE_RETURN_IF_ERROR(Place(x, axes));
    return SetOutput(DType::kFloat32, WindowOutput(x, channels, axes), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    const Shape& x = in[0].shape();
    const Shape& w = in[1].shape();
    WindowAxes axes = *Axes(x, w);
    Place(x, axes).IgnoreError();  // Infer() has said that it fits
    const float* packed = DataOf(packed_);
    if (packed_.size() == 0) {
      float* late = workspace.Take<float>(PackedSize(axes, w)).data();
      Pack(axes, in[1], late);
      packed = late;
    }
    kernels::ConvEpilogue epilogue = settings_.epilogue;
    if (in.size() > 2 && in[2].present()) {
      epilogue.bias = in[2].values<float>().data();
    }
    std::array<kernels::ConvShape, kTogether> shapes;
    size_t count = 0;
    const auto convolve = [&] {
      kernels::Convolve(absl::MakeConstSpan(shapes.data(), count), in[0].values<float>().data(),
                        packed, epilogue, out[0].values<float>().data());
      for (size_t i = 0; i < count; ++i) {
        packed +=
            shapes[i].groups * kernels::PackedConvSize(shapes[i].out_channels, shapes[i].depth());
      }
      count = 0;
    };
    ForEachPhase(axes, [&](int64_t remainder_y, int64_t remainder_x, const Phase& phase_y,
                           const Phase& phase_x) {
      kernels::ConvShape& shape = shapes[count++];
      shape = Channels(w);
      shape.batch = static_cast<size_t>(x[0]);
      shape.y = AxisOf(axes[1], remainder_y, phase_y);
      shape.x = AxisOf(axes[2], remainder_x, phase_x);
      if (count == kTogether) convolve();
    });
    convolve();
  }

  // For weights that are no constant: they are packed in each run.
  int64_t WorkspaceBytes(absl::Span<const TensorType> in) const override {
    if (packed_.size() > 0) return 0;
    const WindowAxes axes = *Axes(in[0].shape, in[1].shape);
    return Workspace::BytesFor<float>(static_cast<double>(PackedSize(axes, in[1].shape)));
  }

 private:
  absl::StatusOr<WindowAxes> Axes(const Shape& x, const Shape& w) const {
    return settings_.window.Axes(x, w.dims().subspan(std::min<size_t>(2, w.dims().size())), 2);
  }

  // Sets pads and output of each axis.
  absl::Status Place(const Shape& x, WindowAxes& axes) const {
    const auto rank = static_cast<size_t>(x.rank()) - 2;
    const AutoPad auto_pad = settings_.window.auto_pad;
    const bool same = auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower;
    for (const auto* list : {&settings_.output_padding, &settings_.output_shape}) {
      if (!list->empty() && list->size() != rank) {
        return absl::InvalidArgumentError(
            absl::StrCat(list == &settings_.output_shape ? "output_shape" : "output_padding",
                         " has ", list->size(), " entries, expected ", rank));
      }
    }
    for (size_t i = 0; i < rank; ++i) {
      WindowAxis& axis = axes[axes.size() - rank + i];
      const int64_t extra = settings_.output_padding.empty() ? 0 : settings_.output_padding[i];
      if (extra >= std::max(axis.stride, axis.dilation)) {
        return absl::InvalidArgumentError(absl::StrCat("output_padding ", extra,
                                                       " is not below stride ", axis.stride,
                                                       " or dilation ", axis.dilation));
      }
      const int64_t full = (axis.input - 1) * axis.stride + axis.extent() + extra;
      if (!settings_.output_shape.empty() || same) {
        axis.output = same && settings_.output_shape.empty() ? axis.input * axis.stride
                                                             : settings_.output_shape[i];
        const int64_t total = std::max<int64_t>(full - axis.output, 0);
        axis.pad_begin = auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
        axis.pad_end = total - axis.pad_begin;
      } else {
        axis.output = full - axis.pad_begin - axis.pad_end;
      }
      if (axis.output < 1) {
        return absl::InvalidArgumentError(absl::StrCat(
            "input ", x.ToString(), ": size ", axis.input, " gives an output of ", axis.output));
      }
    }
    return absl::OkStatus();
  }

  // f(y, x, phase of y, phase of x) for each pair of remainders of the strides: in the order of
  // packing.
  template <typename F>
  static void ForEachPhase(const WindowAxes& axes, F f) {
    for (int64_t y = 0; y < axes[1].stride; ++y) {
      const Phase phase_y = PhaseOf(axes[1], y);
      for (int64_t x = 0; x < axes[2].stride; ++x) {
        f(y, x, phase_y, PhaseOf(axes[2], x));
      }
    }
  }

  static kernels::ConvAxis AxisOf(const WindowAxis& axis, int64_t remainder, const Phase& phase) {
    // The first output of this phase.
    const int64_t first = ((remainder - axis.pad_begin) % axis.stride + axis.stride) % axis.stride;
    kernels::ConvAxis result;
    result.input = static_cast<size_t>(axis.input);
    result.output = static_cast<size_t>(axis.output);
    result.grid =
        first < axis.output ? static_cast<size_t>((axis.output - 1 - first) / axis.stride + 1) : 0;
    result.out_first = static_cast<size_t>(first);
    result.out_step = static_cast<size_t>(axis.stride);
    result.taps = static_cast<size_t>(phase.taps);
    result.first = (first + axis.pad_begin - phase.first_tap * axis.dilation) / axis.stride;
    result.tap_step = -(phase.tap_step * axis.dilation / axis.stride);
    return result;
  }

  kernels::ConvShape Channels(const Shape& w) const {
    kernels::ConvShape shape;
    shape.groups = static_cast<size_t>(settings_.groups);
    shape.in_channels = static_cast<size_t>(w[0] / settings_.groups);
    shape.out_channels = static_cast<size_t>(w[1]);
    return shape;
  }

  // Numbers in the packed weights of one phase and group; sets the taps of `shape`.
  static size_t PackedPhaseSize(const Phase& y, const Phase& x, kernels::ConvShape* shape) {
    shape->y.taps = static_cast<size_t>(y.taps);
    shape->x.taps = static_cast<size_t>(x.taps);
    return kernels::PackedConvSize(shape->out_channels, shape->depth());
  }

  // Numbers in all packed weights.
  size_t PackedSize(const WindowAxes& axes, const Shape& w) const {
    kernels::ConvShape shape = Channels(w);
    size_t size = 0;
    ForEachPhase(axes, [&](int64_t, int64_t, const Phase& y, const Phase& x) {
      size += shape.groups * PackedPhaseSize(y, x, &shape);
    });
    return size;
  }

  // W: [input channels, output channels of a group, (height,) width]. Phase after phase.
  void Pack(const WindowAxes& axes, const TensorView& w, float* to) const {
    kernels::ConvShape shape = Channels(w.shape());
    const auto taps_x = static_cast<size_t>(axes[2].kernel);
    const size_t taps = taps_x * static_cast<size_t>(axes[1].kernel);
    ForEachPhase(axes, [&](int64_t, int64_t, const Phase& y, const Phase& x) {
      const size_t count = PackedPhaseSize(y, x, &shape);
      kernels::ConvWeights weights;
      weights.data = w.values<float>().data() + static_cast<size_t>(y.first_tap) * taps_x +
                     static_cast<size_t>(x.first_tap);
      weights.row_stride = taps;
      weights.channel_stride = shape.out_channels * taps;
      weights.y_stride = static_cast<size_t>(y.tap_step) * taps_x;
      weights.x_stride = static_cast<size_t>(x.tap_step);
      for (size_t group = 0; group < shape.groups; ++group) {
        kernels::PackConvWeights(weights, shape, {to, count});
        to += count;
        weights.data += shape.in_channels * weights.channel_stride;
      }
    });
  }

  const Settings settings_;
  AlignedBuffer packed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeConvTranspose(
    const NodeSpec& node, absl::Span<const TensorView> constants) {
  ConvTransposeOp::Settings settings;
  SIGSERVE_ASSIGN_OR_RETURN(
      settings.epilogue,
      ReadConvEpilogue(node, {"auto_pad", "dilations", "group", "kernel_shape", "output_padding",
                              "output_shape", "pads", "strides"}));
  SIGSERVE_ASSIGN_OR_RETURN(settings.window, Window::Read(node.attributes));
  SIGSERVE_ASSIGN_OR_RETURN(settings.groups, node.attributes.Int("group", 1));
  SIGSERVE_ASSIGN_OR_RETURN(settings.output_padding, node.attributes.Ints("output_padding"));
  SIGSERVE_ASSIGN_OR_RETURN(settings.output_shape, node.attributes.Ints("output_shape"));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("group", {settings.groups}, 1));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("output_padding", settings.output_padding, 0));
  SIGSERVE_RETURN_IF_ERROR(CheckEntries("output_shape", settings.output_shape, 1));
  constexpr int64_t kMaxStride = 64;  // there are as many phases
  for (const int64_t stride : settings.window.strides) {
    if (stride > kMaxStride) {
      return absl::UnimplementedError(
          absl::StrCat("strides has ", stride, ", supported are up to ", kMaxStride));
    }
  }
  return std::make_unique<ConvTransposeOp>(std::move(settings), constants[1]);
}

}  // namespace sigserve
