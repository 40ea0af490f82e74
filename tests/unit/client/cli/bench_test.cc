// sigctl bench: its figures as text, and the verb against a sigserve in the process.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "client/cli/bench_plot.h"
#include "client/cli/bench_report.h"
#include "client/cli/sigctl.h"
#include "tests/support/fake_sigserve.h"
#include "tests/support/status_matchers.h"

namespace sigserve::cli {
namespace {

using ::testing::HasSubstr;

BenchPoint Point(const std::string& target, int64_t concurrency) {
  BenchPoint point{.target = target,
                   .concurrency = concurrency,
                   .rows_per_call = 2,
                   .runs = 3,
                   .figures = {.ok_per_second = 1000.0 * static_cast<double>(concurrency),
                               .mean = 11,
                               .p50 = 10,
                               .p90 = 15,
                               .p99 = 20,
                               .p999 = 150,
                               .max = 1234,
                               .client_busy = 0.25}};
  point.codes[0] = 5;
  return point;
}

TEST(BenchReportTest, Table) {
  BenchPoint failed = Point("server", 8);
  failed.concurrency = 0;
  failed.rate = 8000;
  failed.codes[14] = 3;
  failed.unsent = 4;
  failed.expired = 5;
  failed.figures.failure_p99 = 700;
  failed.figures.server_cpu_per_call = 4.5;
  std::ostringstream out;
  WriteBench({Point("echo", 1), failed}, {OutputFormat::kTable}, out);
  EXPECT_EQ(out.str(),
            "target  load    calls/s  rows/s  p50 us  p99 us  p99.9 us  max us  server us/call  "
            "client busy  errors\n"
            "echo    C=1        1000    2000    10.0    20.0       150    1234               -  "
            "       0.25  none\n"
            "server  8000/s     8000   16000    10.0    20.0       150    1234            4.50  "
            "       0.25  UNAVAILABLE 3 (p99 700 us), unsent 4, expired 5\n");
}

TEST(BenchReportTest, Json) {
  BenchPoint point = Point("server", 8);
  point.figures.server_cpu_per_call = 4.5;
  std::ostringstream out;
  WriteBench({point}, {OutputFormat::kJson}, out);
  const auto root = nlohmann::json::parse(out.str());
  const auto& first = root["points"][0];
  EXPECT_EQ(first["concurrency"], 8);
  EXPECT_EQ(first["ok_per_second"], 8000);
  EXPECT_EQ(first["latency_us"]["p99.9"], 150);
  EXPECT_EQ(first["server_cpu_us_per_call"], 4.5);
  EXPECT_EQ(first["codes"], (nlohmann::json{{"OK", 5}}));
}

TEST(BenchReportTest, SvgHasALinePerTargetAndPercentile) {
  const std::string svg =
      BenchSvg({Point("server", 1), Point("a<b", 1), Point("server", 64), Point("a<b", 64)});
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns="));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("server p50"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b p99"));
  size_t lines = 0;
  for (size_t at = 0; (at = svg.find("<polyline", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 4U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(BenchReportTest, ARunWithoutAnswersStillPlots) {
  BenchPoint nothing{.target = "server", .concurrency = 1};
  EXPECT_EQ(BenchSvg({nothing}).find("nan"), std::string::npos);
}

TEST(BenchReportTest, MediansAreOfEachFigure) {
  const BenchFigures median = MedianOf({{.ok_per_second = 1, .p50 = 9},
                                        {.ok_per_second = 3, .p50 = 7},
                                        {.ok_per_second = 2, .p50 = 8, .server_cpu_per_call = 4}});
  EXPECT_EQ(median.ok_per_second, 2);
  EXPECT_EQ(median.p50, 8);
  EXPECT_EQ(median.server_cpu_per_call, 4);
  EXPECT_EQ(MedianOf({{.p50 = 1}, {.p50 = 2}}).p50, 1.5);
}

class BenchVerbTest : public testing::Test {
 protected:
  BenchVerbTest() {
    server_.get_model = [](const v1::GetModelRequest& request, v1::GetModelResponse* response) {
      response->set_name(request.model().name());
      v1::TensorSpec* input = response->add_inputs();
      input->set_name("x");
      input->set_dtype(v1::DATA_TYPE_FLOAT32);
      for (const int64_t size : {-1, 2}) input->add_shape(size);
      return grpc::Status::OK;
    };
  }

  int Bench(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--address", server_.address(), "--warmup", "0",
                                       "--duration", "0.05", "--output", "json"});
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const int code = RunSigctl(std::move(arguments), {.in = &in, .out = &out, .err = &err});
    err_ = err.str();
    if (!out.str().empty()) points_ = nlohmann::json::parse(out.str())["points"];
    return code;
  }

  testing_support::FakeSigserve server_;
  nlohmann::json points_;
  std::string err_;
};

TEST_F(BenchVerbTest, EveryAnswerIsTallied) {
  int asked = 0;
  server_.predict = [&asked](const v1::PredictRequest& request, v1::PredictResponse*) {
    EXPECT_EQ(request.inputs(0).data().size(), 3 * 2 * sizeof(float));
    return ++asked % 2 == 0 ? grpc::Status::OK
                            : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  EXPECT_EQ(Bench({"m", "--concurrency", "2", "--rows", "3"}), 0);
  const auto& codes = points_[0]["codes"];
  EXPECT_EQ(codes["OK"].get<int>() + codes["RESOURCE_EXHAUSTED"].get<int>(), asked);
  EXPECT_EQ(points_[0]["unanswered"], 0);
}

/// One call at a time, which ends with its deadline: whatever is due meanwhile is overdue then.
TEST(BenchTest, CallsWhoseDeadlineIsOverAreNotSent) {
  absl::Notification over;  // outlives the server's handlers
  testing_support::FakeSigserve server(/*max_calls=*/1);
  server.predict = [&over](const auto&, auto*) {
    over.WaitForNotification();
    return grpc::Status::OK;
  };
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  RunSigctl({"bench", "m", "--address", server.address(), "--features", "2", "--rate", "4000",
             "--connections", "1", "--deadline", "5", "--warmup", "0", "--duration", "0.1",
             "--output", "json"},
            {.in = &in, .out = &out, .err = &err});
  over.Notify();
  const auto point = nlohmann::json::parse(out.str())["points"][0];
  EXPECT_GT(point["expired"].get<int>(), 0);
  EXPECT_FALSE(point["codes"].contains("OK"));
}

TEST_F(BenchVerbTest, OpenLoopEchoAndPlot) {
  server_.predict = [](const auto&, auto*) { return grpc::Status::OK; };
  const std::string path = testing::TempDir() + "bench_test.svg";
  EXPECT_EQ(Bench({"a", "b=3", "--rate", "1000", "--echo", server_.address(), "--svg", path}), 0);
  EXPECT_EQ(points_.size(), 2U);
  EXPECT_EQ(points_[1]["target"], "echo");
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

TEST_F(BenchVerbTest, BackgroundLoadHasALineOfItsOwn) {
  std::map<std::string, int> asked;
  server_.predict = [&asked](const v1::PredictRequest& request, v1::PredictResponse*) {
    const std::string& name = request.model().name();
    EXPECT_EQ(request.inputs(0).data().size(), (name == "heavy" ? 3 : 1) * 2 * sizeof(float));
    ++asked[name];
    return grpc::Status::OK;
  };
  for (const char* load : {"--rate", "--concurrency"}) {
    asked.clear();
    EXPECT_EQ(Bench({"small", load, "200", "--background", "heavy", "--background-rows", "3",
                     "--background-concurrency", "2"}),
              0);
    ASSERT_EQ(points_.size(), 2U);
    EXPECT_EQ(points_[0]["target"], "server");
    EXPECT_EQ(points_[0]["codes"]["OK"], asked["small"]);
    EXPECT_EQ(points_[1]["target"], "background");
    EXPECT_EQ(points_[1]["concurrency"], 2);
    EXPECT_EQ(points_[1]["rows_per_call"], 3);
    EXPECT_EQ(points_[1]["codes"]["OK"], asked["heavy"]);
  }
  EXPECT_EQ(Bench({"small", "--background", "heavy", "--echo", server_.address()}), 2);
}

TEST_F(BenchVerbTest, AStreamThatTheServerRefuses) {
  EXPECT_EQ(Bench({"m", "--stream", "--concurrency", "4"}), 1);
  EXPECT_GT(points_[0]["codes"]["UNIMPLEMENTED"].get<int>(), 0);
}

TEST_F(BenchVerbTest, SpeaksNoTls) {
  for (const std::vector<std::string>& tls :
       {std::vector<std::string>{"--tls"}, {"--ca-file", "/nowhere"}, {"--server-name", "x"}}) {
    std::vector<std::string> arguments = {"m", "--concurrency", "1"};
    arguments.insert(arguments.end(), tls.begin(), tls.end());
    EXPECT_EQ(Bench(arguments), 2);
    EXPECT_THAT(err_, HasSubstr("bench does not support TLS"));
  }
  server_.predict = [](const auto&, auto*) { return grpc::Status::OK; };
  EXPECT_EQ(Bench({"m", "--concurrency", "1", "--ca-file", "/nowhere", "--no-tls"}), 0) << err_;
}

TEST_F(BenchVerbTest, UnknownModelsAndBadWeights) {
  server_.get_model = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no model 'x'");
  };
  EXPECT_EQ(Bench({"x"}), 1);
  EXPECT_EQ(err_, "sigctl: NOT_FOUND: no model 'x'\n");
  EXPECT_EQ(Bench({"x=0"}), 2);
  EXPECT_THAT(err_, HasSubstr("'x=0': the weight is not a number above 0"));
  EXPECT_EQ(Bench({"x", "--rate", "5", "--concurrency", "5"}), 2);
}

}  // namespace
}  // namespace sigserve::cli
