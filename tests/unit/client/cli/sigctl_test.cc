// sigctl as its users see it: arguments in, output and exit code out, against a sigserve in the
// process.
#include "client/cli/sigctl.h"

#include <algorithm>
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

Result Invoke(std::vector<std::string> arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunSigctl(std::move(arguments), {.in = &in, .out = &out, .err = &err});
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
            "3 rows by m version 3, accuracy 0.6667 (1 wrong)\n");
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
  setenv("SIGSERVE_CA_FILE", "/nowhere", 1);
  const Result as_the_environment_says = Ask({"health"});
  const Result plain = Ask({"health", "--no-tls"});
  unsetenv("SIGSERVE_CA_FILE");
  EXPECT_THAT(as_the_environment_says.err, HasSubstr("'/nowhere'"));
  EXPECT_EQ(as_the_environment_says.code, 2);
  EXPECT_EQ(plain.err, "");
  EXPECT_EQ(plain.code, 0);
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
  EXPECT_EQ(Invoke({"predict"}).err, "sigctl: MODEL is required; see sigctl predict --help\n");
  EXPECT_EQ(Invoke({"predict", "m"}).code, 2);
  EXPECT_EQ(Invoke({"predict", "m", "--version", "0", "--row", "1"}).code, 2);
  EXPECT_THAT(Invoke({"train", "m", "--data", "/nowhere.csv", "--label-column", "y"}).err,
              HasSubstr("/nowhere.csv: No such file"));
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
