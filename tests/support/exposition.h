// Prometheus's text format, read back: what a test asks of /metrics.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace sigserve::testing_support {

class Exposition {
 public:
  using Labels = std::map<std::string, std::string>;

  /// Label values without quotes and commas in them.
  explicit Exposition(const std::string& text) {
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      if (line[0] == '#') continue;
      const size_t space = line.rfind(' ');
      Sample sample;
      sample.value = std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr);
      const absl::string_view series = line.substr(0, space);
      const size_t brace = series.find('{');
      sample.name = std::string(series.substr(0, brace));
      if (brace != absl::string_view::npos) {
        const absl::string_view labels = series.substr(brace + 1, series.size() - brace - 2);
        for (const absl::string_view label : absl::StrSplit(labels, ',', absl::SkipEmpty())) {
          const std::pair<absl::string_view, absl::string_view> parts =
              absl::StrSplit(label, absl::MaxSplits("=\"", 1));
          sample.labels[std::string(parts.first)] =
              std::string(parts.second.substr(0, parts.second.size() - 1));
        }
      }
      samples_.push_back(std::move(sample));
    }
  }

  /// Of all series of that name that have these labels.
  int64_t Sum(absl::string_view name, const Labels& labels = {}) const {
    double sum = 0;
    for (const Sample& sample : samples_) {
      if (sample.name == name && Has(sample, labels)) sum += sample.value;
    }
    return static_cast<int64_t>(sum);
  }
  /// The same by the value of one more label.
  std::map<std::string, int64_t> By(const std::string& label, absl::string_view name,
                                    const Labels& labels = {}) const {
    std::map<std::string, int64_t> sums;
    for (const Sample& sample : samples_) {
      if (sample.name != name || !Has(sample, labels)) continue;
      const auto found = sample.labels.find(label);
      sums[found == sample.labels.end() ? "" : found->second] += static_cast<int64_t>(sample.value);
    }
    return sums;
  }
  bool Has(absl::string_view name) const {
    for (const Sample& sample : samples_) {
      if (sample.name == name) return true;
    }
    return false;
  }

 private:
  struct Sample {
    std::string name;
    Labels labels;
    double value = 0;
  };
  static bool Has(const Sample& sample, const Labels& labels) {
    for (const auto& [label, value] : labels) {
      const auto found = sample.labels.find(label);
      if (found == sample.labels.end() || found->second != value) return false;
    }
    return true;
  }

  std::vector<Sample> samples_;
};

}  // namespace sigserve::testing_support
