#include "server/config/model_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(ParseModelConfig, EmptyFileIsTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options, ParseModelConfig("", "m"));
  EXPECT_EQ(options.model_filename, "model.onnx");
  EXPECT_EQ(options.version_policy, VersionPolicy{});
  EXPECT_FALSE(options.max_batch_size.has_value());
  EXPECT_TRUE(options.inputs.empty());
  EXPECT_FALSE(options.outputs_are_logits);
  EXPECT_FALSE(options.forbid_nan);
  EXPECT_FALSE(options.numerics.bf16);
  EXPECT_FALSE(options.numerics.fast_math);
  EXPECT_EQ(options.numerics.max_probability_change, 0.02);
}

TEST(ParseModelConfig, AByteOrderMarkIsAccepted) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options,
                       ParseModelConfig("\xEF\xBB\xBFmax_batch_size: 7", "m"));
  EXPECT_EQ(options.max_batch_size, 7);
}

TEST(ParseModelConfig, OtherEncodingsAreRefused) {
  EXPECT_THAT(ParseModelConfig("max_batch_size: 7\n# caf\xE9", "m"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("config.pbtxt: line 2 has the byte 0xE9, which is not UTF-8")));
  EXPECT_THAT(ParseModelConfig("\xFF\xFEm", "m"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is UTF-16")));
  // An escape can spell the same byte.
  EXPECT_THAT(ParseModelConfig(R"(output { name: "y" } output { name: "caf\351" })", "m"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(R"(config.pbtxt: output.name: 'caf\xe9' is not UTF-8)")));
}

TEST(ParseModelConfig, ReadsATritonConfig) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options, ParseModelConfig(R"(
      name: "m"
      platform: "onnxruntime_onnx"
      max_batch_size: 8
      default_model_filename: "net.onnx"
      version_policy: { latest { num_versions: 2 } }
      input [ { name: "x" data_type: TYPE_FP32 dims: [ 30 ] } ]
      output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] label_filename: "labels.txt" } ]
      instance_group [ { count: 2 kind: KIND_CPU } ]
      dynamic_batching { max_queue_delay_microseconds: 100 })",
                                                                    "m"));
  EXPECT_EQ(options.model_filename, "net.onnx");
  EXPECT_EQ(options.version_policy.latest_count, 2);
  EXPECT_EQ(options.max_batch_size, 8);
  ASSERT_EQ(options.inputs.size(), 1U);
  EXPECT_EQ(options.inputs[0].name, "x");
  EXPECT_EQ(options.inputs[0].data_type, "TYPE_FP32");
  EXPECT_THAT(options.inputs[0].dims, ElementsAre(30));
  ASSERT_EQ(options.output_options.size(), 1U);
  EXPECT_EQ(options.output_options[0].name, "y");
  EXPECT_EQ(options.output_options[0].label_filename, "labels.txt");
  EXPECT_THAT(options.notes,
              ElementsAre("dynamic_batching.max_queue_delay_microseconds has no effect: "
                          "there is no batching delay",
                          "instance_group has no effect here"));
}

TEST(ParseModelConfig, ReadsOurOwnFields) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options, ParseModelConfig(R"(
      backend: "sigserve"
      max_batch_size: 0
      version_policy { specific { versions: [3, 1] } }
      sigserve {
        output { name: "y" labels: ["bad", "good"] thresholds: [0.25, 1] }
        outputs_are_logits: true
        forbid_nan: true
        precision: BF16
        fast_math: true
        max_probability_change: 0.5
        version_labels { key: "stable" value: 3 }
      })",
                                                                    "m"));
  EXPECT_EQ(options.max_batch_size, 0);
  EXPECT_EQ(options.version_policy.kind, VersionPolicy::Kind::kSpecific);
  EXPECT_THAT(options.version_policy.versions, ElementsAre(3, 1));
  ASSERT_EQ(options.output_options.size(), 1U);
  EXPECT_THAT(options.output_options[0].labels, ElementsAre("bad", "good"));
  EXPECT_THAT(options.output_options[0].thresholds, ElementsAre(0.25F, 1.0F));
  EXPECT_TRUE(options.outputs_are_logits);
  EXPECT_TRUE(options.forbid_nan);
  EXPECT_TRUE(options.numerics.bf16);
  EXPECT_TRUE(options.numerics.fast_math);
  EXPECT_EQ(options.numerics.max_probability_change, 0.5);
  EXPECT_THAT(options.version_labels, ElementsAre(Pair("stable", 3)));
}

TEST(ParseModelConfig, ReadsHowRequestsWait) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions none, ParseModelConfig("", "m"));
  EXPECT_EQ(none.queue.latency_target, absl::InfiniteDuration());
  EXPECT_EQ(none.queue.weight, 1);
  EXPECT_EQ(none.queue.max_wait, absl::InfiniteDuration());
  EXPECT_EQ(none.queue.max_requests, 0);
  EXPECT_TRUE(none.notes.empty());
  ASSERT_OK_AND_ASSIGN(const ModelOptions options, ParseModelConfig(R"(
      sigserve { latency_target_microseconds: 5000 weight: 2.5 })",
                                                                    "m"));
  EXPECT_EQ(options.queue.latency_target, absl::Milliseconds(5));
  EXPECT_EQ(options.queue.weight, 2.5);
}

TEST(ParseModelConfig, SaysWhatBecomesOfDynamicBatching) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options, ParseModelConfig(R"(
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ]
        preserve_ordering: true
        priority_levels: 3
        default_priority_level: 2
        priority_queue_policy { key: 1 value { max_queue_size: 1 } }
        default_queue_policy { default_timeout_microseconds: 7000 max_queue_size: 12 }
      })",
                                                                    "m"));
  EXPECT_EQ(options.queue.max_wait, absl::Milliseconds(7));
  EXPECT_EQ(options.queue.max_requests, 12);
  EXPECT_EQ(options.queue.priority_levels, 3);
  EXPECT_EQ(options.queue.default_priority, 2);
  EXPECT_THAT(options.notes,
              ElementsAre(HasSubstr("preferred_batch_size has no effect"),
                          HasSubstr("preserve_ordering has no effect"),
                          HasSubstr("priority_levels 3: of requests that wait"),
                          HasSubstr("priority_queue_policy has no effect"),
                          HasSubstr("default_timeout_microseconds 7000: requests that wait longer"),
                          HasSubstr("max_queue_size 12: more requests than that do not wait")));
  ASSERT_OK_AND_ASSIGN(
      const ModelOptions delay,
      ParseModelConfig("dynamic_batching { default_queue_policy { timeout_action: DELAY "
                       "default_timeout_microseconds: 7000 } }",
                       "m"));
  EXPECT_EQ(delay.queue.max_wait, absl::InfiniteDuration());
  EXPECT_THAT(delay.notes, ElementsAre(HasSubstr("DELAY has no effect")));
  ASSERT_OK_AND_ASSIGN(const ModelOptions empty, ParseModelConfig("dynamic_batching { }", "m"));
  EXPECT_THAT(empty.notes, ElementsAre(HasSubstr("without being asked")));
}

TEST(ParseModelConfig, WithoutLevelsTheDefaultPriorityMeansNothing) {
  ASSERT_OK_AND_ASSIGN(const ModelOptions options,
                       ParseModelConfig("dynamic_batching { default_priority_level: 2 }", "m"));
  EXPECT_EQ(options.queue.priority_levels, 0);
  EXPECT_EQ(options.queue.default_priority, 0);
}

TEST(ParseModelConfig, NamesValuesOfTheQueueThatCannotBe) {
  for (const auto& [text, field] : std::vector<std::pair<const char*, const char*>>{
           {"sigserve { latency_target_microseconds: 3600000001 }", "latency_target_microseconds"},
           {"sigserve { weight: -1 }", "weight is -1"},
           {"sigserve { weight: nan }", "weight is nan"},
           {"sigserve { weight: 1001 }", "weight is 1001"},
           {"dynamic_batching { priority_levels: 2 }", "default_priority_level is 0"},
           {"dynamic_batching { priority_levels: 2 default_priority_level: 3 }",
            "default_priority_level is 3; expected 1 to 2"},
           {"dynamic_batching { default_queue_policy { default_timeout_microseconds: "
            "18446744073709551615 } }",
            "default_timeout_microseconds"}}) {
    EXPECT_THAT(ParseModelConfig(text, "m"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
  }
}

TEST(ParseModelConfig, NamesAnUnknownFieldWithItsPlace) {
  EXPECT_THAT(ParseModelConfig("max_batch_size: 8\nensemble_scheduling { }\n", "m"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("config.pbtxt:2:"), HasSubstr("ensemble_scheduling"))));
}

struct Refused {
  const char* name;
  const char* text;
  const char* message;
};

class RefusedConfigTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedConfigTest, NamesTheField) {
  EXPECT_THAT(ParseModelConfig(GetParam().text, "m"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("config.pbtxt"), HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, RefusedConfigTest,
    testing::Values(
        Refused{"not_text", "\x08 garbage {", "config.pbtxt:1"},
        Refused{"twice", "name: \"m\" name: \"m\"", "specified multiple times"},
        Refused{"name", "name: \"other\"", "name is 'other'; expected the directory's name 'm'"},
        Refused{"platform", "platform: \"tensorrt_plan\"", "platform is 'tensorrt_plan'"},
        Refused{"backend", "backend: \"python\"", "backend is 'python'"},
        Refused{"gpu", "instance_group { kind: KIND_GPU }", "instance_group asks for a GPU"},
        Refused{"decoupled", "model_transaction_policy { decoupled: true }", "decoupled"},
        Refused{"batch_size", "max_batch_size: -1", "max_batch_size is -1"},
        Refused{"file_up", "default_model_filename: \"../m.onnx\"",
                "default_model_filename is '../m.onnx'"},
        Refused{"file_dots", "default_model_filename: \"..\"", "default_model_filename is '..'"},
        Refused{"label_file", "output { name: \"y\" label_filename: \"/etc/passwd\" }",
                "label_filename is '/etc/passwd'"},
        Refused{"two_labels",
                "output { name: \"y\" label_filename: \"l\" } "
                "sigserve { output { name: \"y\" labels: \"a\" } }",
                "both label_filename and sigserve labels"},
        Refused{"input_without_name", "input { data_type: TYPE_FP32 }", "input.name is missing"},
        Refused{"dims", "input { name: \"x\" dims: [ 0 ] }", "input 'x': dims has 0"},
        Refused{"optional", "input { name: \"x\" optional: true }", "optional is true"},
        Refused{"versions", "version_policy { specific { } }", "names no versions"},
        Refused{"version", "version_policy { specific { versions: 0 } }", "versions has 0"},
        Refused{"threshold_high", "sigserve { output { thresholds: 1.5 } }", "thresholds has 1.5"},
        Refused{"threshold_nan", "sigserve { output { thresholds: nan } }", "thresholds has nan"},
        Refused{"label_twice", "sigserve { output { labels: [\"a\", \"a\"] } }",
                "label 'a' is given twice"},
        Refused{"label_empty", "sigserve { output { labels: [\"\"] } }", "a label is empty"},
        Refused{"label_forging_lines", "sigserve { output { labels: [\"a\\nb\"] } }",
                "control character"},
        Refused{"output_twice", "sigserve { output { } output { } }", "is given twice"},
        Refused{"version_label", "sigserve { version_labels { key: \"s\" value: 0 } }",
                "version_labels['s'] is 0"},
        Refused{"precision", "sigserve { precision: PRECISION_INT8 }", "PRECISION_INT8"},
        Refused{"change", "sigserve { max_probability_change: 1.5 }",
                "max_probability_change is 1.5"},
        Refused{"change_nan", "sigserve { max_probability_change: nan }",
                "max_probability_change is nan"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sigserve
