#include "model/ops/core/axes.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/reduce.h"

namespace sigserve {
namespace {

struct TopKSettings {
  int64_t axis = -1;
  int64_t k = -1;  // -1: input 1
  bool largest = true;
};

// The k first elements along one axis in descending (or ascending) order, and their indices; of
// equal elements the earlier comes first. NaN counts as larger than any number. What is unsorted
// for ONNX is sorted here.
class TopKOp final : public Op {
 public:
  explicit TopKOp(const TopKSettings& settings) : settings_(settings) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const TensorType& x = in[0].type;
    if (x.dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(settings_.axis, x.shape));
    int64_t k = settings_.k;
    if (k < 0) {
      SIGSERVE_ASSIGN_OR_RETURN(k, KnownInteger(in[1], "K"));
    }
    if (k < 0 || k > x.shape[axis]) {
      return absl::InvalidArgumentError(absl::StrCat("K is ", k, ", axis ", axis, " of input ",
                                                     x.shape.ToString(), " has ", x.shape[axis],
                                                     " elements"));
    }
    Shape shape = x.shape;
    shape.set(axis, k);
    out[0] = {x.dtype, shape};
    return SetOutput(DType::kInt64, std::move(shape), out[1]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const int axis =
        static_cast<int>(settings_.axis < 0 ? settings_.axis + shape.rank() : settings_.axis);
    const int64_t k = out[0].shape()[axis];
    if (out[0].elements() == 0) {
      return;
    }
    int64_t stride = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) {
      stride *= shape[i];
    }
    const int64_t outer = in[0].elements() / (stride * shape[axis]);
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t o = 0; o < outer; ++o) {
        for (int64_t s = 0; s < stride; ++s) {
          const Row<T> row{static_cast<const T*>(in[0].data()) + o * shape[axis] * stride + s,
                           static_cast<int64_t*>(out[1].data()) + o * k * stride + s, stride,
                           settings_.largest};
          row.Select(shape[axis], k);
          T* values = static_cast<T*>(out[0].data()) + o * k * stride + s;
          for (int64_t i = 0; i < k; ++i) {
            values[i * stride] = row.x[row.index[i * stride] * stride];
          }
        }
      }
    });
  }

 private:
  // Sorts in `index`, where the answer goes: no other memory is needed.
  template <typename T>
  struct Row {
    const T* x;
    int64_t* index;
    int64_t stride;
    bool largest;

    // Whether element a comes before element b in the answer.
    bool Before(int64_t a, int64_t b) const {
      const T va = x[a * stride];
      const T vb = x[b * stride];
      const bool a_nan = va != va;
      const bool b_nan = vb != vb;
      if (a_nan != b_nan) {
        return a_nan == largest;
      }
      return va == vb || a_nan ? a < b : largest ? va > vb : va < vb;
    }

    // A heap of k indices with the last in order at its root.
    void SiftDown(int64_t at, int64_t k) const {
      for (;;) {
        int64_t worst = at;
        for (int64_t child = 2 * at + 1; child <= 2 * at + 2 && child < k; ++child) {
          if (Before(index[worst * stride], index[child * stride])) {
            worst = child;
          }
        }
        if (worst == at) {
          return;
        }
        std::swap(index[at * stride], index[worst * stride]);
        at = worst;
      }
    }

    void Select(int64_t n, int64_t k) const {
      for (int64_t i = 0; i < k; ++i) {
        index[i * stride] = i;
      }
      for (int64_t i = k / 2; i-- > 0;) {
        SiftDown(i, k);
      }
      for (int64_t i = k; i < n; ++i) {
        if (Before(i, index[0])) {
          index[0] = i;
          SiftDown(0, k);
        }
      }
      for (int64_t end = k; --end > 0;) {
        std::swap(index[0], index[end * stride]);
        SiftDown(0, end);
      }
    }
  };

  const TopKSettings settings_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTopK(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  TopKSettings settings;
  SIGSERVE_ASSIGN_OR_RETURN(settings.axis, attributes.Int("axis", -1));
  if (node.opset < 10) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axis", "k"}));
    SIGSERVE_ASSIGN_OR_RETURN(settings.k, attributes.Int("k", -1));
    if (settings.k < 0) {
      return absl::InvalidArgumentError(
          attributes.has("k") ? absl::StrCat("attribute 'k' is ", settings.k, ", expected >= 0")
                              : "attribute 'k' is missing");
    }
    return std::make_unique<TopKOp>(settings);
  }
  if (node.opset < 11) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axis"}));
  }
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axis", "largest", "sorted"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t largest, attributes.Int("largest", 1));
  SIGSERVE_RETURN_IF_ERROR(attributes.Int("sorted", 1).status());
  settings.largest = largest != 0;
  return std::make_unique<TopKOp>(settings);
}

}  // namespace sigserve
