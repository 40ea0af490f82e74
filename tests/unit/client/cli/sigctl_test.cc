// sigctl as its users see it: arguments in, output and exit code out, against a sigserve in the
// process.
#include "client/cli/sigctl.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/fake_sigserve.h"
#include "tests/support/status_matchers.h"

namespace sigserve::cli {
namespace {

using ::testing::HasSubstr;

struct Result {
  int code;
  std::string out;
  std::string err;
};

Result Invoke(const std::vector<std::string>& arguments, const std::string& input = "",
              const std::map<std::string, std::string>& environment = {}, size_t columns = 0) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunSigctl(
      arguments,
      {.in = &in, .out = &out, .err = &err, .out_columns = columns, .environment = environment});
  return {code, out.str(), err.str()};
}

class SigctlTest : public testing::Test {
 protected:
  SigctlTest() {
    server_.get_model = [this](const v1::GetModelRequest& request, v1::GetModelResponse* response) {
      response->set_name(request.model().name());
      response->set_version(3);
      response->set_batchable(true);
      response->set_max_batch_size(max_batch_size_);
      v1::TensorSpec* input = response->add_inputs();
      input->set_name("x");
      input->set_dtype(v1::DATA_TYPE_FLOAT32);
      input->add_shape(-1);
      input->add_shape(2);
      return grpc::Status::OK;
    };
    // p = 0.25 for the first row of a request, 0.75 for the others.
    server_.predict = [this](const v1::PredictRequest& request, v1::PredictResponse* response) {
      request_rows_.push_back(request.inputs(0).shape(0));
      response->set_model_name(request.model().name());
      response->set_model_version(request.model().version());
      v1::PredictOutput* output = response->add_outputs();
      output->set_name("p");
      output->set_is_probability(true);
      output->add_labels("spam");
      output->add_shape(request_rows_.back());
      output->add_shape(1);
      for (int64_t i = 0; i < request_rows_.back(); ++i) {
        output->add_probabilities(i == 0 ? 0.25F : 0.75F);
      }
      return grpc::Status::OK;
    };
  }

  Result Ask(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--address", server_.address()});
    return Invoke(std::move(arguments), input);
  }

  testing_support::FakeSigserve server_;
  std::vector<int64_t> request_rows_;
  int64_t max_batch_size_ = 0;  // 0: an older server, which does not say
};

TEST_F(SigctlTest, PredictAsTable) {
  const Result result =
      Ask({"predict", "--label-column", "y", "m", "--input", "-"}, "a,b,y\n1,2,0\n3,4,1\n5,6,0\n");
  EXPECT_EQ(result.out,
            "row      spam  true_y\n"
            "  1  0.250000       0\n"
            "  2  0.750000       1\n"
            "  3  0.750000       0  wrong\n"
            "3 rows by m version 3, accuracy 0.6667 (1 wrong), F1 0.6667, ROC-AUC 0.7500\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.code, 0);
}

TEST_F(SigctlTest, PredictAsCsvAndJson) {
  EXPECT_EQ(Ask({"predict", "m", "--row", "-1,2", "--row", "3,4", "-o", "csv"}).out,
            "row,spam\n1,0.25\n2,0.75\n");
  EXPECT_EQ(Ask({"predict", "m", "-i", "-", "-o", "json"}, "[[1,2]]").out,
            R"({"model":"m","version":3,"rows":1,"outputs":[{"name":"p","shape":[1,1],)"
            R"("labels":["spam"],"probabilities":[[0.25]]}]})"
            "\n");
}

TEST_F(SigctlTest, ManyRowsTravelInBoundedRequests) {
  std::string rows;
  for (int i = 0; i < 2500; ++i) rows += "1,2\n";
  const Result result = Ask({"predict", "m", "-i", "-", "--limit", "1"}, rows);
  EXPECT_THAT(request_rows_, testing::ElementsAre(1024, 1024, 452));
  EXPECT_THAT(result.out, HasSubstr("... 2499 more rows"));
}

TEST_F(SigctlTest, NoRequestHasMoreRowsThanTheModelTakes) {
  const struct {
    int64_t max_batch_size;
    std::vector<int64_t> requests;
  } cases[] = {{1, {1, 1, 1, 1, 1}}, {2, {2, 2, 1}}, {4, {4, 1}}, {5, {5}}, {5000, {5}}};
  for (const auto& c : cases) {
    max_batch_size_ = c.max_batch_size;
    request_rows_.clear();
    const Result result =
        Ask({"predict", "m", "-i", "-", "-o", "csv"}, "1,2\n1,2\n1,2\n1,2\n1,2\n");
    EXPECT_EQ(request_rows_, c.requests) << c.max_batch_size;
    EXPECT_EQ(result.code, 0) << result.err;
    // A header, then each row once.
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 6) << result.out;
  }
}

TEST_F(SigctlTest, ATableShowsTwentyRowsUnlessTold) {
  std::string rows;
  for (int i = 0; i < 30; ++i) rows += "1,2\n";
  const auto lines = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"predict", "m", "-i", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const std::string out = Ask(arguments, rows).out;
    return std::count(out.begin(), out.end(), '\n');
  };
  // Besides a header, a line for the rows left out, and the summary.
  EXPECT_EQ(lines({}), 1 + 20 + 1 + 1);
  EXPECT_EQ(lines({"--limit", "3"}), 1 + 3 + 1 + 1);
  EXPECT_EQ(lines({"--limit", "0"}), 1 + 30 + 1);
}

TEST_F(SigctlTest, HealthIsAnExitCode) {
  server_.check = [](const auto& request, auto* response) {
    response->set_status(request.service().empty()
                             ? grpc::health::v1::HealthCheckResponse::SERVING
                             : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Ask({"health"}).code, 0);
  const Result model = Ask({"health", "m"});
  EXPECT_EQ(model.out, "NOT_SERVING\n");
  EXPECT_EQ(model.code, 1);
}

TEST_F(SigctlTest, NoTlsMeansPlainTextWhateverElseIsSaid) {
  server_.check = [](const auto&, auto* response) {
    response->set_status(grpc::health::v1::HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Ask({"health", "--no-tls", "--ca-file", "/nowhere", "--server-name", "x"}).code, 0);
  const std::map<std::string, std::string> environment = {{"SIGSERVE_ADDRESS", server_.address()},
                                                          {"SIGSERVE_CA_FILE", "/nowhere"}};
  const Result with_tls = Invoke({"health"}, "", environment);
  const Result plain = Invoke({"health", "--no-tls"}, "", environment);
  EXPECT_THAT(with_tls.err, HasSubstr("'/nowhere'"));
  EXPECT_EQ(with_tls.code, 2);
  EXPECT_EQ(plain.err, "");
  EXPECT_EQ(plain.code, 0);
}

TEST_F(SigctlTest, TablesFitTheTerminal) {
  server_.predict = [](const v1::PredictRequest&, v1::PredictResponse* response) {
    v1::PredictOutput* output = response->add_outputs();
    output->set_is_probability(true);
    for (const int64_t size : {1, 20}) output->add_shape(size);
    for (int i = 0; i < 20; ++i) {
      output->add_probabilities(0.5F);
      output->add_labels("label_number_" + std::to_string(i));
    }
    return grpc::Status::OK;
  };
  const Result result =
      Invoke({"predict", "m", "--row", "1,2", "-a", server_.address()}, "", {}, /*columns=*/80);
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(result.out, HasSubstr("label_number_" + std::to_string(i)));
  }
}

TEST_F(SigctlTest, LabelsAreWordsOrNumbersAndOtherTextIsRefused) {
  for (const char* const labels : {"no\nyes\n", "FALSE\nTrue\n", "0\nspam\n"}) {
    std::string rows = "a,b,y\n";
    std::istringstream lines(labels);
    for (std::string label; std::getline(lines, label);) rows += "1,2," + label + "\n";
    const Result result = Ask({"predict", "m", "-i", "-", "-l", "y"}, rows);
    EXPECT_THAT(result.out, HasSubstr("accuracy 1.0000 (0 wrong)")) << labels;
  }
  const Result result = Ask({"predict", "m", "-i", "-", "-l", "y"}, "a,b,y\n1,2,0\n1,2,ham\n");
  EXPECT_EQ(result.err,
            "sigctl: standard input: row 2, column 'y': label 'ham' is not 1 or 0, true or false, "
            "yes or no, or spam\n");
  EXPECT_EQ(result.code, 2);
}

// Failures.

TEST_F(SigctlTest, TheLabelColumnLeftInIsNamed) {
  const Result result = Ask({"predict", "m", "-i", "-"}, "a,b,y\n1,2,0\n");
  EXPECT_EQ(result.err,
            "sigctl: standard input: 3 columns, but m takes 2; is one of them the true label? "
            "--label-column y\n");
  EXPECT_EQ(result.code, 2);
}

TEST_F(SigctlTest, AnErrorOfTheServer) {
  server_.get_model = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no model 'm'; there are: a, b");
  };
  const Result result = Ask({"metadata", "m"});
  EXPECT_EQ(result.err, "sigctl: NOT_FOUND: no model 'm'; there are: a, b\n");
  EXPECT_EQ(result.code, 1);
}

TEST(SigctlUsageTest, NobodyListens) {
  const Result result = Invoke({"models", "--address", "127.0.0.1:1", "--timeout", "0.05"});
  EXPECT_EQ(result.err,
            "sigctl: cannot reach 127.0.0.1:1 within 50ms: connection refused; is sigserve running "
            "there? (--address)\n");
  EXPECT_EQ(result.code, 3);
}

TEST(SigctlUsageTest, BadUsage) {
  EXPECT_EQ(Invoke({}).code, 2);
  EXPECT_EQ(Invoke({"predict"}).err,
            "sigctl: predict: MODEL is missing; see sigctl predict --help\n");
  EXPECT_EQ(Invoke({"predict", "m"}).code, 2);
  EXPECT_EQ(Invoke({"predict", "m", "--version", "0", "--row", "1"}).code, 2);
  EXPECT_THAT(Invoke({"train", "m", "--data", "/nowhere.csv", "--label-column", "y"}).err,
              HasSubstr("/nowhere.csv: No such file"));
}

TEST(SigctlUsageTest, MistypedNamesAndValuesInPlainWords) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{"pridict", "m"}, "unknown verb pridict; did you mean predict?; see sigctl --help"},
      {{"--adress", "x", "models"}, "unknown option --adress; did you mean --address?"},
      {{"predict", "m", "--imput", "x"},
       "predict: unknown option --imput; did you mean --input?; see sigctl predict --help"},
      {{"predict", "m", "--zzz"}, "predict: unknown option --zzz; see"},
      {{"predict", "m", "--input"}, "predict: --input lacks its value (FILE)"},
      {{"predict", "m", "-ix", "-i", "y"}, "predict: --input is given twice"},
      {{"predict", "m", "n"}, "predict: unexpected argument 'n'"},
      {{"predict", "m", "--logits=1"}, "predict: --logits takes no value"},
      {{"predict", "m", "--version", "1", "--label", "x", "--row", "1"},
       "--version and --label exclude each other"},
      {{"models", "--output", "yaml"}, "models: --output is 'yaml'; expected table, json or csv;"},
      {{"models", "--output", "jsn"}, "did you mean json?"},
      {{"models", "--timeout", "0"},
       "models: --timeout is '0'; expected a number from 0.001 to 1000000"},
      {{"train", "m", "-d", "x", "-l", "y", "--epochs", "0"},
       "train: --epochs is '0'; expected a whole number of at least 1"},
      {{"train", "m", "-d", "x", "-l", "y", "--hidden", "8,,4"},
       "train: --hidden is '8,,4'; expected a whole number of at least 1"},
      {{"train", "m", "-d", "x", "-l", "y", "--learning-rate", "inf"},
       "train: --learning-rate is 'inf'; expected a number above 0"},
  };
  for (const auto& c : cases) {
    const Result result = Invoke(c.arguments);
    EXPECT_THAT(result.err, HasSubstr(c.message));
    EXPECT_EQ(result.code, 2);
  }
}

TEST(SigctlUsageTest, UnderscoresAndEqualSignsAndAttachedValues) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"train", "m", "--data=/no.csv", "--label_column=y"},
        {"train", "m", "-d/no.csv", "-ly", "--batch_size", "3"},
        {"--timeout", "1", "train", "-l", "y", "-d", "/no.csv", "--", "m"}}) {
    EXPECT_THAT(Invoke(arguments).err, HasSubstr("/no.csv: No such file"));
  }
}

TEST(SigctlUsageTest, HelpOfAVerbShowsAllItsOptions) {
  const std::string help = Invoke({"predict", "--help"}).out;
  for (const char* option : {"--input", "--address", "--output", "--timeout", "--ca-file"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 90U) << line;
}

TEST(SigctlUsageTest, TheVersionIsTheProjects) {
  EXPECT_EQ(Invoke({"--version"}).out, "sigctl " SIGSERVE_VERSION "\n");
}

TEST(SigctlUsageTest, TlsFilesThatCannotBeReadAreNamed) {
  const std::string folder = testing::TempDir();
  for (const std::string& file : {std::string("/nowhere"), folder}) {
    const Result result = Invoke({"models", "--ca-file", file});
    EXPECT_EQ(result.err, "sigctl: the TLS authority's file is '" + file +
                              "'; expected a PEM file that can be read, with a CERTIFICATE\n");
    EXPECT_EQ(result.code, 2);
  }
  for (const char* one : {"--certificate-file", "--key-file"}) {
    const Result result = Invoke({"models", one, "/nowhere"});
    EXPECT_EQ(result.err,
              "sigctl: the client's TLS certificate and its key go together; only one is given\n");
    EXPECT_EQ(result.code, 2);
  }
}

TEST(SigctlUsageTest, EveryVerbShowsAnExample) {
  for (const char* verb : {"predict", "models", "metadata", "health", "reload", "train", "jobs",
                           "job", "cancel", "bench"}) {
    const Result result = Invoke({verb, "--help"});
    EXPECT_EQ(result.code, 0) << verb;
    EXPECT_THAT(result.out, HasSubstr(std::string("Example:\n  "))) << verb;
    EXPECT_THAT(result.out, HasSubstr("Exit codes:")) << verb;
  }
}

}  // namespace
}  // namespace sigserve::cli
