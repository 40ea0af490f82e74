#include "server/registry/servable_settings.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// x: FLOAT32[-1,-1] -> y: FLOAT32[-1,2], sigmoids.
Signature Classifier() {
  Signature signature;
  signature.inputs = {{.name = "x", .shape = Shape{-1, -1}}};
  OutputSignature y;
  y.name = "y";
  y.shape = Shape{-1, 2};
  y.link = Link::kSigmoid;
  y.has_logits = true;
  signature.outputs = {y};
  signature.batchable = true;
  return signature;
}

auto Refused(const std::string& text) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.pbtxt: " + text));
}

TEST(MatchSettings, WithoutAConfigEverythingIsInferred) {
  ASSERT_OK_AND_ASSIGN(const ServableSettings settings, MatchSettings({}, Classifier()));
  EXPECT_TRUE(settings.signature.batchable);
  EXPECT_EQ(settings.signature.inputs[0].shape, (Shape{-1, -1}));
  EXPECT_EQ(settings.max_batch_size, 0);
  ASSERT_EQ(settings.thresholds.size(), 1U);
  EXPECT_THAT(settings.thresholds[0], ElementsAre(0.5F));
  EXPECT_THAT(settings.labels[0], IsEmpty());
}

TEST(MatchSettings, TheModelsOwnLabelsHoldUntilTheConfigHasSome) {
  Signature signature = Classifier();
  signature.outputs[0].labels = {"0", "1"};
  ASSERT_OK_AND_ASSIGN(ServableSettings settings, MatchSettings({}, signature));
  EXPECT_THAT(settings.labels[0], ElementsAre("0", "1"));
  ModelOptions options;
  options.output_options = {
      {.name = "", .labels = {"bad", "good"}, .label_filename = "", .thresholds = {0.25F}}};
  ASSERT_OK_AND_ASSIGN(settings, MatchSettings(options, signature));
  EXPECT_THAT(settings.labels[0], ElementsAre("bad", "good"));
  EXPECT_THAT(settings.thresholds[0], ElementsAre(0.25F));
}

TEST(MatchSettings, ColumnNamesFitTheInputsLastDimension) {
  ModelOptions options;
  std::vector<std::string> thirty;
  for (int i = 0; i < 30; ++i) thirty.push_back(absl::StrCat("c", i));
  options.input_options = {{.name = "x", .column_names = thirty}};
  Signature signature = Classifier();
  signature.inputs[0].shape = Shape{-1, 30};
  ASSERT_OK_AND_ASSIGN(const ServableSettings settings, MatchSettings(options, signature));
  EXPECT_EQ(settings.signature.inputs[0].column_names, thirty);
  options.input_options[0].column_names.pop_back();
  EXPECT_THAT(MatchSettings(options, signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("input 'x' has 29 column_names; its last dimension is 30")));
  options.input_options[0].name = "z";
  EXPECT_THAT(MatchSettings(options, signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("sigserve.input 'z' is not in the model, which has")));
}

TEST(MatchSettings, LabelsOfTheModelMustBeUtf8) {
  Signature signature = Classifier();
  signature.outputs[0].labels = {"tea", "caf\xE9"};
  EXPECT_THAT(MatchSettings({}, signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr(R"(has the label 'caf\xe9', which is not UTF-8)")));
}

TEST(MatchSettings, TheConfigFillsInSizesThatTheModelLeavesOpen) {
  ModelOptions options;
  options.max_batch_size = 16;
  options.inputs = {{.name = "x", .data_type = "TYPE_FP32", .dims = {30}}};
  options.outputs = {{.name = "y", .data_type = "TYPE_FP32", .dims = {-1}}};
  ASSERT_OK_AND_ASSIGN(const ServableSettings settings, MatchSettings(options, Classifier()));
  EXPECT_EQ(settings.signature.inputs[0].shape, (Shape{-1, 30}));
  EXPECT_EQ(settings.signature.outputs[0].shape, (Shape{-1, 2}));
  EXPECT_EQ(settings.max_batch_size, 16);
}

TEST(MatchSettings, WithoutMaxBatchSizeDimsMayHaveTheBatchOrNot) {
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{30}, {-1, 30}}) {
    ModelOptions options;
    options.inputs = {{.name = "x", .data_type = "", .dims = dims}};
    ASSERT_OK_AND_ASSIGN(const ServableSettings settings, MatchSettings(options, Classifier()));
    EXPECT_EQ(settings.signature.inputs[0].shape, (Shape{-1, 30}));
  }
}

TEST(MatchSettings, MaxBatchSizeZeroMeansNoBatch) {
  ModelOptions options;
  options.max_batch_size = 0;
  options.inputs = {{.name = "x", .data_type = "", .dims = {-1, 30}}};
  ASSERT_OK_AND_ASSIGN(const ServableSettings settings, MatchSettings(options, Classifier()));
  EXPECT_FALSE(settings.signature.batchable);
}

// Failures.

struct Misfit {
  const char* name;
  void (*change)(ModelOptions*, Signature*);
  const char* message;
};

class MisfitTest : public testing::TestWithParam<Misfit> {};

TEST_P(MisfitTest, NamesTheField) {
  ModelOptions options;
  Signature signature = Classifier();
  GetParam().change(&options, &signature);
  EXPECT_THAT(MatchSettings(options, signature), Refused(GetParam().message));
}

OutputOptions Labels(std::string output, std::vector<std::string> labels) {
  OutputOptions options;
  options.name = std::move(output);
  options.labels = std::move(labels);
  return options;
}
OutputOptions Thresholds(std::vector<float> thresholds) {
  OutputOptions options;
  options.thresholds = std::move(thresholds);
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Table, MisfitTest,
    testing::Values(
        Misfit{"unknown_input",
               [](auto* o, auto*) { o->inputs = {{.name = "z", .data_type = "", .dims = {}}}; },
               "input 'z' is not in the model, which has 'x'"},
        Misfit{"unknown_output",
               [](auto* o, auto*) { o->outputs = {{.name = "p", .data_type = "", .dims = {}}}; },
               "output 'p' is not in the model, which has 'y'"},
        Misfit{"dtype",
               [](auto* o, auto*) {
                 o->inputs = {{.name = "x", .data_type = "TYPE_FP64", .dims = {}}};
               },
               "input 'x': data_type is TYPE_FP64; the model has FLOAT32"},
        Misfit{"dtype_we_lack",
               [](auto* o, auto*) {
                 o->inputs = {{.name = "x", .data_type = "TYPE_STRING", .dims = {}}};
               },
               "input 'x': data_type is TYPE_STRING; the model has FLOAT32"},
        Misfit{"rank",
               [](auto* o, auto*) {
                 o->max_batch_size = 8;
                 o->inputs = {{.name = "x", .data_type = "", .dims = {-1, 30}}};
               },
               "input 'x': dims is [-1,30] with the batch dimension before it; the model has "
               "[-1,-1]"},
        Misfit{"size",
               [](auto* o, auto*) { o->outputs = {{.name = "y", .data_type = "", .dims = {3}}}; },
               "output 'y': dims is [3]; the model has [-1,2]"},
        Misfit{"no_batch",
               [](auto* o, auto* s) {
                 o->max_batch_size = 8;
                 s->batchable = false;
               },
               "MODEL_BATCH_DIM: max_batch_size is 8, but dimension 0 of the model's inputs and "
               "outputs is no batch"},
        Misfit{"label_count", [](auto* o, auto*) { o->output_options = {Labels("y", {"only"})}; },
               "output 'y' has 1 labels; its last dimension is 2"},
        Misfit{"label_output",
               [](auto* o, auto*) {
                 o->output_options = {Labels("q", {"a", "b"})};
               },
               "sigserve.output 'q' is not in the model, which has 'y'"},
        Misfit{"nameless_among_several",
               [](auto* o, auto* s) {
                 s->outputs.push_back(s->outputs[0]);
                 s->outputs[1].name = "w";
                 o->output_options = {Labels("", {"a", "b"})};
               },
               "sigserve.output has no name, and the model has 2 outputs: 'y', 'w'"},
        Misfit{"threshold_count",
               [](auto* o, auto*) {
                 o->output_options = {Thresholds({0.1F, 0.2F, 0.3F})};
               },
               "output 'y' has 3 thresholds; expected 1, or 2"},
        Misfit{"thresholds_of_no_classifier",
               [](auto* o, auto* s) {
                 s->outputs[0].link = Link::kNone;
                 o->output_options = {Thresholds({0.1F})};
               },
               "MODEL_NOT_CLASSIFIER: output 'y' has thresholds"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sigserve
