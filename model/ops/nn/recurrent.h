// For lstm.cc, gru.cc and rnn.cc: what the three have in common. Directions, sequence lengths,
// layouts, initial states, activation functions, packed weights and the loop over the steps; the
// operator itself gives the arithmetic of one step.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "model/base/aligned_buffer.h"
#include "model/kernels/gemm.h"
#include "model/ops/core/maker.h"

namespace sigserve {

/// One of the functions that the attribute `activations` may name.
struct RecurrentActivation {
  enum class Kind {
    kAffine,
    kElu,
    kHardSigmoid,
    kLeakyRelu,
    kRelu,
    kScaledTanh,
    kSigmoid,
    kSoftplus,
    kSoftsign,
    kTanh,
    kThresholdedRelu,
  };
  Kind kind = Kind::kSigmoid;
  float alpha = 1;
  float beta = 0;

  void Run(absl::Span<float> x) const;
};

/// What sets the three operators apart.
struct RecurrentKind {
  int gates;
  /// The gates in runs that are multiplied at once: they add up to `gates`.
  std::vector<int> parts;
  /// Functions of one direction: f, g, h as far as there are.
  std::vector<RecurrentActivation> activations;
  bool has_cell = false;       // LSTM: initial_c, peepholes, output Y_c
  size_t scratch_per_row = 0;  // floats, in units of hidden size
};

struct RecurrentSettings {
  RecurrentKind kind;
  int directions = 1;
  bool first_reversed = false;
  bool batch_first = false;
  int64_t hidden_size = 0;  // 0: as the weights say
  float clip = std::numeric_limits<float>::infinity();
  std::vector<RecurrentActivation> activations;  // of all directions
};

/// Reads the attributes that all have; `extra` are those of the operator itself.
absl::StatusOr<RecurrentSettings> ReadRecurrent(const NodeSpec& node, RecurrentKind kind,
                                                std::initializer_list<absl::string_view> extra);

class RecurrentOp : public Op {
 public:
  RecurrentOp(RecurrentSettings settings, absl::Span<const TensorView> constants);

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const final;
  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const final;
  int64_t WorkspaceBytes(absl::Span<const TensorType> in) const final;

 protected:
  enum class Side { kInput, kState };  // W or R

  /// One step of one direction for all rows of the batch.
  struct Step {
    absl::Span<const TensorView> in;
    int direction;
    size_t rows;
    size_t hidden;
    kernels::MatrixView x;  // [rows, inputs]
    const float* h;         // [rows, hidden]
    const float* c;         // the same; null without a cell
    float* next_h;
    float* next_c;
    float* scratch;
  };
  virtual void Run(const Step& step) const = 0;

  const RecurrentSettings& settings() const { return settings_; }

  /// out (+)= from * weights of a part + their bias; out is [rows, part's gates * hidden].
  void Multiply(const Step& step, Side side, size_t part, const kernels::MatrixView& from,
                bool accumulate, float* out) const;
  /// Bias of gate `gate` of W or R; null when there is none.
  const float* Bias(const Step& step, Side side, int gate) const;
  /// f(clip(x)) for function 0 (f), 1 (g) or 2 (h).
  void Activate(const Step& step, int function, absl::Span<float> x) const;

 private:
  struct Sizes {
    size_t steps;
    size_t rows;
    size_t inputs;
    size_t hidden;
  };
  Sizes SizesOf(const Shape& x, const Shape& r) const;
  void RunDirection(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
                    int direction, absl::Span<float> memory) const;
  absl::Status CheckShape(const Operand& operand, absl::string_view name,
                          const Shape& expected) const;

  const RecurrentSettings settings_;
  // By direction, side and part; empty where the weights are not constant.
  std::vector<AlignedBuffer> packed_[2];
};

}  // namespace sigserve
