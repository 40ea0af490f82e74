// Every hostile input of the list, 1 to 103, through the door that every model uses: a version's
// folder on disk, loaded and compiled as the server does. Each must be told what the table says,
// without taking more memory than twice its files and 16 MiB. How long it took is in the report
// (--gtest_output=xml): the goal is 50 ms.
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/repository/repository.h"
#include "server/registry/model_loader.h"
#include "tests/robustness/allocation_counter.h"
#include "tests/robustness/hostile_input.h"
#include "tests/robustness/onnx_files.h"
#include "tests/support/sanitized.h"
#include "tests/support/status_matchers.h"

namespace sigserve::robustness {
namespace {

using testing::HasSubstr;

constexpr size_t kFreeBytes = size_t{16} << 20;

class HostileInputs : public testing::Test {
 protected:
  HostileInputs() {
    std::string pattern = testing::TempDir() + "/hostile.XXXXXX";
    root_ = mkdtemp(pattern.data());
    folder_ = root_ + "/m/1";
  }
  ~HostileInputs() override { EXPECT_OK(files_.RemoveAll(root_)); }

  /// The bytes that the files have.
  size_t Write(const HostileInput& input) {
    EXPECT_OK(files_.RemoveAll(root_ + "/m"));
    EXPECT_OK(files_.MakeDirectories(folder_));
    size_t bytes = 0;
    for (const auto& [name, contents] : input.files) {
      EXPECT_OK(files_.WriteFile(absl::StrCat(folder_, "/", name), contents));
      bytes += contents.size();
    }
    if (!input.config.empty()) {
      EXPECT_OK(files_.WriteFile(root_ + "/m/config.pbtxt", input.config));
    }
    if (input.arrange) input.arrange(folder_);
    return bytes;
  }

  absl::Status Load(bool has_config = false) {
    const Repository repository(&files_, root_);
    const ModelLoader loader(&repository, &files_);
    ModelEntry entry;
    entry.name = "m";
    entry.has_config = has_config;
    const auto options = loader.LoadOptions(entry);
    if (!options.ok()) return options.status();
    return loader.LoadVersion("m", 1, *options).status();
  }

  void Check(const std::vector<HostileInput>& inputs) {
    for (const HostileInput& input : inputs) {
      SCOPED_TRACE(input.what);
      const size_t bytes = Write(input);
      ResetPeak();
      const absl::Time begin = absl::Now();
      const absl::Status status = Load(!input.config.empty());
      RecordProperty(input.what, absl::StrCat(absl::ToInt64Microseconds(absl::Now() - begin),
                                              " us ", PeakBytes() >> 10, " KiB"));
      EXPECT_EQ(status.code(), input.code) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(input.token));
      EXPECT_LE(status.message().size(), 1200U) << "a message is for people";
      if (!testing_support::kSanitized) {
        EXPECT_LE(PeakBytes(), 2 * bytes + kFreeBytes) << bytes << " bytes of files";
      }
      int number = 0;
      if (absl::SimpleAtoi(input.what.substr(0, input.what.find(' ')), &number)) {
        seen_.insert(number);
      }
    }
  }

  PosixFileSystem files_;
  std::string root_;
  std::string folder_;
  std::set<int> seen_;
};

TEST_F(HostileInputs, AreToldWhatTheTableSays) {
  for (const auto& table : {SafetensorsInputs, OnnxFileInputs, ExternalInputs, OnnxGraphInputs,
                            PickleInputs, ArchiveInputs}) {
    Check(table());
  }
  seen_.insert(54);  // SwappedBetweenCheckAndOpen
  for (int number = 1; number <= 103; ++number) {
    EXPECT_TRUE(seen_.contains(number)) << "nothing tests input " << number;
  }
}

// 54: a name that is now the file, now a link out of the folder. Whatever the moment, what is read
// is the file or nothing: the file outside would give MODEL_NONFINITE.
TEST_F(HostileInputs, SwappedBetweenCheckAndOpen) {
  constexpr int kLoads = 2000;
  const std::string model = Spoilt([](M& m) {
    onnx::TensorProto& w = *m.mutable_graph()->mutable_initializer(0);
    w.clear_float_data();
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    onnx::StringStringEntryProto& entry = *w.add_external_data();
    entry.set_key("location");
    entry.set_value("w.bin");
  });
  Write({"54 swapped",
         {{"model.onnx", model}, {"w.bin", std::string(8, '\0')}},
         absl::StatusCode::kOk});
  const std::string outside = root_ + "/secret";
  ASSERT_OK(files_.WriteFile(outside, std::string(8, '\xff')));
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    const std::string name = folder_ + "/w.bin";
    const std::string link = folder_ + "/link";
    const std::string file = folder_ + "/file";
    while (!stop) {
      (void)!symlink(outside.c_str(), link.c_str());
      (void)!rename(name.c_str(), file.c_str());
      (void)!rename(link.c_str(), name.c_str());
      (void)!rename(file.c_str(), name.c_str());
    }
  });
  for (int i = 0; i < kLoads; ++i) {
    const absl::Status status = Load();
    const bool fine = status.ok() || absl::IsPermissionDenied(status) ||
                      absl::StrContains(status.message(), "ONNX_EXT_MISSING");
    EXPECT_TRUE(fine) << status;
  }
  stop = true;
  swapper.join();
}

}  // namespace

Files Weights(const std::string& file, const std::string& bytes) {
  return {{"model.textproto",
           R"(input { shape: [-1, 2] }
              layer { type: "Linear" in_features: 2 out_features: 1 bias: false })"},
          {file, bytes}};
}

}  // namespace sigserve::robustness
