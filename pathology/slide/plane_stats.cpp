#include "pathology/slide/plane_stats.h"

#include <cmath>

namespace pathology {
namespace {

/// Smallest bin at which the cumulated share reaches `share`.
double percentile(const Histogram& counts, int64_t total, double share) {
  const double wanted = share * static_cast<double>(total);
  int64_t cumulated = 0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    cumulated += counts[bin];
    if (static_cast<double>(cumulated) >= wanted && cumulated > 0) return static_cast<double>(bin);
  }
  return 0;
}

}  // namespace

Histogram histogram(const cv::Mat& plane) {
  // Four interleaved tables: neighbouring equal pixels would wait for one another's counter.
  std::array<std::array<uint32_t, 256>, 4> parts{};
  const int width = plane.cols;
  for (int y = 0; y < plane.rows; ++y) {
    const uint8_t* row = plane.ptr<uint8_t>(y);
    int x = 0;
    for (; x + 4 <= width; x += 4) {
      ++parts[0][row[x]];
      ++parts[1][row[x + 1]];
      ++parts[2][row[x + 2]];
      ++parts[3][row[x + 3]];
    }
    for (; x < width; ++x) ++parts[0][row[x]];
  }
  Histogram counts{};
  for (std::size_t bin = 0; bin < counts.size(); ++bin)
    for (const auto& part : parts) counts[bin] += part[bin];
  return counts;
}

HistogramStats statistics(const Histogram& counts) {
  HistogramStats stats;
  int64_t total = 0, sum = 0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    total += counts[bin];
    sum += counts[bin] * static_cast<int64_t>(bin);
  }
  if (total == 0) return stats;
  const auto n = static_cast<double>(total);
  stats.mean = static_cast<double>(sum) / n;
  double second = 0, third = 0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    const double off = static_cast<double>(bin) - stats.mean;
    const double weighted = static_cast<double>(counts[bin]) * off * off;
    second += weighted;
    third += weighted * off;
  }
  stats.sd = std::sqrt(second / n);
  if (stats.sd >= 0.5) stats.skewness = third / n / (stats.sd * stats.sd * stats.sd);
  stats.p10 = percentile(counts, total, 0.1);
  stats.p50 = percentile(counts, total, 0.5);
  stats.p90 = percentile(counts, total, 0.9);
  return stats;
}

void put_statistics(FeatureSink& sink, const cv::Mat& plane, double scale, double offset) {
  const HistogramStats s = statistics(histogram(plane));
  sink.put(scale * s.mean + offset);
  sink.put(scale * s.sd);
  sink.put(s.skewness);
  sink.put(scale * s.p10 + offset);
  sink.put(scale * s.p50 + offset);
  sink.put(scale * s.p90 + offset);
}

void name_statistics(std::vector<FeatureName>& names, const std::string& plane,
                     const std::string& phrase) {
  names.push_back({plane + ".mean", "mean of " + phrase});
  names.push_back({plane + ".sd", "standard deviation of " + phrase});
  names.push_back({plane + ".skewness", "skewness of " + phrase + ", 0 on a flat tile"});
  names.push_back({plane + ".p10", "10th percentile of " + phrase});
  names.push_back({plane + ".p50", "median of " + phrase});
  names.push_back({plane + ".p90", "90th percentile of " + phrase});
}

}  // namespace pathology
