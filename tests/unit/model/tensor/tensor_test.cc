#include "model/tensor/tensor.h"

#include <cstdint>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DTypeTest, SizesAndNames) {
  const struct {
    DType dtype;
    size_t size;
    const char* name;
  } kCases[] = {{DType::kFloat32, 4, "FLOAT32"},
                {DType::kFloat64, 8, "FLOAT64"},
                {DType::kInt32, 4, "INT32"},
                {DType::kInt64, 8, "INT64"},
                {DType::kBool, 1, "BOOL"}};
  for (const auto& test : kCases) {
    EXPECT_EQ(SizeOf(test.dtype), test.size);
    EXPECT_EQ(Name(test.dtype), test.name);
  }
  EXPECT_EQ(DTypeOf<float>, DType::kFloat32);
  EXPECT_EQ(DTypeOf<int64_t>, DType::kInt64);
}

TEST(ShapeTest, IsAValue) {
  Shape shape{3, 4};
  const Shape copy = shape;
  shape.set(0, 5);
  shape.push_back(2);
  EXPECT_EQ(copy, (Shape{3, 4}));
  EXPECT_NE(shape, copy);
  EXPECT_EQ(shape.ToString(), "[5,4,2]");
  EXPECT_EQ(shape.elements(), 40);
}

TEST(ShapeTest, AScalarHasOneElement) {
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.ToString(), "[]");
}

TEST(ShapeTest, ConcreteMeansNoNegativeSize) {
  EXPECT_TRUE((Shape{0, 2}).is_concrete());
  EXPECT_FALSE((Shape{-1, 2}).is_concrete());
}

TEST(CheckedBytesTest, Products) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const struct {
    Shape shape;
    size_t element;
    int64_t bytes;  // -1 = refused
  } kCases[] = {{{}, 4, 4},
                {{3, 4}, 8, 96},
                {{0, 4}, 4, 0},
                {{int64_t{1} << 60}, 4, int64_t{1} << 62},
                {{(int64_t{1} << 60) + 1}, 4, -1},
                {{kHuge, kHuge}, 1, -1},
                {{0, kHuge, kHuge}, 1, -1},  // a zero hides nothing, in whatever order
                {{kHuge, kHuge, 0}, 1, -1},
                {{int64_t{1} << 32, int64_t{1} << 32}, 4, -1},
                {{-1, 2}, 4, -1}};
  for (const auto& test : kCases) {
    const absl::StatusOr<int64_t> bytes = CheckedBytes(test.shape, test.element);
    if (test.bytes < 0) {
      EXPECT_THAT(bytes,
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.shape.ToString())));
    } else {
      ASSERT_OK(bytes);
      EXPECT_EQ(*bytes, test.bytes) << test.shape.ToString();
    }
  }
}

TEST(TensorTest, StartsAsZeros) {
  const Tensor tensor(DType::kFloat32, {2, 3});
  EXPECT_EQ(tensor.bytes(), 24u);
  EXPECT_THAT(tensor.values<float>(), Each(0.0f));
  EXPECT_EQ(Tensor().elements(), 0);
  EXPECT_EQ(Tensor(DType::kInt64, {}).elements(), 1);
}

TEST(TensorTest, OwnsACopy) {
  Tensor tensor = Tensor::Of<int32_t>({2, 2}, {1, 2, 3, 4});
  const Tensor clone = tensor.Clone();
  tensor.mutable_values<int32_t>()[0] = 9;
  EXPECT_THAT(clone.values<int32_t>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(tensor.values<int32_t>(), ElementsAre(9, 2, 3, 4));
  EXPECT_EQ(tensor.view().data(), tensor.data());
}

TEST(TensorTest, MoveKeepsTheElementsInPlace) {
  Tensor tensor = Tensor::Of<float>({2}, {1, 2});
  const void* data = tensor.data();
  const Tensor moved = std::move(tensor);
  EXPECT_EQ(moved.data(), data);
}

TEST(TensorViewTest, AbsentAndEmptyAreDifferent) {
  EXPECT_FALSE(TensorView().present());
  EXPECT_TRUE(TensorView(DType::kFloat32, {0, 3}, nullptr).present());
  const float x = 1;
  EXPECT_TRUE(TensorView(DType::kFloat32, {}, &x).present());
}

TEST(TensorViewTest, AWritableViewReadsToo) {
  Tensor tensor = Tensor::Of<float>({2}, {1, 2});
  const MutableTensorView writable = tensor.mutable_view();
  writable.values<float>()[1] = 5;
  const TensorView view = writable;
  EXPECT_THAT(view.values<float>(), ElementsAre(1, 5));
}

}  // namespace
}  // namespace sigserve
