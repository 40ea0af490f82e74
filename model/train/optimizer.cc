#include "model/train/optimizer.h"

#include <Eigen/Core>
#include <cmath>
#include <utility>
#include <variant>
#include <vector>

namespace sigserve {
namespace {

using Floats = Eigen::Map<Eigen::ArrayXf>;
using ConstFloats = Eigen::Map<const Eigen::ArrayXf>;

Floats Map(const MutableTensorView& view) {
  return {static_cast<float*>(view.data()), static_cast<Eigen::Index>(view.elements())};
}
ConstFloats Map(const TensorView& view) {
  return {static_cast<const float*>(view.data()), static_cast<Eigen::Index>(view.elements())};
}

std::vector<Eigen::ArrayXf> Zeros(absl::Span<const int64_t> element_counts) {
  std::vector<Eigen::ArrayXf> zeros;
  zeros.reserve(element_counts.size());
  for (const int64_t count : element_counts) {
    zeros.emplace_back(Eigen::ArrayXf::Zero(count));
  }
  return zeros;
}

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdSpec& spec, absl::Span<const int64_t> element_counts) : spec_(spec) {
    if (spec.momentum != 0) {
      velocity_ = Zeros(element_counts);
    }
  }

  void Step(absl::Span<const MutableTensorView> weights,
            absl::Span<const TensorView> gradients) override {
    const auto rate = static_cast<float>(spec_.learning_rate);
    const auto decay = static_cast<float>(spec_.weight_decay);
    const auto momentum = static_cast<float>(spec_.momentum);
    for (size_t i = 0; i < weights.size(); ++i) {
      Floats weight = Map(weights[i]);
      const auto gradient = Map(gradients[i]) + decay * weight;
      if (spec_.momentum == 0) {
        weight -= rate * gradient;
        continue;
      }
      Eigen::ArrayXf& velocity = velocity_[i];
      velocity = momentum * velocity + gradient;  // from zero: the first step's is the gradient
      if (spec_.nesterov) {
        weight -= rate * (gradient + momentum * velocity);
      } else {
        weight -= rate * velocity;
      }
    }
  }

 private:
  const SgdSpec spec_;
  std::vector<Eigen::ArrayXf> velocity_;  // empty without momentum
};

class Adam final : public Optimizer {
 public:
  Adam(const AdamSpec& spec, absl::Span<const int64_t> element_counts)
      : spec_(spec), mean_(Zeros(element_counts)), square_(Zeros(element_counts)) {}

  void Step(absl::Span<const MutableTensorView> weights,
            absl::Span<const TensorView> gradients) override {
    ++step_;
    const auto step = static_cast<double>(step_);
    const auto rate = static_cast<float>(spec_.learning_rate / (1 - std::pow(spec_.beta1, step)));
    const auto root = static_cast<float>(std::sqrt(1 - std::pow(spec_.beta2, step)));
    const auto beta1 = static_cast<float>(spec_.beta1);
    const auto beta2 = static_cast<float>(spec_.beta2);
    const auto rest1 = static_cast<float>(1 - spec_.beta1);
    const auto rest2 = static_cast<float>(1 - spec_.beta2);
    const auto epsilon = static_cast<float>(spec_.epsilon);
    const auto decay = static_cast<float>(spec_.weight_decay);
    for (size_t i = 0; i < weights.size(); ++i) {
      Floats weight = Map(weights[i]);
      const auto gradient = Map(gradients[i]) + decay * weight;
      mean_[i] = beta1 * mean_[i] + rest1 * gradient;
      square_[i] = beta2 * square_[i] + rest2 * gradient * gradient;
      weight -= rate * mean_[i] / (square_[i].sqrt() / root + epsilon);
    }
  }

 private:
  const AdamSpec spec_;
  int64_t step_ = 0;
  std::vector<Eigen::ArrayXf> mean_;
  std::vector<Eigen::ArrayXf> square_;
};

}  // namespace

std::unique_ptr<Optimizer> Optimizer::Create(const OptimizerSpec& spec,
                                             absl::Span<const int64_t> element_counts) {
  if (const auto* adam = std::get_if<AdamSpec>(&spec)) {
    return std::make_unique<Adam>(*adam, element_counts);
  }
  return std::make_unique<Sgd>(std::get<SgdSpec>(spec), element_counts);
}

}  // namespace sigserve
