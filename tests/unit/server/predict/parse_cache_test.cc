#include "server/predict/parse_cache.h"

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/codec/prediction_codec.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve {
namespace {

using Cache = ParseCache<v1::PredictRequest>;

std::string Request(const std::string& model, const std::vector<std::string>& data,
                    uint32_t priority = 0) {
  v1::PredictRequest request;
  request.mutable_model()->set_name(model);
  for (const std::string& bytes : data) {
    v1::Tensor* tensor = request.add_inputs();
    tensor->set_name("x");
    tensor->add_shape(static_cast<int64_t>(bytes.size()));
    tensor->set_data(bytes);
  }
  request.set_return_timing(true);
  request.set_priority(priority);
  return request.SerializeAsString();
}

class ParseCacheTest : public testing::Test {
 protected:
  std::shared_ptr<const v1::PredictRequest> Cut(const std::string& bytes) {
    return cache_.Cut(bytes, &payloads_);
  }
  bool Knows(const std::string& bytes) { return Cut(bytes) != nullptr; }
  /// As a handler reads it, whether it was known or not.
  std::string Read(const std::string& bytes) {
    const std::shared_ptr<const v1::PredictRequest> known = Cut(bytes);
    v1::PredictRequest request;
    if (known != nullptr) {
      if (!seen_.insert(known.get()).second) ++hits_;
      request = *known;
    } else {
      const absl::string_view rest =
          payloads_.payloads().empty() ? absl::string_view(bytes) : payloads_.rest();
      if (!request.ParseFromArray(rest.data(), static_cast<int>(rest.size()))) return "malformed";
    }
    for (v1::Tensor& tensor : *request.mutable_inputs()) {
      tensor.set_data(std::string(payloads_.Of(tensor.data())));
    }
    request.set_matrix(std::string(payloads_.Of(request.matrix())));
    return request.SerializeAsString();
  }

  Cache cache_{PredictPayloads()};
  Payloads payloads_;
  std::set<const void*> seen_;
  int hits_ = 0;  // of Read()
};

TEST_F(ParseCacheTest, FromTheSecondTimeOnItIsKnownWhateverItsBytes) {
  EXPECT_FALSE(Knows(Request("m", {"abcd", "efgh"})));
  const auto second = Cut(Request("m", {"ijkl", "mnop"}));
  ASSERT_TRUE(second != nullptr);
  EXPECT_EQ(second->model().name(), "m");
  const std::string bytes = Request("m", {"qrst", "uvwx"});
  const auto third = Cut(bytes);
  EXPECT_EQ(third.get(), second.get());
  ASSERT_EQ(payloads_.payloads().size(), 2U);
  EXPECT_EQ(payloads_.Of(third->inputs(0).data()), "qrst");
  EXPECT_EQ(payloads_.Of(third->inputs(1).data()), "uvwx");
  EXPECT_GE(payloads_.payloads()[0].data(), bytes.data()) << "a view";
}

TEST_F(ParseCacheTest, AnyOtherDifferenceMakesItUnknown) {
  Cut(Request("m", {"abcd"}));
  ASSERT_TRUE(Knows(Request("m", {"abcd"})));
  EXPECT_FALSE(Knows(Request("n", {"abcd"}))) << "name";
  EXPECT_FALSE(Knows(Request("m", {"abcde"}))) << "length";
  EXPECT_FALSE(Knows(Request("m", {"ab", "cd"}))) << "count";
  EXPECT_FALSE(Knows(Request("m", {"abcd"}, 1))) << "what comes after the payloads";
  EXPECT_FALSE(Knows(Request("m", {"abcd"}, 2))) << "of the same length";
  EXPECT_TRUE(Knows(Request("m", {"wxyz"})));
}

TEST_F(ParseCacheTest, WithoutPayloadsNothingIsKept) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Knows(Request("m", {})));
    EXPECT_TRUE(payloads_.payloads().empty());
  }
}

TEST_F(ParseCacheTest, MuchBesideThePayloadsIsNotKept) {
  const std::string bytes = Request(std::string(Cache::kMaxBytes, 'm'), {"abcd"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Knows(bytes));
    EXPECT_EQ(payloads_.payloads().size(), 1U) << "but cut";
  }
}

TEST_F(ParseCacheTest, WhatIsMalformedStaysUnknown) {
  std::string bytes = Request("m", {"abcd"});
  bytes[2] = '\x7F';  // the model's field with a wire type that there is not
  bytes[3] = '\x7F';
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Read(bytes), "malformed");
}

TEST_F(ParseCacheTest, WhatIsWantedOutlivesAFloodOfOthers) {
  const std::string wanted = Request("wanted", {"abcd"});  // as long as the others
  Cut(wanted);
  Cut(wanted);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Knows(Request(absl::StrCat("n", 10000 + i), {"abcd"})));
    EXPECT_TRUE(Knows(wanted)) << i;
  }
}

TEST_F(ParseCacheTest, AMessageOutlivesItsPlace) {
  Cut(Request("m12345", {"abcd"}));
  const auto known = Cut(Request("m12345", {"abcd"}));
  for (int i = 0; i < 100; ++i) Cut(Request(absl::StrCat("n", 10000 + i), {"abcd"}));
  EXPECT_FALSE(Knows(Request("m12345", {"abcd"}))) << "not hit since the hand passed";
  EXPECT_EQ(known->model().name(), "m12345");
}

TEST_F(ParseCacheTest, EverySizeOfBatchIsKnown) {
  int known = 0;
  for (int times = 0; times < 3; ++times) {
    for (size_t rows = 1; rows <= 64; ++rows) {
      if (Knows(Request("m", {std::string(rows * 256, 'x')}))) ++known;
    }
  }
  EXPECT_GT(known, 2 * 64 - 10);  // sets are not evenly full
}

// Random requests of few kinds, with bytes that look like fields: each reads as it would alone.
TEST_F(ParseCacheTest, EachReadsAsItself) {
  std::minstd_rand random(1);  // the same requests every time
  for (int i = 0; i < 50'000; ++i) {
    std::vector<std::string> data(random() % 3);
    for (std::string& bytes : data) {
      bytes.resize(random() % 3 * 4);
      for (char& c : bytes) c = static_cast<char>(random() % 32);
    }
    const std::string bytes = Request(random() % 2 == 0 ? "a" : "b", data, random() % 2 + 1);
    v1::PredictRequest expected;
    ASSERT_TRUE(expected.ParseFromString(bytes));
    ASSERT_EQ(Read(bytes), expected.SerializeAsString());
  }
  EXPECT_GT(hits_, 10'000);
}

}  // namespace
}  // namespace sigserve
