#include "model/ops/nn/recurrent.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/kernels/activation.h"

namespace sigserve {

void RecurrentActivation::Run(absl::Span<float> x) const {
  switch (kind) {
    case Kind::kAffine:
      for (float& v : x) {
        v = alpha * v + beta;
      }
      return;
    case Kind::kElu:
      return kernels::Elu(x, alpha, x);
    case Kind::kHardSigmoid:
      return kernels::HardSigmoid(x, alpha, beta, x);
    case Kind::kLeakyRelu:
      return kernels::LeakyRelu(x, alpha, x);
    case Kind::kRelu:
      return kernels::Relu(x, x);
    case Kind::kScaledTanh:
      for (float& v : x) {
        v *= beta;
      }
      kernels::Tanh(x, x);
      for (float& v : x) {
        v *= alpha;
      }
      return;
    case Kind::kSigmoid:
      return kernels::Sigmoid(x, x);
    case Kind::kSoftplus:
      return kernels::Softplus(x, x);
    case Kind::kSoftsign:
      return kernels::Softsign(x, x);
    case Kind::kTanh:
      return kernels::Tanh(x, x);
    case Kind::kThresholdedRelu:
      return kernels::ThresholdedRelu(x, alpha, x);
  }
}

namespace {

kernels::MatrixView PartOf(const TensorView& weights, const RecurrentKind& kind, size_t direction,
                           size_t part) {
  const Shape& shape = weights.shape();  // [directions, gates * hidden, columns]
  const auto columns = static_cast<size_t>(shape[2]);
  const size_t hidden = static_cast<size_t>(shape[1]) / static_cast<size_t>(kind.gates);
  size_t gate = 0;
  for (size_t p = 0; p < part; ++p) {
    gate += static_cast<size_t>(kind.parts[p]);
  }
  const float* data = static_cast<const float*>(weights.data()) +
                      (direction * static_cast<size_t>(kind.gates) + gate) * hidden * columns;
  return kernels::MatrixView::RowMajor(data, static_cast<size_t>(kind.parts[part]) * hidden,
                                       columns)
      .Transposed();
}

// Where row b of state `direction` lies in a tensor of states.
size_t StateRow(bool batch_first, size_t row, size_t rows, size_t direction, size_t directions) {
  return batch_first ? row * directions + direction : direction * rows + row;
}

bool Given(absl::Span<const TensorView> in, size_t i) { return i < in.size() && in[i].present(); }

constexpr size_t kX = 0;
constexpr size_t kW = 1;
constexpr size_t kR = 2;
constexpr size_t kB = 3;
constexpr size_t kLengths = 4;
constexpr size_t kInitialH = 5;
constexpr size_t kInitialC = 6;
constexpr size_t kPeepholes = 7;

}  // namespace

RecurrentOp::RecurrentOp(RecurrentSettings settings, absl::Span<const TensorView> constants)
    : settings_(std::move(settings)) {
  const RecurrentKind& kind = settings_.kind;
  for (const size_t input : {kW, kR}) {
    const TensorView& w = constants[input];
    if (!w.present() || w.dtype() != DType::kFloat32 || w.shape().rank() != 3 ||
        w.shape()[0] != settings_.directions || w.shape()[1] % kind.gates != 0) {
      continue;  // not constant, or Infer() refuses it
    }
    for (size_t i = 0; i < static_cast<size_t>(settings_.directions) * kind.parts.size(); ++i) {
      const auto part = PartOf(w, kind, i / kind.parts.size(), i % kind.parts.size());
      const size_t size = kernels::PackedSize(part.rows, part.columns);
      AlignedBuffer& buffer = packed_[input - kW].emplace_back(size * sizeof(float));
      kernels::PackWeights(part, {static_cast<float*>(buffer.data()), size});
    }
  }
}

absl::Status RecurrentOp::CheckShape(const Operand& operand, absl::string_view name,
                                     const Shape& expected) const {
  SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(operand, name));
  if (operand.type.shape != expected) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is ", operand.type.shape.ToString(),
                                                   ", expected ", expected.ToString()));
  }
  return absl::OkStatus();
}

absl::Status RecurrentOp::Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const {
  static constexpr absl::string_view kNames[] = {
      "X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};
  for (const size_t i : {kX, kW, kR}) {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[i], kNames[i]));
    if (in[i].type.shape.rank() != 3) {
      return absl::InvalidArgumentError(absl::StrCat(kNames[i], " is ", in[i].type.shape.ToString(),
                                                     ", expected three dimensions"));
    }
  }
  const Shape& x = in[kX].type.shape;
  const int64_t steps = x[settings_.batch_first ? 1 : 0];
  const int64_t rows = x[settings_.batch_first ? 0 : 1];
  const int64_t hidden = in[kR].type.shape[2];
  const int64_t directions = settings_.directions;
  const int64_t gates = settings_.kind.gates;
  if (settings_.hidden_size != 0 && settings_.hidden_size != hidden) {
    return absl::InvalidArgumentError(absl::StrCat("R is ", in[kR].type.shape.ToString(),
                                                   ", attribute 'hidden_size' is ",
                                                   settings_.hidden_size));
  }
  const Shape state =
      settings_.batch_first ? Shape{rows, directions, hidden} : Shape{directions, rows, hidden};
  const std::pair<size_t, Shape> expected[] = {
      {kW, {directions, gates * hidden, x[2]}},
      {kR, {directions, gates * hidden, hidden}},
      {kB, {directions, 2 * gates * hidden}},
      {kInitialH, state},
      {kInitialC, state},
      {kPeepholes, {directions, 3 * hidden}},
  };
  for (const auto& [i, shape] : expected) {
    if (i < in.size() && in[i].present) {
      SIGSERVE_RETURN_IF_ERROR(CheckShape(in[i], kNames[i], shape));
    }
  }
  if (in.size() > kLengths && in[kLengths].present) {
    const Operand& lengths = in[kLengths];
    if (lengths.type != TensorType{DType::kInt32, Shape{rows}}) {
      return absl::InvalidArgumentError(absl::StrCat("sequence_lens is ", Name(lengths.type.dtype),
                                                     " ", lengths.type.shape.ToString(),
                                                     ", expected INT32 [", rows, "]"));
    }
    if (lengths.value.present()) {
      for (const int32_t length : lengths.value.values<int32_t>()) {
        if (length < 0 || length > steps) {
          return absl::InvalidArgumentError(
              absl::StrCat("sequence_lens has a length of ", length, ", X has ", steps, " steps"));
        }
      }
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    Shape shape = state;
    if (i == 0) {
      shape = settings_.batch_first ? Shape{rows, steps, directions, hidden}
                                    : Shape{steps, directions, rows, hidden};
    }
    SIGSERVE_RETURN_IF_ERROR(SetOutput(DType::kFloat32, std::move(shape), out[i]));
  }
  return absl::OkStatus();
}

RecurrentOp::Sizes RecurrentOp::SizesOf(const Shape& x, const Shape& r) const {
  const auto size = [](int64_t n) { return static_cast<size_t>(n); };
  return {size(x[settings_.batch_first ? 1 : 0]), size(x[settings_.batch_first ? 0 : 1]),
          size(x[2]), size(r[2])};
}

int64_t RecurrentOp::WorkspaceBytes(absl::Span<const TensorType> in) const {
  const Sizes s = SizesOf(in[kX].shape, in[kR].shape);
  // h and c, now and next; the step's own; gathered rows of X.
  const auto states = static_cast<double>(4 + settings_.kind.scratch_per_row);
  const double per_row = states * static_cast<double>(s.hidden) + static_cast<double>(s.inputs);
  return Workspace::BytesFor<float>(static_cast<double>(s.rows) * per_row);
}

void RecurrentOp::Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
                          Workspace workspace) const {
  const Sizes s = SizesOf(in[kX].shape(), in[kR].shape());
  const absl::Span<float> memory =
      workspace.Take<float>(s.rows * (s.hidden * (4 + settings_.kind.scratch_per_row) + s.inputs));
  for (int d = 0; d < settings_.directions; ++d) {
    RunDirection(in, out, d, memory);
  }
}

void RecurrentOp::RunDirection(absl::Span<const TensorView> in,
                               absl::Span<const MutableTensorView> out, int direction,
                               absl::Span<float> memory) const {
  const Sizes s = SizesOf(in[kX].shape(), in[kR].shape());
  const size_t state = s.rows * s.hidden;
  const auto d = static_cast<size_t>(direction);
  const auto directions = static_cast<size_t>(settings_.directions);
  const bool batch_first = settings_.batch_first;
  const bool reversed = d == 1 || settings_.first_reversed;
  const bool has_cell = settings_.kind.has_cell;
  float* h = memory.data();
  float* c = h + state;
  Step step{in,        direction,     s.rows,       s.hidden, {}, h, has_cell ? c : nullptr,
            c + state, c + 2 * state, c + 3 * state};
  float* gathered = step.scratch + state * settings_.kind.scratch_per_row;

  const auto row_of_state = [&](size_t row) {
    return StateRow(batch_first, row, s.rows, d, directions) * s.hidden;
  };
  for (const auto& [input, to] : {std::pair(kInitialH, h), std::pair(kInitialC, c)}) {
    for (size_t row = 0; row < s.rows; ++row) {
      if (Given(in, input)) {
        std::copy_n(in[input].values<float>().data() + row_of_state(row), s.hidden,
                    to + row * s.hidden);
      } else {
        std::fill_n(to + row * s.hidden, s.hidden, 0.0F);
      }
    }
  }
  const int32_t* lengths = Given(in, kLengths) ? in[kLengths].values<int32_t>().data() : nullptr;
  const auto length_of = [&](size_t row) {
    const auto steps = static_cast<int64_t>(s.steps);
    return lengths == nullptr ? s.steps
                              : static_cast<size_t>(std::clamp<int64_t>(lengths[row], 0, steps));
  };
  const float* x = in[kX].values<float>().data();
  const size_t step_stride = batch_first ? s.inputs : s.rows * s.inputs;
  const size_t row_stride = batch_first ? s.steps * s.inputs : s.inputs;
  float* y = out[0].values<float>().data();
  const auto row_of_y = [&](size_t t, size_t row) {
    return y + (batch_first ? (row * s.steps + t) * directions + d
                            : (t * directions + d) * s.rows + row) *
                   s.hidden;
  };
  for (size_t t = 0; t < s.steps; ++t) {
    if (lengths == nullptr) {
      const size_t at = reversed ? s.steps - 1 - t : t;
      step.x = {x + at * step_stride, s.rows, s.inputs, row_stride, 1};
    } else {
      for (size_t row = 0; row < s.rows; ++row) {
        const size_t length = length_of(row);
        const size_t at = t < length && reversed ? length - 1 - t : t;
        std::copy_n(x + at * step_stride + row * row_stride, s.inputs, gathered + row * s.inputs);
      }
      step.x = kernels::MatrixView::RowMajor(gathered, s.rows, s.inputs);
    }
    Run(step);
    for (size_t row = 0; row < s.rows; ++row) {
      const size_t length = length_of(row);
      if (t >= length) {  // over: the state stays, the output is 0
        std::fill_n(row_of_y(t, row), s.hidden, 0.0F);
        continue;
      }
      std::copy_n(step.next_h + row * s.hidden, s.hidden, h + row * s.hidden);
      if (has_cell) {
        std::copy_n(step.next_c + row * s.hidden, s.hidden, c + row * s.hidden);
      }
      std::copy_n(h + row * s.hidden, s.hidden, row_of_y(reversed ? length - 1 - t : t, row));
    }
  }
  for (size_t o = 1; o < out.size(); ++o) {
    for (size_t row = 0; row < s.rows; ++row) {
      std::copy_n((o == 1 ? h : c) + row * s.hidden, s.hidden,
                  out[o].values<float>().data() + row_of_state(row));
    }
  }
}

void RecurrentOp::Multiply(const Step& step, Side side, size_t part,
                           const kernels::MatrixView& from, bool accumulate, float* out) const {
  const RecurrentKind& kind = settings_.kind;
  const size_t s = side == Side::kInput ? 0 : 1;
  int gate = 0;
  for (size_t p = 0; p < part; ++p) {
    gate += kind.parts[p];
  }
  kernels::GemmEpilogue epilogue;
  epilogue.bias = Bias(step, side, gate);
  epilogue.accumulate = accumulate;
  const auto d = static_cast<size_t>(step.direction);
  const kernels::MatrixView w = PartOf(step.in[kW + s], kind, d, part);
  if (packed_[s].empty()) {
    kernels::Gemm(from, w, epilogue, out);
  } else {
    const AlignedBuffer& packed = packed_[s][d * kind.parts.size() + part];
    kernels::GemmPacked(from, static_cast<const float*>(packed.data()), w.columns, epilogue, out);
  }
}

const float* RecurrentOp::Bias(const Step& step, Side side, int gate) const {
  if (!Given(step.in, kB)) {
    return nullptr;
  }
  const int gates = settings_.kind.gates;
  const int at = step.direction * 2 * gates + (side == Side::kState ? gates : 0) + gate;
  return step.in[kB].values<float>().data() + static_cast<size_t>(at) * step.hidden;
}

void RecurrentOp::Activate(const Step& step, int function, absl::Span<float> x) const {
  if (std::isfinite(settings_.clip)) {
    for (float& v : x) {
      v = std::clamp(v, -settings_.clip, settings_.clip);
    }
  }
  const size_t of_direction = settings_.kind.activations.size();
  settings_
      .activations[static_cast<size_t>(step.direction) * of_direction +
                   static_cast<size_t>(function)]
      .Run(x);
}

}  // namespace sigserve
