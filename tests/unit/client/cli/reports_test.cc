// What sigctl makes of values: tensors from files, verdicts on predictions, jobs, models and
// progress as text.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/job_report.h"
#include "client/cli/model_inputs.h"
#include "client/cli/model_report.h"
#include "client/cli/progress.h"
#include "client/cli/verdicts.h"
#include "client/cli/writers.h"
#include "tests/support/status_matchers.h"

namespace sigserve::cli {
namespace {

using client::DataType;
using client::ModelInfo;
using client::PredictionOutput;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelInfo OneInput(DataType dtype = DataType::kFloat32, std::vector<int64_t> shape = {-1, 2}) {
  return {.name = "m",
          .version = 1,
          .inputs = {{.name = "x", .dtype = dtype, .shape = std::move(shape)}},
          .batchable = true};
}

InputData Table(std::vector<int64_t> shape, std::vector<double> values) {
  return {.source = "f.csv", .arrays = {{.shape = std::move(shape), .values = std::move(values)}}};
}

// Model inputs.

template <typename T>
std::vector<T> Elements(const client::Tensor& tensor) {
  std::vector<T> values(tensor.data.size() / sizeof(T));
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

TEST(FitToModelTest, NumbersTakeTheModelsTypeAndName) {
  const auto fit = [](DataType dtype) {
    return FitToModel(Table({1, 2}, {0, 1}), OneInput(dtype)).value().at(0);
  };
  EXPECT_EQ(fit(DataType::kFloat32).name, "x");
  EXPECT_THAT(Elements<float>(fit(DataType::kFloat32)), ElementsAre(0.0F, 1.0F));
  EXPECT_THAT(Elements<double>(fit(DataType::kFloat64)), ElementsAre(0.0, 1.0));
  EXPECT_THAT(Elements<int32_t>(fit(DataType::kInt32)), ElementsAre(0, 1));
  EXPECT_THAT(Elements<int64_t>(fit(DataType::kInt64)), ElementsAre(0, 1));
  EXPECT_THAT(Elements<uint8_t>(fit(DataType::kBool)), ElementsAre(0, 1));
}

TEST(FitToModelTest, AListIsOneRow) {
  EXPECT_THAT(FitToModel(Table({2}, {1, 2}), OneInput()).value()[0].shape, ElementsAre(1, 2));
}

TEST(FitToModelTest, WhatIsRefused) {
  struct Case {
    InputData data;
    ModelInfo model;
    std::string message;
  };
  InputData named = Table({1, 2}, {1, 2});
  named.arrays[0].name = "y";
  InputData labelled = Table({1, 4}, {1, 2, 3, 4});
  ModelInfo two = OneInput();
  two.inputs.push_back({.name = "z"});
  const std::vector<Case> cases = {
      {named, OneInput(), "f.csv: m has no input 'y'; it has 'x'"},
      {Table({1, 2}, {1, 2}), two,
       R"(f.csv: m has the inputs 'x', 'z'; give them as JSON: )"
       R"({"inputs": {name: ...}})"},
      {labelled, OneInput(), "f.csv: 4 columns, but m takes 2"},
      {Table({1, 3}, {1, 2, 3}), OneInput(),
       "f.csv: 3 columns, but m takes 2; is one of them the true label? --label-column 3"},
      {Table({2, 2}, {1, 2, 3, 1e39}), OneInput(),
       "f.csv: row 2, column 2: 1e+39 does not fit FLOAT32"},
      {Table({1, 2}, {1, 0.5}), OneInput(DataType::kInt64),
       "f.csv: row 1, column 2: 0.5 does not fit INT64"},
      {Table({1, 2}, {1, 2147483648.0}), OneInput(DataType::kInt32),
       "f.csv: row 1, column 2: 2147483648 does not fit INT32"},
      {Table({1, 2}, {1, 2}), OneInput(DataType::kBool),
       "f.csv: row 1, column 2: 2 does not fit BOOL"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(FitToModel(c.data, c.model).status().message(), c.message);
  }
}

TEST(FitToModelTest, NamedColumnsAreMatchedByName) {
  ModelInfo model = OneInput(DataType::kFloat32, {-1, 3});
  model.inputs[0].column_names = {"a", "b", "c"};
  InputData data = Table({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto fit = [&] { return Elements<float>(FitToModel(data, model).value()[0]); };
  EXPECT_THAT(fit(), ElementsAre(1, 2, 3, 4, 5, 6));  // a file without a header: by position
  data.column_names = {"a", "b", "c"};
  EXPECT_THAT(fit(), ElementsAre(1, 2, 3, 4, 5, 6));
  data.column_names = {"c", "a", "b"};
  EXPECT_THAT(fit(), ElementsAre(2, 3, 1, 5, 6, 4));
  data.column_names = {"c", "a", "d"};
  EXPECT_EQ(FitToModel(data, model).status().message(),
            "f.csv: m needs the columns 'b', which the file lacks; it has 'd' instead; --no-header "
            "takes the columns by position");
  model.inputs[0].column_names.clear();
  EXPECT_THAT(fit(), ElementsAre(1, 2, 3, 4, 5, 6));  // a model without names: by position
}

TEST(SliceTest, RowsThatCanBeCut) {
  ASSERT_OK_AND_ASSIGN(const auto tensors,
                       FitToModel(Table({3, 2}, {1, 2, 3, 4, 5, 6}), OneInput()));
  EXPECT_EQ(SplittableRows(tensors, OneInput()), 3);
  const auto slice = SliceRows(tensors, 1, 3);
  EXPECT_THAT(slice[0].shape, ElementsAre(2, 2));
  EXPECT_THAT(Elements<float>(slice[0]), ElementsAre(3, 4, 5, 6));

  ModelInfo unbatched = OneInput();
  unbatched.batchable = false;
  EXPECT_EQ(SplittableRows(tensors, unbatched), 0);
  EXPECT_EQ(SplittableRows({}, OneInput()), 0);
  EXPECT_EQ(SplittableRows({{.shape = {3, 1}}, {.shape = {2, 1}}}, OneInput()), 0);
}

// Verdicts.

PredictionOutput Probabilities(std::vector<int64_t> shape, std::vector<float> values) {
  return {.name = "p",
          .shape = std::move(shape),
          .is_probability = true,
          .probabilities = std::move(values)};
}

InputData WithLabels(std::vector<std::string> labels, int64_t columns) {
  InputData data{.source = "f.csv", .labels = std::move(labels)};
  for (int64_t c = 0; c < columns; ++c) data.label_names.push_back(absl::StrCat("y", c));
  return data;
}

Verdicts JudgeOutput(const PredictionOutput& output, const std::vector<std::string>& labels,
                     int64_t columns, std::vector<float> thresholds = {}) {
  ModelInfo model;
  model.outputs = {{.name = "p", .thresholds = std::move(thresholds)}};
  const auto verdicts = Judge({output}, model, WithLabels(labels, columns));
  EXPECT_OK(verdicts);
  return verdicts.value_or(Verdicts{});
}

TEST(VerdictsTest, BinaryAtTheModelsThreshold) {
  const PredictionOutput p = Probabilities({2, 1}, {0.4F, 0.6F});
  EXPECT_THAT(JudgeOutput(p, {"0", "1"}, 1).right, ElementsAre(true, true));
  EXPECT_THAT(JudgeOutput(p, {"0", "1"}, 1, {0.7F}).right, ElementsAre(true, false));
}

TEST(VerdictsTest, AccuracyIsTheShareOfRightDecisions) {
  const PredictionOutput p = Probabilities({2, 2}, {0.9F, 0.2F, 0.9F, 0.8F});
  const Verdicts verdicts = JudgeOutput(p, {"1", "0", "1", "0"}, 2);
  EXPECT_THAT(verdicts.right, ElementsAre(true, false));
  EXPECT_EQ(verdicts.accuracy, 0.75);
  ASSERT_EQ(verdicts.labels.size(), 2U);
  EXPECT_EQ(verdicts.labels[0].name, "y0");
  EXPECT_EQ(verdicts.labels[0].positives, 2);
  EXPECT_EQ(verdicts.labels[0].f1, 1.0);
  EXPECT_EQ(verdicts.labels[0].roc_auc, std::nullopt);
  EXPECT_EQ(verdicts.labels[1].accuracy, 0.5);
  EXPECT_EQ(verdicts.labels[1].f1, 0.0);
  EXPECT_THAT(JudgeOutput(p, {"1", "0", "1", "0"}, 2, {0.5F, 0.85F}).right,
              ElementsAre(true, true));
}

TEST(VerdictsTest, RocAucCountsPairsAndHalvesTies) {
  EXPECT_EQ(RocAuc({0.1F, 0.4F, 0.35F, 0.8F}, {false, false, true, true}), 0.75);
  EXPECT_EQ(RocAuc({0.5F, 0.5F, 0.9F}, {false, true, true}), 0.75);
  EXPECT_EQ(RocAuc({0.1F, 0.2F}, {true, true}), std::nullopt);
  EXPECT_EQ(RocAuc({0.1F, NAN}, {true, false}), std::nullopt);
}

TEST(VerdictsTest, DecisionsOfTheServerComeBeforeThresholds) {
  PredictionOutput p = Probabilities({1, 1}, {0.9F});
  p.decisions = {false};
  EXPECT_THAT(JudgeOutput(p, {"0"}, 1).right, ElementsAre(true));
}

TEST(VerdictsTest, TheMostProbableClassByNumberOrName) {
  PredictionOutput p = Probabilities({2, 3}, {0.1F, 0.7F, 0.2F, 0.5F, 0.3F, 0.2F});
  p.labels = {"cat", "dog", "cow"};
  EXPECT_THAT(JudgeOutput(p, {"dog", "2"}, 1).right, ElementsAre(true, false));
}

TEST(VerdictsTest, ClassIds) {
  const PredictionOutput ids{.name = "id", .shape = {2}, .int64_values = {4, 5}};
  EXPECT_THAT(JudgeOutput(ids, {"4", "6"}, 1).right, ElementsAre(true, false));
}

TEST(VerdictsTest, WhatCannotBeCompared) {
  const auto why = [](const PredictionOutput& output, const std::vector<std::string>& labels,
                      int64_t columns) {
    return std::string(Judge({output}, {}, WithLabels(labels, columns)).status().message());
  };
  EXPECT_EQ(why({.name = "raw", .shape = {1}, .probabilities = {3}}, {"1"}, 1),
            "the model has no probability or class output");
  EXPECT_EQ(why(Probabilities({1, 3}, {0, 0, 0}), {"1", "0"}, 2),
            "the file has 2 label columns, each row of 'p' has 3 values");
  EXPECT_EQ(why(Probabilities({1, 1}, {0}), {"maybe"}, 1),
            "f.csv: row 1, column 'y0': label 'maybe' is not 1 or 0, true or false, yes or no");
  EXPECT_EQ(why(Probabilities({1, 3}, {0, 0, 0}), {"3"}, 1),
            "f.csv: row 1, column 'y0': label '3' is not a class from 0 to 2");
  EXPECT_EQ(why(Probabilities({1, 3}, {0, 0, 0}), {"bird"}, 1),
            "f.csv: row 1, column 'y0': label 'bird' is not a class number or one of the model's "
            "label names");
}

// Tables.

TEST(TableTest, LongTextsContinueBetweenWords) {
  const Grid grid{.names = {"model", "reason"},
                  .rows = {{"m", "the quick brown fox jumps over the lazy dog"}, {"n", "none"}}};
  std::ostringstream out;
  WriteTable(grid, 30, out);
  EXPECT_EQ(out.str(),
            "model  reason\n"
            "m      the quick brown fox\n"
            "       jumps over the lazy dog\n"
            "n      none\n");
}

TEST(TableTest, TooManyColumnsAreSeveralTables) {
  std::ostringstream out;
  WriteTable({.names = {"row", "aaaaaa", "bbbbbb", "cccccc"}, .rows = {{"1", "2", "3", "4"}}}, 20,
             out);
  EXPECT_EQ(out.str(),
            "row  aaaaaa  bbbbbb\n"
            "  1       2       3\n"
            "\n"
            "row  cccccc\n"
            "  1       4\n");
}

// Progress.

TEST(ProgressTest, OneLine) {
  EXPECT_EQ(ProgressLine({.epoch = 5, .training_loss = 0.5, .elapsed_seconds = 10}, 10, true),
            "epoch  5/10 [==========>         ] loss 0.5000, 10 s left");
  EXPECT_EQ(ProgressLine({.epoch = 10,
                          .training_loss = 0.25,
                          .validation_loss = 0.375,
                          .validation_roc_auc = 0.75},
                         10, false),
            "epoch 10/10 loss 0.2500, validation 0.3750, ROC-AUC 0.7500");
}

TEST(ProgressTest, ALogHoldsTheFirstTheLastAndEveryTenth) {
  std::ostringstream out;
  Progress progress(out, false);
  for (int64_t epoch = 1; epoch <= 100; ++epoch) progress.Show({.epoch = epoch}, 100);
  progress.Finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
  EXPECT_THAT(text, HasSubstr("epoch  10/100"));
}

TEST(ProgressTest, ATerminalsLineIsDrawnOverAndEndedOnce) {
  std::ostringstream out;
  Progress progress(out, true);
  progress.Show({.epoch = 1}, 2);
  progress.Show({.epoch = 2}, 2);
  progress.Finish();
  progress.Finish();
  EXPECT_EQ(out.str(),
            "\r\033[Kepoch 1/2 [==========>         ] loss 0.0000, 0.0 s left"
            "\r\033[Kepoch 2/2 [====================] loss 0.0000\n");
}

// Jobs and models.

client::Job Succeeded() {
  return {.job_id = "j1",
          .model_name = "m",
          .state = client::JobState::kSucceeded,
          .created_unix_ms = 1700000000000,
          .started_unix_ms = 1700000001000,
          .ended_unix_ms = 1700000003500,
          .epochs_done = 3,
          .epochs_total = 3,
          .published_version = 2,
          .training_rows = 8,
          .validation_rows = 2,
          .last_epoch = client::EpochMetrics{.epoch = 3,
                                             .training_loss = 0.5,
                                             .validation_loss = 0.25,
                                             .validation_accuracy = 1.0},
          .seed = 7};
}

TEST(JobReportTest, ASuccess) {
  std::ostringstream out;
  WriteJob(Succeeded(), {OutputFormat::kTable}, out);
  EXPECT_EQ(out.str(),
            "j1: published m version 2 after 2.5 s\n"
            "  rows                 8 training, 2 validation\n"
            "  seed                 7\n"
            "  training loss        0.500000\n"
            "  validation loss      0.250000\n"
            "  validation accuracy  1.000000\n"
            "  validation ROC-AUC   - (one class only)\n");
}

TEST(JobReportTest, AFailureSaysWhyAndThatNothingWasPublished) {
  client::Job job{.job_id = "j2", .state = client::JobState::kFailed, .message = "loss is NaN"};
  std::ostringstream out;
  WriteJob(job, {OutputFormat::kTable}, out);
  EXPECT_THAT(out.str(), HasSubstr("j2: FAILED, epoch 0 of 0: loss is NaN; nothing was published"));
}

TEST(JobReportTest, JsonAndCsv) {
  std::ostringstream json;
  WriteJobs({Succeeded()}, {OutputFormat::kJson}, json);
  EXPECT_THAT(json.str(), HasSubstr(R"("state": "SUCCEEDED")"));
  EXPECT_THAT(json.str(), HasSubstr(R"("validation_loss": 0.25)"));
  std::ostringstream csv;
  WriteJob(Succeeded(), {OutputFormat::kCsv}, csv);
  EXPECT_EQ(csv.str(),
            "job,model,state,epochs,training loss,validation loss,ROC-AUC,version,created,message\n"
            "j1,m,SUCCEEDED,3/3,0.500000,0.250000,-,2,2023-11-14 22:13:20 UTC,\n");
  std::ostringstream none;
  WriteJobs({}, {OutputFormat::kTable}, none);
  EXPECT_EQ(none.str(), "no training jobs\n");
}

TEST(ModelReportTest, AModelAsTable) {
  ModelInfo model = OneInput();
  model.outputs = {{.name = "p",
                    .dtype = DataType::kFloat32,
                    .shape = {-1, 1},
                    .is_probability = true,
                    .labels = {"spam"},
                    .thresholds = {0.3F}},
                   {.name = "raw", .dtype = DataType::kInt64, .any_rank = true}};
  model.versions = {
      {.name = "m", .version = 2, .state = client::ModelState::kFailed, .reason = "no\nfile"},
      {.name = "m", .version = 1, .state = client::ModelState::kReady}};
  std::ostringstream out;
  WriteModel(model, {OutputFormat::kTable}, out);
  EXPECT_EQ(out.str(),
            "m version 1, rows of several requests share a batch\n"
            "\n"
            "                      name  dtype    shape      labels  thresholds\n"
            "input                 x     FLOAT32  [rows, 2]\n"
            "output (probability)  p     FLOAT32  [rows, 1]  spam           0.3\n"
            "output                raw   INT64    any\n"
            "\n"
            "model  version  state   reason\n"
            "m            2  FAILED  no?file\n"
            "m            1  READY\n");
  std::ostringstream json;
  WriteModel(model, {OutputFormat::kJson}, json);
  EXPECT_THAT(json.str(), HasSubstr(R"("shape": null)"));
}

TEST(ModelReportTest, AnEmptyRepository) {
  std::ostringstream out;
  WriteModels({}, {OutputFormat::kTable}, out);
  EXPECT_EQ(out.str(), "no models in the repository\n");
}

}  // namespace
}  // namespace sigserve::cli
