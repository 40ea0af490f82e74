// A fuzz target without the fuzzer: runs it on every file below the folders given, cut short at
// several places and with single bytes changed, always the same ones. Ends with 0, or as the target
// does.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr int kMutations = 200;

void Run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

void RunMutations(const std::string& bytes) {
  uint32_t state = 1;
  const auto next = [&](size_t below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<size_t>(state >> 8) % below;
  };
  for (int i = 0; i < kMutations && !bytes.empty(); ++i) {
    std::string changed = bytes;
    // Headers are at the start or the end: half of the changes are near one.
    const size_t near = std::min<size_t>(bytes.size(), 512);
    const size_t place = i % 4 == 0   ? next(near)
                         : i % 4 == 1 ? bytes.size() - 1 - next(near)
                                      : next(bytes.size());
    changed[place] = static_cast<char>(next(256));
    Run(changed);
    if (i % 4 == 3) Run(bytes.substr(0, place));
  }
}

}  // namespace

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file() || entry.file_size() > kMaxFileBytes) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file),
                              std::istreambuf_iterator<char>()};
      Run(bytes);
      RunMutations(bytes);
      ++files;
    }
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;
}
