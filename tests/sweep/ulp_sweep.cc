// ulp_sweep [--short]: how exact the activations are, on every CPU target that this machine has.
//   Sigmoid over all 2^32 floats; the others (fast sigmoid among them) at every 61st. About
//   three minutes of CPU time, shared among the cores.
//   --short: every 4099th float of each; a second. What the tests run.
// Prints, for each function and target: floats tried, the largest error in units of the last place
// and where, how often the result decreases as x grows, NaNs and infinities treated wrongly, and
// results whose bits differ from those of the first target that has fused multiply-add. Exit 0 =
// within what model/kernels/activation.h promises; 1 = not; 2 = an unknown argument.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "hwy/highway.h"
#include "model/kernels/activation.h"

namespace {

using In = absl::Span<const float>;
using Out = absl::Span<float>;

struct Function {
  const char* name;
  void (*run)(In, Out);
  double (*reference)(double);
  float at_minus_infinity;
  float at_infinity;
  double ulps;          // with fused multiply-add
  double ulps_without;  // SSE4 and older
  bool rises;           // promised never to decrease
  uint32_t step;        // of the long sweep
};

double SoftplusOf(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr uint32_t kShortStep = 4099;
constexpr uint32_t kLongStep = 61;
const Function kFunctions[] = {
    {"sigmoid", sigserve::kernels::Sigmoid,
     [](double x) {
       // Where the answer is known without the exponential: most floats.
       if (std::abs(x) < 0x1p-20) return 0.5 + x / 4 - x * x * x / 48;
       if (x < -150) return 0.0;  // less than half the smallest subnormal float, 2^-149
       return x > 50 ? 1.0 : 1 / (1 + std::exp(-x));
     },
     0, 1, 1, 2, true, 1},
    {"fast sigmoid", sigserve::kernels::FastSigmoid,
     [](double x) { return 1 / (1 + std::exp(-x)); }, 0, 1, 4, 4, false, kLongStep},
    {"log-sigmoid", sigserve::kernels::LogSigmoid, [](double x) { return -SoftplusOf(-x); },
     -kInfinity, 0, 1.5, 3, false, kLongStep},
    {"softplus", sigserve::kernels::Softplus, SoftplusOf, 0, kInfinity, 1.5, 3, false, kLongStep},
    {"tanh", sigserve::kernels::Tanh, [](double x) { return std::tanh(x); }, -1, 1, 1.5, 3, true,
     kLongStep},
    {"exp", sigserve::kernels::Exp, [](double x) { return std::exp(x); }, 0, kInfinity, 1.5, 3,
     true, kLongStep},
};

constexpr uint32_t kInfinityBits = 0x7F800000;
// Floats in order, from -infinity (0) to +infinity: one number for each, both zeros included.
constexpr uint64_t kOrdered = 2 * (uint64_t{kInfinityBits} + 1);

float FromBits(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
uint32_t BitsOf(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
float Ordered(uint64_t i) {
  return i <= kInfinityBits ? FromBits(0x80000000U | (kInfinityBits - static_cast<uint32_t>(i)))
                            : FromBits(static_cast<uint32_t>(i) - kInfinityBits - 1);
}

/// Error in units of the last place of `nearest`, the float next to `expected`; subnormal results
/// have the smallest subnormal's. Without branches: it runs some ten thousand million times.
double Ulps(float got, double expected, float nearest) {
  const uint32_t exponent = std::max((BitsOf(nearest) >> 23) & 0xFFU, 1U);
  const uint64_t scale_bits = uint64_t{1023 + 150 - exponent} << 52;
  double scale = 0;
  std::memcpy(&scale, &scale_bits, sizeof(scale));
  return std::abs(got - expected) * scale;
}

/// What one function showed on one target.
struct Findings {
  uint64_t floats = 0;
  double worst = 0;
  float worst_at = 0;
  uint64_t inversions = 0;
  uint64_t special = 0;  // NaN or infinity treated wrongly
  uint64_t other_bits = 0;

  void Add(const Findings& other) {
    floats += other.floats;
    if (other.worst > worst) {
      worst = other.worst;
      worst_at = other.worst_at;
    }
    inversions += other.inversions;
    special += other.special;
    other_bits += other.other_bits;
  }
};

/// Consecutive floats of the sweep, what they should give, and what the first target gave. Few
/// enough to stay in the cache.
struct Block {
  std::vector<float> x;
  std::vector<double> expected;
  std::vector<float> nearest;  // to `expected`
  uint64_t nearest_inversions = 0;
  bool continues = false;  // x[0] is the last of the block before: only to see whether y decreases
  std::vector<float> first;
  std::vector<float> y;
};

uint64_t Inversions(const std::vector<float>& y) {
  uint64_t inversions = 0;
  for (size_t i = 1; i < y.size(); ++i) inversions += y[i] < y[i - 1] ? 1 : 0;
  return inversions;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool HasFma(int64_t target) { return target <= HWY_AVX2; }  // smaller is newer

void Fill(const Function& function, uint64_t from, uint64_t to, uint32_t step, Block& block) {
  block.continues = from > 0;
  const uint64_t begin = block.continues ? from - 1 : 0;
  const auto n = static_cast<size_t>(to - begin);
  block.x.resize(n);
  block.expected.resize(n);
  block.nearest.resize(n);
  block.y.resize(n);
  for (size_t i = 0; i < n; ++i) block.x[i] = Ordered((begin + i) * step);
  // A function that rises from one number to the same stays there: most floats.
  const double low = function.reference(block.x.front());
  if (function.rises && low == function.reference(block.x.back())) {
    std::fill(block.expected.begin(), block.expected.end(), low);
  } else {
    std::transform(block.x.begin(), block.x.end(), block.expected.begin(), function.reference);
  }
  for (size_t i = 0; i < n; ++i) block.nearest[i] = static_cast<float>(block.expected[i]);
  block.nearest_inversions = Inversions(block.nearest);
}

/// Where some results are not the nearest floats.
void CompareEach(const Block& block, Findings& found) {
  const float* y = block.y.data();
  size_t worst_at = 0;
  for (size_t i = 0; i < block.x.size(); ++i) {
    const float nearest = block.nearest[i];
    if (y[i] == nearest) continue;
    if (std::isinf(block.x[i]) || !std::isfinite(y[i]) || std::isinf(nearest)) {
      ++found.special;
      continue;
    }
    const double ulps = Ulps(y[i], block.expected[i], nearest);
    if (ulps > found.worst) {
      found.worst = ulps;
      worst_at = i;
    }
  }
  found.worst_at = block.x[worst_at];
}

void Compare(const Function& function, Block& block, bool is_first, bool compare_bits,
             Findings* findings) {
  function.run(block.x, absl::MakeSpan(block.y));
  Findings found;
  found.floats = block.x.size() - (block.continues ? 1 : 0);
  const bool all_nearest = SameBits(block.y, block.nearest);
  if (!all_nearest) CompareEach(block, found);
  if (function.rises) {
    found.inversions = all_nearest ? block.nearest_inversions : Inversions(block.y);
  }
  if (compare_bits && !SameBits(block.y, block.first)) {
    for (size_t i = 0; i < block.y.size(); ++i) {
      found.other_bits += BitsOf(block.y[i]) != BitsOf(block.first[i]) ? 1 : 0;
    }
  }
  findings->Add(found);
  if (is_first) block.first = block.y;
}

/// Kernels run on this target from now on; 0: on the best.
void Use(int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

/// Runs work(worker, findings) on every core and adds up the findings. False: a worker failed.
/// Workers are processes: which target the kernels run on is a variable of the whole process.
template <typename Work>
bool OnAllCores(size_t cores, std::vector<Findings>& sums, const Work& work) {
  const size_t bytes = cores * sums.size() * sizeof(Findings);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* findings = new (memory) Findings[cores * sums.size()];
  std::vector<pid_t> workers;
  for (size_t w = 0; w < cores; ++w) {
    const pid_t pid = fork();
    if (pid == 0) {
      work(w, findings + w * sums.size());
      _exit(0);
    }
    workers.push_back(pid);
  }
  bool good = true;
  for (const pid_t pid : workers) {
    int status = 0;
    good = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && good;
  }
  for (size_t i = 0; i < cores * sums.size(); ++i) sums[i % sums.size()].Add(findings[i]);
  munmap(memory, bytes);
  return good;
}

void CheckNaNs(const Function& function, uint32_t step, Findings* findings) {
  std::vector<float> x;
  for (const uint32_t sign : {0U, 0x80000000U}) {
    for (uint32_t bits = kInfinityBits + 1; bits < 0x80000000U; bits += step) {
      x.push_back(FromBits(sign | bits));
    }
  }
  std::vector<float> y(x.size());
  function.run(x, absl::MakeSpan(y));
  for (const float value : y) findings->special += std::isnan(value) ? 0 : 1;
  findings->floats += x.size();
}

std::vector<Findings> Sweep(const Function& function, uint32_t step,
                            const std::vector<int64_t>& targets) {
  constexpr size_t kBlock = size_t{1} << 14;
  const size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const uint64_t total = (kOrdered + step - 1) / step;
  std::vector<Findings> findings(targets.size());
  const bool done = OnAllCores(cores, findings, [&](size_t worker, Findings* own) {
    Block block;
    for (uint64_t from = worker * kBlock; from < total; from += kBlock * cores) {
      Fill(function, from, std::min(total, from + kBlock), step, block);
      for (size_t k = 0; k < targets.size(); ++k) {
        Use(targets[k]);
        Compare(function, block, k == 0, k > 0 && HasFma(targets[k]), &own[k]);
      }
    }
  });
  if (!done) {
    std::fprintf(stderr, "ulp_sweep: a worker process failed\n");
    std::exit(1);
  }
  for (size_t k = 0; k < targets.size(); ++k) {
    Use(targets[k]);
    CheckNaNs(function, step, &findings[k]);
    float at[2];
    function.run({-kInfinity, kInfinity}, absl::MakeSpan(at));
    findings[k].special +=
        (at[0] == function.at_minus_infinity ? 0 : 1) + (at[1] == function.at_infinity ? 0 : 1);
  }
  Use(0);
  return findings;
}

}  // namespace

int main(int argc, char** argv) {
  bool short_sweep = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--short") {
      short_sweep = true;
    } else {
      const bool help = argument == "--help" || argument == "-h";
      std::fprintf(
          help ? stdout : stderr,
          "ulp_sweep [--short]: the activations' errors in units of the last place, on "
          "every CPU target here\n  sigmoid over all 2^32 floats, the others at every "
          "%uth; about three minutes of CPU time\n  --short  every %uth float of each; a second\n"
          "exit 0 = within the bounds, 1 = not\n",
          kLongStep, kShortStep);
      return help ? 0 : 2;
    }
  }
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  bool good = true;
  std::printf("%-12s %-10s %12s %9s %16s %11s %8s %11s\n", "function", "target", "floats",
              "max ULP", "at", "inversions", "special", "other bits");
  for (const Function& function : kFunctions) {
    const uint32_t step = short_sweep ? kShortStep : function.step;
    const std::vector<Findings> findings = Sweep(function, step, targets);
    for (size_t k = 0; k < targets.size(); ++k) {
      const Findings& f = findings[k];
      const double bound = HasFma(targets[k]) ? function.ulps : function.ulps_without;
      const bool fine =
          f.worst <= bound && f.inversions == 0 && f.special == 0 && f.other_bits == 0;
      good = good && fine;
      std::printf("%-12s %-10s %12llu %9.4f %16.9g %11llu %8llu %11llu%s\n", function.name,
                  hwy::TargetName(targets[k]), static_cast<unsigned long long>(f.floats), f.worst,
                  static_cast<double>(f.worst_at), static_cast<unsigned long long>(f.inversions),
                  static_cast<unsigned long long>(f.special),
                  static_cast<unsigned long long>(f.other_bits), fine ? "" : "  OUT OF BOUNDS");
      std::fflush(stdout);
    }
  }
  return good ? 0 : 1;
}
