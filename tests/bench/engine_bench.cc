// How long one call takes, in process, on one thread:
//   build/<preset>/bin/engine_bench --benchmark_filter=Mlp
#include <benchmark/benchmark.h>

#include "model/runtime/session.h"
#include "tests/bench/models.h"

namespace sigserve::bench {
namespace {

void RunRows(benchmark::State& state, const Graph& graph, const Shape& shape,
             const Numerics& numerics = {}) {
  auto executable = Executable::Compile(graph, numerics);
  if (!executable.ok()) {
    state.SkipWithError(executable.status().ToString().c_str());
    return;
  }
  Session session(*executable);
  const std::vector<float> x = RandomFloats(shape.elements(), 1, 3);
  const TensorView input(DType::kFloat32, shape, x.data());
  for (auto _ : state) {
    if (!session.Run({&input, 1}).ok()) state.SkipWithError("Run failed");
    benchmark::DoNotOptimize(session.output(0).data());
  }
  state.SetItemsProcessed(state.iterations() * shape[0]);
}

void MlpSmall(benchmark::State& state) {
  RunRows(state, Mlp({64, 128, 2}), Shape{state.range(0), 64});
}
BENCHMARK(MlpSmall)->Arg(1)->Arg(8)->Arg(32)->Arg(128)->Arg(1024);

void MlpLarge(benchmark::State& state) {
  RunRows(state, Mlp({512, 1024, 1024, 128}), Shape{state.range(0), 512});
}
BENCHMARK(MlpLarge)->Arg(1)->Arg(8)->Arg(32)->Arg(128);

void MlpLargeBf16(benchmark::State& state) {
  RunRows(state, Mlp({512, 1024, 1024, 128}), Shape{state.range(0), 512}, {Precision::kBf16});
}
BENCHMARK(MlpLargeBf16)->Arg(1)->Arg(8)->Arg(32)->Arg(128);

// Batches of changing sizes, as a server sees them.
void MlpSmallMixedBatches(benchmark::State& state) {
  auto executable = Executable::Compile(Mlp({64, 128, 2}));
  if (!executable.ok()) {
    state.SkipWithError(executable.status().ToString().c_str());
    return;
  }
  Session session(*executable);
  const std::vector<float> x = RandomFloats(64 * 8, 1, 3);
  int64_t batch = 0;
  for (auto _ : state) {
    batch = batch % 8 + 1;
    const TensorView input(DType::kFloat32, Shape{batch, 64}, x.data());
    if (!session.Run({&input, 1}).ok()) state.SkipWithError("Run failed");
    benchmark::DoNotOptimize(session.output(0).data());
  }
}
BENCHMARK(MlpSmallMixedBatches);

void DecoderNet(benchmark::State& state) { RunRows(state, Decoder(), Shape{state.range(0), 64}); }
BENCHMARK(DecoderNet)->Arg(1)->Arg(8);

void DeepSeaNet(benchmark::State& state) {
  RunRows(state, DeepSea(), Shape{state.range(0), 4, 1, 1000});
}
BENCHMARK(DeepSeaNet)->Arg(1)->Arg(8)->Arg(32);

void DeepSeaBf16(benchmark::State& state) {
  RunRows(state, DeepSea(), Shape{state.range(0), 4, 1, 1000}, {Precision::kBf16});
}
BENCHMARK(DeepSeaBf16)->Arg(1)->Arg(8)->Arg(32);

void SigmoidOnly(benchmark::State& state) {
  RunRows(state, Elementwise({"Sigmoid"}), Shape{state.range(0)});
}
BENCHMARK(SigmoidOnly)->Arg(1)->Arg(128)->Arg(4096)->Arg(262144);

void SigmoidFast(benchmark::State& state) {
  RunRows(state, Elementwise({"Sigmoid"}), Shape{state.range(0)}, {.fast_math = true});
}
BENCHMARK(SigmoidFast)->Arg(1)->Arg(128)->Arg(4096)->Arg(262144);

}  // namespace
}  // namespace sigserve::bench

BENCHMARK_MAIN();
