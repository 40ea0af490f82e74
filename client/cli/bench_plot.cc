#include "client/cli/bench_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sigserve::cli {
namespace {

constexpr double kLeft = 70;
constexpr double kTop = 30;
constexpr double kWidth = 640;
constexpr double kHeight = 360;
constexpr double kRight = 150;

std::string Escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') safe += "&lt;";
    if (c == '&') safe += "&amp;";
    if (c != '<' && c != '&') safe += c;
  }
  return safe;
}

/// What the axes show; from figures to pixels.
struct Axes {
  double most_calls = 1;
  int first_decade = 0;
  int last_decade = 1;

  explicit Axes(const std::vector<BenchPoint>& points) {
    double low = 1e9;
    double high = 1;
    for (const BenchPoint& point : points) {
      most_calls = std::max(most_calls, point.figures.ok_per_second * 1.05);
      low = std::min(low, std::max(point.figures.p50, 0.1));
      high = std::max(high, point.figures.p99);
    }
    first_decade = static_cast<int>(std::floor(std::log10(std::min(low, high))));
    last_decade = std::max(first_decade + 1, static_cast<int>(std::ceil(std::log10(high))));
  }
  double x(double calls) const { return kLeft + kWidth * calls / most_calls; }
  double y(double us) const {
    const double share = (std::log10(std::max(us, 0.1)) - first_decade) /
                         static_cast<double>(last_decade - first_decade);
    return kTop + kHeight * (1 - share);
  }
};

class Plot {
 public:
  explicit Plot(const std::vector<BenchPoint>& points) : points_(points), axes_(points) {
    svg_ = absl::StrFormat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        kLeft + kWidth + kRight, kTop + kHeight + 50);
  }

  std::string Draw() {
    DrawAxes();
    constexpr const char* kColours[] = {"#0b62a4", "#d1495b", "#2e8b57", "#7a5195"};
    const std::vector<std::string> targets = Targets();
    for (size_t t = 0; t < targets.size(); ++t) {
      DrawCurve(targets[t], "p50", "", &BenchFigures::p50, kColours[t % 4]);
      DrawCurve(targets[t], "p99", " stroke-dasharray=\"5 4\"", &BenchFigures::p99,
                kColours[t % 4]);
    }
    return svg_ + "</svg>\n";
  }

 private:
  std::vector<std::string> Targets() const {
    std::vector<std::string> targets;
    for (const BenchPoint& point : points_) {
      if (std::find(targets.begin(), targets.end(), point.target) == targets.end()) {
        targets.push_back(point.target);
      }
    }
    return targets;
  }

  void Text(double x, double y, const char* anchor, const std::string& words) {
    absl::StrAppendFormat(&svg_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y,
                          anchor, Escape(words));
  }

  void Line(double x1, double y1, double x2, double y2, const std::string& colour,
            const char* dash) {
    absl::StrAppendFormat(&svg_,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"%s\"%s/>\n",
                          x1, y1, x2, y2, colour, dash);
  }

  void DrawAxes() {
    for (int decade = axes_.first_decade; decade <= axes_.last_decade; ++decade) {
      const double us = std::pow(10, decade);
      Line(kLeft, axes_.y(us), kLeft + kWidth, axes_.y(us), "#ccc", "");
      Text(kLeft - 8, axes_.y(us) + 4, "end", absl::StrFormat("%g us", us));
    }
    for (int tick = 0; tick <= 4; ++tick) {
      const double calls = axes_.most_calls * tick / 4;
      Line(axes_.x(calls), kTop, axes_.x(calls), kTop + kHeight, "#ccc", "");
      Text(axes_.x(calls), kTop + kHeight + 18, "middle", absl::StrFormat("%.0f", calls));
    }
    Text(kLeft + kWidth / 2, kTop + kHeight + 40, "middle", "answered calls per second");
    Text(kLeft, kTop - 12, "start", "latency");
  }

  void DrawCurve(const std::string& target, const char* name, const char* dash,
                 double BenchFigures::*latency, const char* colour) {
    std::vector<std::pair<double, double>> at;
    for (const BenchPoint& point : points_) {
      if (point.target != target) continue;
      at.emplace_back(axes_.x(point.figures.ok_per_second), axes_.y(point.figures.*latency));
    }
    absl::StrAppendFormat(&svg_, "<polyline fill=\"none\" stroke=\"%s\"%s points=\"", colour, dash);
    for (const auto& [x, y] : at) absl::StrAppendFormat(&svg_, "%.1f,%.1f ", x, y);
    absl::StrAppend(&svg_, "\"/>\n");
    for (const auto& [x, y] : at) {
      absl::StrAppendFormat(&svg_, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y,
                            colour);
    }
    Line(kLeft + kWidth + 15, legend_ - 4, kLeft + kWidth + 45, legend_ - 4, colour, dash);
    Text(kLeft + kWidth + 52, legend_, "start", absl::StrCat(target, " ", name));
    legend_ += 20;
  }

  const std::vector<BenchPoint>& points_;
  const Axes axes_;
  std::string svg_;
  double legend_ = kTop + 10;
};

}  // namespace

std::string BenchSvg(const std::vector<BenchPoint>& points) { return Plot(points).Draw(); }

}  // namespace sigserve::cli
