// LSTM, GRU and RNN against the formulas of their definition, one row and one step at a time, in
// double precision.
#include <algorithm>
#include <cmath>
#include <new>
#include <random>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr int64_t kSteps = 4;
constexpr int64_t kRows = 3;
constexpr int64_t kInputs = 5;
constexpr int64_t kHidden = 6;

struct Case {
  std::string name;
  std::string op;
  std::string direction = "forward";
  bool batch_first = false;
  std::vector<int32_t> lengths = {};
  bool states = false;     // initial_h, initial_c
  bool peepholes = false;  // LSTM
  int64_t flag = 0;        // LSTM: input_forget; GRU: linear_before_reset
  float clip = 0;          // 0: none
  bool constant = true;    // the weights are known when the operator is made

  int64_t gates() const { return op == "LSTM" ? 4 : op == "GRU" ? 3 : 1; }
  int64_t directions() const { return direction == "bidirectional" ? 2 : 1; }
};

Tensor Numbers(const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor t(DType::kFloat32, shape);
  for (float& v : t.mutable_values<float>()) {
    v = static_cast<float>(random() % 2001) / 1000 - 1;
  }
  return t;
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

using Vector = std::vector<double>;

class Layer {
 public:
  explicit Layer(const Case& c)
      : c_(c),
        x(Numbers(c.batch_first ? Shape{kRows, kSteps, kInputs} : Shape{kSteps, kRows, kInputs},
                  1)),
        w(Numbers({c.directions(), c.gates() * kHidden, kInputs}, 2)),
        r(Numbers({c.directions(), c.gates() * kHidden, kHidden}, 3)),
        b(Numbers({c.directions(), 2 * c.gates() * kHidden}, 4)),
        lengths(Tensor::Of<int32_t>({static_cast<int64_t>(c.lengths.size())},
                                    absl::MakeConstSpan(c.lengths))),
        h0(Numbers(StateShape(), 5)),
        c0(Numbers(StateShape(), 6)),
        p(Numbers({c.directions(), 3 * kHidden}, 7)) {}

  absl::StatusOr<std::vector<Tensor>> Run() const {
    OpRunner op(c_.op, 14);
    op.With("hidden_size", kHidden).With("direction", c_.direction);
    op.With("layout", int64_t{c_.batch_first ? 1 : 0});
    if (c_.flag != 0) {
      op.With(c_.op == "LSTM" ? "input_forget" : "linear_before_reset", c_.flag);
    }
    if (c_.clip > 0) {
      op.With("clip", c_.clip);
    }
    std::vector<TensorView> in = {x.view(),
                                  w.view(),
                                  r.view(),
                                  b.view(),
                                  c_.lengths.empty() ? TensorView() : lengths.view(),
                                  c_.states ? h0.view() : TensorView()};
    if (c_.op == "LSTM") {
      in.push_back(c_.states ? c0.view() : TensorView());
      in.push_back(c_.peepholes ? p.view() : TensorView());
    }
    if (c_.constant) {
      op.Constant({false, true, true, true});
    }
    return op.Outputs(c_.op == "LSTM" ? 3 : 2).RunAll(in);
  }

  // Y of one row and direction by step, then the last h and c.
  struct Answer {
    std::vector<Vector> y = std::vector<Vector>(kSteps, Vector(kHidden, 0));
    Vector h = Vector(kHidden, 0);
    Vector c = Vector(kHidden, 0);
  };
  Answer ByTheBook(int64_t row, int64_t d) const {
    Answer a;
    for (int64_t k = 0; k < kHidden && c_.states; ++k) {
      a.h[static_cast<size_t>(k)] = h0.values<float>()[StateIndex(row, d, k)];
      a.c[static_cast<size_t>(k)] = c0.values<float>()[StateIndex(row, d, k)];
    }
    const int64_t length = c_.lengths.empty() ? kSteps : c_.lengths[static_cast<size_t>(row)];
    for (int64_t i = 0; i < length; ++i) {
      const int64_t t = d == 1 || c_.direction == "reverse" ? length - 1 - i : i;
      (c_.op == "LSTM"  ? StepLstm(row, d, t, a)
       : c_.op == "GRU" ? StepGru(row, d, t, a)
                        : StepRnn(row, d, t, a));
      a.y[static_cast<size_t>(t)] = a.h;
    }
    return a;
  }

  size_t StateIndex(int64_t row, int64_t d, int64_t k) const {
    return static_cast<size_t>(
        (c_.batch_first ? row * c_.directions() + d : d * kRows + row) * kHidden + k);
  }
  size_t YIndex(int64_t t, int64_t row, int64_t d, int64_t k) const {
    return static_cast<size_t>((c_.batch_first ? (row * kSteps + t) * c_.directions() + d
                                               : (t * c_.directions() + d) * kRows + row) *
                                   kHidden +
                               k);
  }

 private:
  Shape StateShape() const {
    return c_.batch_first ? Shape{kRows, c_.directions(), kHidden}
                          : Shape{c_.directions(), kRows, kHidden};
  }
  double Clip(double v) const { return c_.clip > 0 ? std::clamp<double>(v, -c_.clip, c_.clip) : v; }

  double FromX(int64_t row, int64_t d, int64_t t, int64_t line) const {
    double sum = b.values<float>()[static_cast<size_t>(d * 2 * c_.gates() * kHidden + line)];
    for (int64_t i = 0; i < kInputs; ++i) {
      const int64_t at = c_.batch_first ? row * kSteps + t : t * kRows + row;
      sum +=
          static_cast<double>(x.values<float>()[static_cast<size_t>(at * kInputs + i)]) *
          w.values<float>()[static_cast<size_t>((d * c_.gates() * kHidden + line) * kInputs + i)];
    }
    return sum;
  }
  double FromH(const Vector& h, int64_t d, int64_t line) const {
    double sum = b.values<float>()[static_cast<size_t>((d * 2 + 1) * c_.gates() * kHidden + line)];
    for (size_t k = 0; k < h.size(); ++k) {
      sum +=
          h[k] *
          r.values<float>()[static_cast<size_t>((d * c_.gates() * kHidden + line) * kHidden) + k];
    }
    return sum;
  }

  void StepRnn(int64_t row, int64_t d, int64_t t, Answer& a) const {
    const Vector h = a.h;
    for (int64_t k = 0; k < kHidden; ++k) {
      a.h[static_cast<size_t>(k)] = std::tanh(Clip(FromX(row, d, t, k) + FromH(h, d, k)));
    }
  }
  void StepGru(int64_t row, int64_t d, int64_t t, Answer& a) const {
    const Vector h = a.h;
    const auto gate = [&](int64_t g, size_t k) {
      const int64_t line = g * kHidden + static_cast<int64_t>(k);
      return Sigmoid(Clip(FromX(row, d, t, line) + FromH(h, d, line)));
    };
    Vector reset = h;
    for (size_t k = 0; k < h.size(); ++k) {
      reset[k] *= gate(1, k);
    }
    for (size_t k = 0; k < h.size(); ++k) {
      const int64_t line = 2 * kHidden + static_cast<int64_t>(k);
      const double state = c_.flag != 0 ? gate(1, k) * FromH(h, d, line) : FromH(reset, d, line);
      const double fresh = std::tanh(Clip(FromX(row, d, t, line) + state));
      a.h[k] = (1 - gate(0, k)) * fresh + gate(0, k) * h[k];
    }
  }
  void StepLstm(int64_t row, int64_t d, int64_t t, Answer& a) const {
    const Vector h = a.h;
    for (size_t k = 0; k < h.size(); ++k) {
      const auto sum = [&](int64_t g) {
        const int64_t line = g * kHidden + static_cast<int64_t>(k);
        return FromX(row, d, t, line) + FromH(h, d, line);
      };
      const auto peep = [&](int64_t g, double c) {
        const auto at = static_cast<size_t>((d * 3 + g) * kHidden) + k;
        return c_.peepholes ? p.values<float>()[at] * c : 0;
      };
      const double i = Sigmoid(Clip(sum(0) + peep(0, a.c[k])));
      const double f = c_.flag != 0 ? 1 - i : Sigmoid(Clip(sum(2) + peep(2, a.c[k])));
      a.c[k] = f * a.c[k] + i * std::tanh(Clip(sum(3)));
      a.h[k] = Sigmoid(Clip(sum(1) + peep(1, a.c[k]))) * std::tanh(Clip(a.c[k]));
    }
  }

  const Case c_;
  const Tensor x, w, r, b, lengths, h0, c0, p;
};

class Recurrent : public testing::TestWithParam<Case> {};

TEST_P(Recurrent, FollowsTheDefinition) {
  constexpr double kTolerance = 2e-6;
  const Layer layer(GetParam());
  ASSERT_OK_AND_ASSIGN(const std::vector<Tensor> out, layer.Run());
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t d = 0; d < GetParam().directions(); ++d) {
      const Layer::Answer want = layer.ByTheBook(row, d);
      for (int64_t k = 0; k < kHidden; ++k) {
        const auto unit = static_cast<size_t>(k);
        for (int64_t t = 0; t < kSteps; ++t) {
          EXPECT_NEAR(out[0].values<float>()[layer.YIndex(t, row, d, k)],
                      want.y[static_cast<size_t>(t)][unit], kTolerance)
              << "row " << row << ", direction " << d << ", step " << t << ", unit " << k;
        }
        const size_t state = layer.StateIndex(row, d, k);
        EXPECT_NEAR(out[1].values<float>()[state], want.h[unit], kTolerance);
        if (out.size() > 2) {
          EXPECT_NEAR(out[2].values<float>()[state], want.c[unit], kTolerance);
        }
      }
    }
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* op : {"LSTM", "GRU", "RNN"}) {
    const std::string name(op);
    cases.push_back({name + "_forward", op});
    cases.push_back({name + "_reverse", op, "reverse"});
    cases.push_back({name + "_lengths", op, "bidirectional", false, {4, 0, 2}, true});
    cases.push_back({name + "_batch_first", op, "bidirectional", true, {1, 4, 3}, true});
    cases.push_back({name + "_clip", op, "forward", false, {}, true, false, 0, 0.5F});
    cases.push_back({name + "_dynamic", op, "bidirectional", true, {}, false, false, 0, 0, false});
  }
  cases.push_back({"LSTM_peepholes", "LSTM", "bidirectional", false, {}, true, true});
  cases.push_back({"LSTM_coupled", "LSTM", "forward", false, {}, true, true, 1});
  cases.push_back({"GRU_linear", "GRU", "bidirectional", false, {4, 0, 2}, true, false, 1});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, Recurrent, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

struct Function {
  std::string name;
  std::vector<float> alpha;
  std::vector<float> beta;
  float want;  // of 0.75
};

TEST(RecurrentActivation, EveryFunction) {
  const Function functions[] = {
      {"Affine", {2}, {0.5F}, 2},
      {"Elu", {}, {}, 0.75F},
      {"HardSigmoid", {}, {}, 0.65F},
      {"HardSigmoid", {1}, {0}, 0.75F},
      {"LeakyRelu", {0.5F}, {}, 0.75F},
      {"relu", {}, {}, 0.75F},
      {"ScaledTanh", {2}, {0.5F}, 2 * std::tanh(0.375F)},
      {"Sigmoid", {}, {}, 1 / (1 + std::exp(-0.75F))},
      {"Softplus", {}, {}, std::log1p(std::exp(0.75F))},
      {"Softsign", {}, {}, 0.75F / 1.75F},
      {"Tanh", {}, {}, std::tanh(0.75F)},
      {"ThresholdedRelu", {}, {}, 0},
      {"ThresholdedRelu", {0.5F}, {}, 0.75F},
  };
  const Tensor x = Tensor::Of<float>({1, 1, 1}, {0.75F});
  const Tensor w = Tensor::Of<float>({1, 1, 1}, {1});
  for (const Function& f : functions) {
    OpRunner op("RNN", 7);
    op.With("activations", std::vector<std::string>{f.name})
        .With("activation_alpha", f.alpha)
        .With("activation_beta", f.beta);
    ASSERT_OK_AND_ASSIGN(const Tensor y, op.Run({x.view(), w.view(), w.view()}));
    EXPECT_NEAR(y.values<float>()[0], f.want, 1e-6) << f.name;
  }
}

// A row has the same bits alone and with others.
TEST(RecurrentLayer, RowsAreIndependent) {
  const Tensor all = Numbers({2, 40, 3}, 1);
  const Tensor w = Numbers({1, 80, 3}, 2);
  const Tensor r = Numbers({1, 80, 20}, 3);
  OpRunner op("LSTM", 14);
  op.Constant({false, true, true});
  ASSERT_OK_AND_ASSIGN(const Tensor together, op.Run({all.view(), w.view(), r.view()}));
  for (size_t row = 0; row < 40; ++row) {
    Tensor x(DType::kFloat32, {2, 1, 3});
    for (size_t t = 0; t < 2; ++t) {
      std::copy_n(all.values<float>().data() + (t * 40 + row) * 3, 3,
                  x.mutable_values<float>().data() + t * 3);
    }
    ASSERT_OK_AND_ASSIGN(const Tensor alone, op.Run({x.view(), w.view(), r.view()}));
    for (size_t i = 0; i < 40; ++i) {
      EXPECT_EQ(alone.values<float>()[i],
                together.values<float>()[(i / 20 * 40 + row) * 20 + i % 20]);
    }
  }
}

TEST(RecurrentLayer, RefusesWhatDoesNotFit) {
  const Tensor x = Numbers({kSteps, kRows, kInputs}, 1);
  const Tensor w = Numbers({1, kHidden, kInputs}, 2);
  const Tensor r = Numbers({1, kHidden, kHidden}, 3);
  const Tensor short_lengths = Tensor::Of<int32_t>({2}, {1, 1});
  const Tensor long_length = Tensor::Of<int32_t>({3}, {1, 5, 1});
  const auto refused = [&](const OpRunner& op, std::vector<TensorView> in, const char* message) {
    EXPECT_THAT(op.Run(in), StatusIs(StatusCode::kInvalidArgument, HasSubstr(message)));
  };
  const std::vector<TensorView> good = {x.view(), w.view(), r.view()};
  const OpRunner rnn("RNN", 7);
  refused(rnn, {w.view(), x.view(), r.view()}, "W is [4,3,5], expected [1,6,5]");
  refused(rnn, {x.view(), w.view(), r.view(), r.view()}, "B is [1,6,6], expected [1,12]");
  refused(rnn, {x.view(), w.view(), r.view(), {}, short_lengths.view()}, "expected INT32 [3]");
  refused(rnn, {x.view(), w.view(), r.view(), {}, long_length.view()}, "X has 4 steps");
  refused(OpRunner("RNN", 7).With("hidden_size", int64_t{5}), good, "'hidden_size' is 5");
  refused(OpRunner("RNN", 7).With("hidden_size", int64_t{0}), good, "expected 1 or more");
  refused(OpRunner("RNN", 7).With("direction", std::string("up")), good, "'up'");
  refused(OpRunner("RNN", 7).With("layout", int64_t{1}), good, "no attribute 'layout'");
  refused(OpRunner("RNN", 14).With("layout", int64_t{2}), good, "'layout' is 2");
  refused(OpRunner("RNN", 7).With("clip", -1.0F), good, "'clip' is -1");
  refused(OpRunner("RNN", 7).With("activations", std::vector<std::string>{"Swish"}), good,
          "'Swish'");
  refused(OpRunner("RNN", 7).With("activations", std::vector<std::string>{"Tanh", "Tanh"}), good,
          "2 names, expected 1 for 1 direction");
  refused(OpRunner("LSTM", 14), good, "expected [1,24,5]");
  refused(OpRunner("GRU", 14).With("input_forget", int64_t{1}), good, "'input_forget'");
}

// No steps: nothing else limits the rows. Their states need more bytes than can be
// counted.
TEST(Recurrent, StatesThatNoMemoryHoldsAreNotRun) {
  const TensorView x(DType::kFloat32, {0, int64_t{1} << 56, 1}, nullptr);
  const Tensor w = Numbers({1, 8, 1}, 2);
  const Tensor r = Numbers({1, 8, 8}, 3);
  const OpRunner rnn("RNN", 7);
  EXPECT_THROW(rnn.Run({x, w.view(), r.view()}).status().IgnoreError(), std::bad_alloc);
}

}  // namespace
}  // namespace sigserve
