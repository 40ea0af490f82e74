// The verbs about models and training, against a sigserve in the process.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/sigctl.h"
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

class VerbsTest : public testing::Test {
 protected:
  VerbsTest() {
    server_.train = [this](const std::vector<v1::TrainRequest>& messages, auto* response) {
      spec_ = messages.at(0).spec();
      response->set_job_id("j1");
      response->set_rows(4);
      return grpc::Status::OK;
    };
    server_.watch = [](const v1::WatchJobRequest&, std::vector<v1::JobEvent>* events) {
      for (int64_t number = 1; number <= 3; ++number) {
        v1::JobEvent& event = events->emplace_back();
        event.set_number(number);
        if (number == 1) {
          *event.mutable_job() = MakeJob(v1::JOB_STATE_RUNNING);
        } else {
          event.mutable_epoch()->set_epoch(number - 1);
          event.mutable_epoch()->set_training_loss(0.5);
        }
      }
      return grpc::Status::OK;
    };
    server_.get_job = [this](const auto&, v1::Job* job) {
      *job = MakeJob(state_);
      return grpc::Status::OK;
    };
  }

  static v1::Job MakeJob(v1::JobState state) {
    v1::Job job;
    job.set_job_id("j1");
    job.set_model_name("m");
    job.set_state(state);
    job.set_epochs_total(2);
    job.set_published_version(state == v1::JOB_STATE_SUCCEEDED ? 5 : 0);
    return job;
  }

  Result Ask(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--address", server_.address()});
    return Invoke(std::move(arguments), input);
  }
  static Result Invoke(const std::vector<std::string>& arguments, const std::string& input = "",
                       const std::map<std::string, std::string>& environment = {}) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const int code =
        RunSigctl(arguments, {.in = &in, .out = &out, .err = &err, .environment = environment});
    return {code, out.str(), err.str()};
  }

  testing_support::FakeSigserve server_;
  v1::TrainSpec spec_;
  v1::JobState state_ = v1::JOB_STATE_SUCCEEDED;
};

constexpr char kRows[] = "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n";

TEST_F(VerbsTest, TrainSendsItsFlagsFollowsTheJobAndReports) {
  const Result result = Ask({"train",           "m",
                             "--data",          "-",
                             "--label-column",  "y",
                             "--hidden",        "8,4",
                             "--activation",    "tanh",
                             "--optimizer",     "sgd",
                             "--learning-rate", "0.5",
                             "--momentum",      "0.9",
                             "--epochs",        "2",
                             "--batch-size",    "3",
                             "--seed",          "9",
                             "--validation",    "0.25",
                             "--keep-order",    "--no-standardize"},
                            kRows);
  EXPECT_EQ(result.err,
            "j1: 4 rows sent\nepoch 1/2 loss 0.5000, 0.0 s left\nepoch 2/2 loss 0.5000\n");
  EXPECT_THAT(result.out, HasSubstr("j1: published m version 5"));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(spec_.model_name(), "m");
  EXPECT_EQ(spec_.feature_count(), 2);
  EXPECT_EQ(spec_.optimizer().sgd().learning_rate(), 0.5);
  EXPECT_EQ(spec_.optimizer().sgd().momentum(), 0.9);
  EXPECT_EQ(spec_.epochs(), 2);
  EXPECT_EQ(spec_.batch_size(), 3);
  EXPECT_EQ(spec_.seed(), 9U);
  EXPECT_EQ(spec_.validation_fraction(), 0.25);
  EXPECT_TRUE(spec_.keep_order());
  EXPECT_TRUE(spec_.skip_standardization());
  EXPECT_THAT(spec_.architecture().mlp().hidden_units(), testing::ElementsAre(8, 4));
}

TEST_F(VerbsTest, DetachDoesNotWatch) {
  server_.watch = nullptr;
  state_ = v1::JOB_STATE_QUEUED;
  const Result result = Ask({"train", "m", "-d", "-", "-l", "y", "--detach"}, kRows);
  EXPECT_THAT(result.err, HasSubstr("follow it with: sigctl job j1 --watch\n"));
  EXPECT_THAT(result.out, HasSubstr("j1: QUEUED, epoch 0 of 2"));
  EXPECT_EQ(result.code, 0);
}

TEST_F(VerbsTest, AFailedJobIsExitCodeOne) {
  state_ = v1::JOB_STATE_FAILED;
  EXPECT_EQ(Ask({"train", "m", "-d", "-", "-l", "y"}, kRows).code, 1);
  EXPECT_EQ(Ask({"job", "j1"}).code, 1);
  EXPECT_EQ(Ask({"job", "j1", "--watch"}).code, 1);
}

TEST_F(VerbsTest, JobsAndCancel) {
  server_.list_jobs = [](const auto&, v1::ListJobsResponse* response) {
    *response->add_jobs() = MakeJob(v1::JOB_STATE_RUNNING);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Ask({"jobs"}).out, HasSubstr("j1   m      RUNNING"));
  server_.cancel_job = [](const v1::CancelJobRequest& request, v1::Job* job) {
    *job = MakeJob(v1::JOB_STATE_CANCELLED);
    job->set_job_id(request.job_id());
    return grpc::Status::OK;
  };
  const Result cancelled = Ask({"cancel", "j7"});
  EXPECT_THAT(cancelled.out, HasSubstr("j7: CANCELLED, epoch 0 of 2; nothing was published"));
  EXPECT_EQ(cancelled.code, 0);
}

TEST_F(VerbsTest, ReloadIsExitCodeOneIfAVersionCannotBeLoaded) {
  v1::ModelVersion version;
  version.set_name("m");
  version.set_version(2);
  server_.reload = [&version](const v1::ReloadModelsRequest&, v1::ReloadModelsResponse* response) {
    *response->add_models() = version;
    return grpc::Status::OK;
  };
  version.set_state(v1::MODEL_STATE_READY);
  EXPECT_EQ(Ask({"reload", "m"}).code, 0);
  version.set_state(v1::MODEL_STATE_FAILED);
  version.set_reason("no file");
  const Result failed = Ask({"reload"});
  EXPECT_THAT(failed.out, HasSubstr("FAILED  no file"));
  EXPECT_EQ(failed.code, 1);
}

TEST_F(VerbsTest, HealthOfAnUnknownModelSaysWhatExists) {
  server_.check = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "unknown service");
  };
  server_.list_models = [](const auto&, v1::ListModelsResponse* response) {
    for (const char* name : {"b", "a", "b"}) response->add_models()->set_name(name);
    return grpc::Status::OK;
  };
  const Result result = Ask({"health", "x"});
  EXPECT_EQ(result.err, "sigctl: NOT_FOUND: no model 'x'; there are: a, b\n");
  EXPECT_EQ(result.code, 1);
}

TEST_F(VerbsTest, NpyFilesAndTheAddressFromTheEnvironment) {
  server_.get_model = [](const v1::GetModelRequest&, v1::GetModelResponse* response) {
    v1::TensorSpec* input = response->add_inputs();
    input->set_dtype(v1::DATA_TYPE_FLOAT32);
    for (const int64_t size : {-1, 2}) input->add_shape(size);
    return grpc::Status::OK;
  };
  std::string sent;
  server_.predict = [&sent](const v1::PredictRequest& request, v1::PredictResponse*) {
    sent = request.inputs(0).data();
    return grpc::Status::OK;
  };
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  header.resize(117, ' ');
  header += '\n';
  const std::string row("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2
  const std::string path = testing::TempDir() + "verbs_test.npy";
  std::ofstream(path, std::ios::binary)
      << std::string("\x93NUMPY\x01\x00", 8) << static_cast<char>(header.size()) << '\0' << header
      << row;
  const Result result =
      Invoke({"predict", "m", "--input", path}, "", {{"SIGSERVE_ADDRESS", server_.address()}});
  std::filesystem::remove(path);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(sent, row);
}

// Failures.

TEST_F(VerbsTest, TrainRefusesBadLabelsAndFlags) {
  EXPECT_EQ(
      Ask({"train", "m", "-d", "-", "-l", "y"}, "a,y\n1,2\n").err,
      "sigctl: standard input: row 1, column 'y': label '2' is not 1 or 0, true or false, yes "
      "or no\n");
  const Result momentum = Ask({"train", "m", "-d", "-", "-l", "y", "--momentum", "0.5"}, kRows);
  EXPECT_EQ(momentum.err, "sigctl: train: --momentum belongs to --optimizer sgd\n");
  EXPECT_EQ(momentum.code, 2);
  EXPECT_EQ(Ask({"train", "m", "-d", "-", "-l", "y", "--epochs", "0"}, kRows).code, 2);
}

TEST_F(VerbsTest, AnUnknownJob) {
  server_.get_job = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no job 'j9'");
  };
  const Result result = Ask({"job", "j9"});
  EXPECT_EQ(result.err, "sigctl: NOT_FOUND: no job 'j9'\n");
  EXPECT_EQ(result.code, 1);
}

}  // namespace
}  // namespace sigserve::cli
