#include "vision/gaze/metric/saliency.h"

#include <stdexcept>

namespace gaze {
namespace {

/// The map's value at the pixel; NaN where nothing is to be scored.
double value_at(const SaliencyMap& map, const Pixel& at) {
  const bool fits = map.height >= 0 && map.width >= 0 &&
                    map.values.size() == static_cast<size_t>(map.height * map.width);
  if (!fits) throw std::logic_error("a saliency map needs height x width values");
  const bool inside = at.row >= 0 && at.row < map.height && at.column >= 0 && at.column < map.width;
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!inside || !std::all_of(map.values.begin(), map.values.end(), finite)) return kNaN;
  return map.values[static_cast<size_t>(at.row * map.width + at.column)];
}

bool is_probability(double p) {
  return p >= 0 && p <= 1;
}

}  // namespace

Pixel pixel_of(const Fixation& fixation, int64_t height, int64_t width) {
  const bool inside = fixation.x >= 0 && fixation.x < static_cast<double>(width) &&
                      fixation.y >= 0 && fixation.y < static_cast<double>(height);
  if (!inside) return {-1, -1};
  return {static_cast<int64_t>(fixation.y), static_cast<int64_t>(fixation.x)};
}

double conditional_nss(const SaliencyMap& map, const Pixel& fixated) {
  const double value = value_at(map, fixated);
  if (std::isnan(value)) return kNaN;
  const auto n = static_cast<double>(map.values.size());
  const auto [least, most] = std::minmax_element(map.values.begin(), map.values.end());
  if (*least == *most) return 0;
  double sum = 0, squares = 0;
  for (const double v : map.values) sum += v;
  const double mean = sum / n;
  for (const double v : map.values) squares += (v - mean) * (v - mean);
  return finite_or_nan((value - mean) / std::sqrt(squares / (n - 1)));
}

double conditional_information_gain(const SaliencyMap& map, const SaliencyMap& prior,
                                    const Pixel& fixated) {
  if (map.height != prior.height || map.width != prior.width)
    throw std::logic_error("a saliency map and its prior differ in size");
  constexpr double least = 2.2204e-16;
  const double p = value_at(map, fixated), q = value_at(prior, fixated);
  if (!is_probability(p) || !is_probability(q)) return kNaN;
  return std::log2(p + least) - std::log2(q + least);
}

double conditional_auc(const SaliencyMap& map, const Pixel& fixated, AucRule rule) {
  const double value = value_at(map, fixated);
  if (std::isnan(value) || map.values.size() < 2) return kNaN;
  double above = 0, equal = -1;  // not itself
  for (const double v : map.values) {
    if (v > value) ++above;
    if (v == value) ++equal;
  }
  const double others = static_cast<double>(map.values.size()) - 1;
  return rule == AucRule::judd ? 1 - (above + equal) / others / 2
                               : 1 - (above + equal / 2) / others;
}

}  // namespace gaze
