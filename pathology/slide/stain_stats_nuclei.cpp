// Nuclei, for the built-in encoder: how many, how large, how round, how dark, how even, how far
// apart.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "pathology/slide/plane_stats.h"

namespace pathology {
namespace {

constexpr double kSmoothing = 0.75;  // um, standard deviation before the threshold
constexpr double kBlobSmoothing =
    1.75;  // um, before maxima are sought: about a third of a nucleus' radius
constexpr double kBlobReach = 1.5;       // um; maxima are at least so far apart
constexpr double kLowestDensity = 0.15;  // haematoxylin that a nucleus has at least
constexpr double kSmallest = 8,
                 kLargest = 800;  // um^2; beyond lies debris, and sheets that run together
constexpr std::size_t kMostNeighbours = 512;  // nuclei between which distances are taken

/// Sums over the pixels of one region.
struct Region {
  int64_t n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, h = 0, hh = 0;
};

struct Nucleus {
  double x, y;       // px
  double area;       // um^2
  double roundness;  // minor over major axis of the ellipse of equal moments, 0..1
  double mean, sd;   // haematoxylin, optical density
};

Nucleus measure(const Region& r, double density_per_bin, double zero, double mpp) {
  const auto n = static_cast<double>(r.n);
  const double x = static_cast<double>(r.x) / n, y = static_cast<double>(r.y) / n;
  // 1/12: a pixel's own extent, so that a line of pixels has a width.
  const double vxx = static_cast<double>(r.xx) / n - x * x + 1 / 12.0,
               vyy = static_cast<double>(r.yy) / n - y * y + 1 / 12.0;
  const double vxy = static_cast<double>(r.xy) / n - x * y;
  const double middle = (vxx + vyy) / 2, spread = std::hypot((vxx - vyy) / 2, vxy);
  const double mean = static_cast<double>(r.h) / n;
  const double variance = std::max(0.0, static_cast<double>(r.hh) / n - mean * mean);
  return {x,
          y,
          n * mpp * mpp,
          std::sqrt(std::max(0.0, middle - spread) / (middle + spread)),
          (mean - zero) * density_per_bin,
          std::sqrt(variance) * density_per_bin};
}

/// Regions of `mask`, measured on `plane`; those of impossible size are left out.
std::vector<Nucleus> find_nuclei(const cv::Mat& mask, const cv::Mat& plane, double density_per_bin,
                                 double zero, double mpp) {
  cv::Mat labels;  // 32 bits: a large tile may hold more than 65,535 regions
  const int count = cv::connectedComponents(mask, labels, 4, CV_32S);
  std::vector<Region> regions(static_cast<std::size_t>(count));
  for (int y = 0; y < mask.rows; ++y) {
    const int32_t* label = labels.ptr<int32_t>(y);
    const uint8_t* value = plane.ptr<uint8_t>(y);
    for (int x = 0; x < mask.cols; ++x) {
      if (label[x] == 0) continue;
      Region& r = regions[static_cast<std::size_t>(label[x])];
      ++r.n;
      r.x += x;
      r.y += y;
      r.xx += static_cast<int64_t>(x) * x;
      r.yy += static_cast<int64_t>(y) * y;
      r.xy += static_cast<int64_t>(x) * y;
      r.h += value[x];
      r.hh += static_cast<int64_t>(value[x]) * value[x];
    }
  }
  std::vector<Nucleus> nuclei;
  for (const Region& region : regions) {
    const double area = static_cast<double>(region.n) * mpp * mpp;
    if (region.n > 0 && area >= kSmallest && area <= kLargest)
      nuclei.push_back(measure(region, density_per_bin, zero, mpp));
  }
  return nuclei;
}

struct Moments {
  double mean = 0, sd = 0;
};
template <typename Get>
Moments moments(const std::vector<Nucleus>& nuclei, Get get) {
  if (nuclei.empty()) return {};
  double sum = 0, square = 0;
  for (const Nucleus& nucleus : nuclei) sum += get(nucleus);
  const double mean = sum / static_cast<double>(nuclei.size());
  for (const Nucleus& nucleus : nuclei) square += (get(nucleus) - mean) * (get(nucleus) - mean);
  return {mean, std::sqrt(square / static_cast<double>(nuclei.size()))};
}

/// Distance of each nucleus to its nearest neighbour, um; 0 and 0 with fewer than two.
Moments spacing(const std::vector<Nucleus>& nuclei, double mpp) {
  const std::size_t n = std::min(nuclei.size(), kMostNeighbours);
  if (n < 2) return {};
  std::vector<double> nearest(n, std::numeric_limits<double>::max());
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) {
      const double dx = nuclei[i].x - nuclei[j].x, dy = nuclei[i].y - nuclei[j].y;
      const double square = dx * dx + dy * dy;
      nearest[i] = std::min(nearest[i], square);
      nearest[j] = std::min(nearest[j], square);
    }
  double sum = 0, squares = 0;
  for (const double square : nearest) {
    sum += std::sqrt(square);
    squares += square;
  }
  const double mean = sum / static_cast<double>(n);
  return {mean * mpp,
          std::sqrt(std::max(0.0, squares / static_cast<double>(n) - mean * mean)) * mpp};
}

/// Maxima of the strongly smoothed plane above the threshold: counts nuclei that touch. At about 1
/// um per px: as many are found as in full resolution, four times faster.
int64_t count_maxima(const cv::Mat& plane, double threshold, double mpp) {
  const int factor = std::max(1, static_cast<int>(std::lround(1 / mpp)));
  cv::Mat smooth = plane, highest, labels;
  if (factor > 1) {
    const cv::Size size(std::max(1, plane.cols / factor), std::max(1, plane.rows / factor));
    cv::resize(plane, smooth, size, 0, 0, cv::INTER_AREA);
  }
  const double step = mpp * factor;
  cv::GaussianBlur(smooth, smooth, {}, std::max(0.5, kBlobSmoothing / step));
  const int reach = std::max(1, static_cast<int>(std::lround(kBlobReach / step)));
  cv::dilate(smooth, highest, cv::Mat::ones(2 * reach + 1, 2 * reach + 1, CV_8UC1));
  const cv::Mat peaks = (smooth == highest) & (smooth > threshold);
  return cv::connectedComponents(peaks, labels, 8, CV_32S) - 1;  // a flat peak counts once
}

}  // namespace

void put_nuclei(FeatureSink& sink, const cv::Mat& haematoxylin, double density_per_bin, double zero,
                double mpp) {
  cv::Mat smooth, mask;
  cv::GaussianBlur(haematoxylin, smooth, {}, std::max(0.3, kSmoothing / mpp));
  const double otsu = cv::threshold(smooth, mask, 0, 255, cv::THRESH_BINARY | cv::THRESH_OTSU);
  const double threshold = std::max(otsu, zero + kLowestDensity / density_per_bin);
  cv::threshold(smooth, mask, threshold, 255, cv::THRESH_BINARY);
  const std::vector<Nucleus> nuclei = find_nuclei(mask, haematoxylin, density_per_bin, zero, mpp);
  const double tile_area = static_cast<double>(haematoxylin.total()) * mpp * mpp;

  sink.put(static_cast<double>(nuclei.size()) / tile_area * 1000);
  sink.put(static_cast<double>(count_maxima(haematoxylin, threshold, mpp)) / tile_area * 1000);
  sink.put(static_cast<double>(cv::countNonZero(mask)) / static_cast<double>(mask.total()));
  sink.put((threshold - zero) * density_per_bin);
  const Moments area = moments(nuclei, [](const Nucleus& n) { return n.area; });
  std::vector<double> areas;
  areas.reserve(nuclei.size());
  for (const Nucleus& nucleus : nuclei) areas.push_back(nucleus.area);
  std::sort(areas.begin(), areas.end());
  sink.put(area.mean);
  sink.put(area.sd);
  sink.put(areas.empty() ? 0.0 : areas[(areas.size() - 1) * 9 / 10]);
  const Moments roundness = moments(nuclei, [](const Nucleus& n) { return n.roundness; });
  const Moments density = moments(nuclei, [](const Nucleus& n) { return n.mean; });
  const Moments chromatin = moments(nuclei, [](const Nucleus& n) { return n.sd; });
  const Moments distance = spacing(nuclei, mpp);
  for (const Moments& m : {roundness, density, chromatin, distance}) {
    sink.put(m.mean);
    sink.put(m.sd);
  }
}

void name_nuclei(std::vector<FeatureName>& names) {
  const auto add = [&](const std::string& name, const std::string& meaning) {
    names.push_back({"nuclei." + name, meaning});
  };
  add("density", "dark regions of 8 to 800 um^2 of haematoxylin, per 1000 um^2");
  add("peak_density", "maxima of the haematoxylin smoothed by 1.75 um, per 1000 um^2");
  add("share", "share of the tile above the haematoxylin threshold");
  add("threshold", "that threshold (Otsu, at least 0.15 optical density)");
  add("area_mean", "mean area of the regions, um^2");
  add("area_sd", "standard deviation of the area, um^2");
  add("area_p90", "90th percentile of the area, um^2");
  add("roundness_mean", "mean of minor over major axis");
  add("roundness_sd", "standard deviation of minor over major axis");
  add("stain_mean", "mean of the regions' mean haematoxylin (optical density)");
  add("stain_sd", "standard deviation of the regions' mean haematoxylin");
  add("chromatin_mean", "mean of the standard deviation of haematoxylin inside a region");
  add("chromatin_sd", "standard deviation of that over the regions");
  add("spacing_mean", "mean distance to the nearest region, um; 0 with fewer than two");
  add("spacing_sd", "standard deviation of that distance, um");
}

}  // namespace pathology
