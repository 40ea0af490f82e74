#include "server/registry/warm_up.h"

#include <new>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_servable.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::FakeServable;
using testing_support::FloatInput;
using testing_support::SigmoidSignature;

class WarmUpTest : public testing::Test {
 protected:
  /// The rows of each batch that is run when a row takes so long.
  std::vector<int64_t> Run(absl::Duration row, FakeServable* servable) {
    std::vector<int64_t> rows;
    servable->on_submit = [&](const Task& task) {
      rows.push_back(task.rows);
      clock_.Advance(row * task.rows);
    };
    WarmUp(*servable, &clock_);
    return rows;
  }
  std::vector<int64_t> Run(absl::Duration row) {
    FakeServable servable(SigmoidSignature());
    servable.max_rows = 4096;
    return Run(row, &servable);
  }

  FakeClock clock_;
};

TEST_F(WarmUpTest, ALightModelIsMeasuredAtTwoSizes) {
  EXPECT_THAT(Run(absl::Microseconds(1)), ElementsAre(1, 1, 1, 32, 32, 32));
}

// And what takes 10 ms at a time is measured once.
TEST_F(WarmUpTest, TheSlowerTheFewerRows) {
  EXPECT_THAT(Run(absl::Milliseconds(2)), ElementsAre(1, 1, 1, 9)) << "of the 54 ms left";
  EXPECT_THAT(Run(absl::Milliseconds(12)), ElementsAre(1, 4));
}

TEST_F(WarmUpTest, OneRowIsRunHoweverLongItTakes) {
  EXPECT_THAT(Run(absl::Milliseconds(40)), ElementsAre(1));
  EXPECT_THAT(Run(absl::Seconds(5)), ElementsAre(1));
}

TEST_F(WarmUpTest, NoMoreThanTheModelTakes) {
  FakeServable servable(SigmoidSignature());
  servable.max_rows = 8;
  EXPECT_THAT(Run(absl::Microseconds(1), &servable), ElementsAre(1, 1, 1, 8, 8, 8));
  Signature fixed = SigmoidSignature();
  fixed.batchable = false;
  fixed.inputs[0].shape.set(0, 1);
  FakeServable one(fixed);
  EXPECT_THAT(Run(absl::Microseconds(1), &one), ElementsAre(1, 1, 1));
}

TEST_F(WarmUpTest, OpenSizesAreTriedAsOne) {
  Signature signature = SigmoidSignature();
  signature.inputs = {FloatInput("x", {-1, -1, 5})};
  FakeServable servable(signature);
  std::vector<Shape> shapes;
  servable.on_submit = [&](const Task& task) { shapes.push_back(task.inputs[0].shape()); };
  WarmUp(servable, &clock_);
  ASSERT_EQ(shapes.size(), 6U);
  EXPECT_EQ(shapes[0], (Shape{1, 1, 5}));
  EXPECT_EQ(shapes[5], (Shape{16, 1, 5}));
}

// What cannot be tried is left to the requests.

TEST_F(WarmUpTest, AFailureEndsIt) {
  FakeServable servable(SigmoidSignature());
  servable.status = absl::InternalError("no");
  EXPECT_THAT(Run(absl::Microseconds(1), &servable), ElementsAre(1));
}

TEST_F(WarmUpTest, HugeInputsAreNotMade) {
  for (const int64_t size : {int64_t{1} << 23, int64_t{1} << 40}) {
    Signature signature = SigmoidSignature();
    signature.inputs = {FloatInput("x", {-1, size})};
    FakeServable servable(signature);
    EXPECT_THAT(Run(absl::Microseconds(1), &servable), IsEmpty()) << size;
  }
  Signature many = SigmoidSignature();
  many.inputs.assign(5, FloatInput("x", {-1, int64_t{1} << 20}));
  for (size_t i = 0; i < many.inputs.size(); ++i) many.inputs[i].name = std::string(i + 1, 'x');
  FakeServable servable(many);
  EXPECT_THAT(Run(absl::Microseconds(1), &servable), IsEmpty()) << "together";
}

TEST_F(WarmUpTest, NoMemoryEndsIt) {
  FakeServable servable(SigmoidSignature());
  servable.on_submit = [](const Task&) { throw std::bad_alloc(); };
  WarmUp(servable, &clock_);
}

}  // namespace
}  // namespace sigserve
