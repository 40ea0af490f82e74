// sigserve against ONNX Runtime: the same model, the same rows, one thread, calls in process. The
// two take turns, a few calls each, so that a slow minute slows both; the table shows medians over
// the turns and the median of their ratio.
//   tests/bench/compare_ort.sh build/<preset> [<part of the name of the work>]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/runtime/session.h"
#include "tests/bench/models.h"
#include "tests/bench/ort_api.h"

namespace sigserve::bench {
namespace {

constexpr int kTurns = 41;
constexpr double kTurnSeconds = 2e-3;

double Seconds(int calls, const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return took.count() / calls;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What to compare with, and the work: all whose name contains `filter`.
struct Peer {
  std::string library;
  std::string filter;
};

void Compare(const Peer& peer, const std::string& name, const Graph& graph,
             const std::vector<int64_t>& shape, const Numerics& numerics = {}) {
  if (name.find(peer.filter) == std::string::npos) return;
  const auto fail = [&](const absl::Status& status) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), status.ToString().c_str());
    std::exit(1);
  };
  const auto bytes = WriteOnnx(graph, "bench");
  if (!bytes.ok()) fail(bytes.status());
  auto executable = Executable::Compile(graph, numerics);
  if (!executable.ok()) fail(executable.status());
  Session session(*executable);
  const Shape rows(shape);
  const std::vector<float> x = RandomFloats(rows.elements(), 1, 3);
  const TensorView input(DType::kFloat32, rows, x.data());
  const auto ours = [&] {
    const absl::Status status = session.Run({&input, 1});
    if (!status.ok()) fail(status);
  };
  ours();
  const TensorView y = session.output(0);
  std::vector<float> theirs_y(static_cast<size_t>(y.elements()));
  OrtModel ort(peer.library, *bytes, graph.value(graph.inputs()[0].value).name,
               graph.value(graph.outputs()[0]).name);
  const auto dims = y.shape().dims();
  ort.Bind(shape, x.data(), {dims.begin(), dims.end()}, theirs_y.data());
  const auto theirs = [&] { ort.Run(); };
  theirs();
  double difference = 0;
  for (size_t i = 0; i < theirs_y.size(); ++i) {
    const double apart = std::abs(double{theirs_y[i]} - double{y.values<float>()[i]});
    if (std::isfinite(theirs_y[i])) difference = std::max(difference, apart);
  }

  const auto calls_for = [](const std::function<void()>& call) {
    const double once = Seconds(5, call);
    return static_cast<int>(std::clamp(kTurnSeconds / once, 1.0, 1e5));
  };
  const int our_calls = calls_for(ours);
  const int their_calls = calls_for(theirs);
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> ratios;
  for (int turn = 0; turn < kTurns; ++turn) {
    a.push_back(Seconds(our_calls, ours));
    b.push_back(Seconds(their_calls, theirs));
    ratios.push_back(b.back() / a.back());
  }
  std::printf("| %-36s | %10.2f | %10.2f | %6.2fx | %8.1e |\n", name.c_str(), Median(a) * 1e6,
              Median(b) * 1e6, Median(ratios), difference);
  std::fflush(stdout);
}

int Main(const Peer& peer) {
  std::printf("| %-36s | %10s | %10s | %7s | %8s |\n", "work", "ours, us", "ORT, us", "ratio",
              "apart");
  std::printf("|%s|%s|%s|%s|%s|\n", std::string(38, '-').c_str(), std::string(12, '-').c_str(),
              std::string(12, '-').c_str(), std::string(9, '-').c_str(),
              std::string(10, '-').c_str());
  for (const int64_t n : {128, 4096, 262144}) {
    Compare(peer, absl::StrCat("sigmoid, n = ", n), Elementwise({"Sigmoid"}), {n});
  }
  for (const int64_t n : {128, 4096, 262144}) {
    Compare(peer, absl::StrCat("sigmoid, fast_math, n = ", n), Elementwise({"Sigmoid"}), {n},
            {.fast_math = true});
  }
  for (const int64_t n : {4096, 262144}) {
    Compare(peer, absl::StrCat("softplus, n = ", n), Elementwise({"Softplus"}), {n});
    Compare(peer, absl::StrCat("log-sigmoid, n = ", n), Elementwise({"Sigmoid", "Log"}), {n});
  }
  for (const int64_t batch : {1, 8, 32, 128, 1024}) {
    Compare(peer, absl::StrCat("MLP 64-128-2, batch ", batch), Mlp({64, 128, 2}), {batch, 64});
  }
  for (const int64_t batch : {1, 8, 32, 128}) {
    Compare(peer, absl::StrCat("MLP 512-1024-1024-128, batch ", batch), Mlp({512, 1024, 1024, 128}),
            {batch, 512});
  }
  // The other side stays in FLOAT32.
  constexpr Numerics kBf16{.precision = Precision::kBf16};
  for (const int64_t batch : {1, 8, 32, 128}) {
    Compare(peer, absl::StrCat("MLP 512-1024-1024-128 BF16, batch ", batch),
            Mlp({512, 1024, 1024, 128}), {batch, 512}, kBf16);
  }
  for (const int64_t batch : {1, 256}) {
    Compare(peer, absl::StrCat("100 trees of depth 6, batch ", batch), Trees(100, 6), {batch, 30});
  }
  for (const int64_t batch : {1, 8}) {
    Compare(peer, absl::StrCat("decoder 64 -> 3x64x64, batch ", batch), Decoder(), {batch, 64});
  }
  const Graph deepsea = DeepSea();
  for (const int64_t batch : {1, 8, 32}) {
    Compare(peer, absl::StrCat("DeepSEA, batch ", batch), deepsea, {batch, 4, 1, 1000});
    Compare(peer, absl::StrCat("DeepSEA BF16, batch ", batch), deepsea, {batch, 4, 1, 1000}, kBf16);
  }
  return 0;
}

}  // namespace
}  // namespace sigserve::bench

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s <libonnxruntime.so.1> [<part of a name>]\n", argv[0]);
    return 2;
  }
  return sigserve::bench::Main({argv[1], argc > 2 ? argv[2] : ""});
}
