#include "vision/gaze/metric/behaviour.h"

#include <array>
#include <numeric>
#include <stdexcept>
#include <unordered_set>

namespace gaze {
namespace {

using Five = std::array<double, 5>;

Five values(const Behaviour& b) {
  return {b.ends_on_target, b.length, b.search, b.refixation, b.revisit};
}

}  // namespace

Behaviour behaviour(Symbols objects, int64_t target) {
  if (objects.empty() || std::any_of(objects.begin(), objects.end(), [](auto o) { return o < 0; }))
    return {};
  double search = 0, refixation = 0, revisit = 0;
  std::unordered_set<int64_t> seen;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (i > 0 && objects[i] == objects[i - 1])
      ++refixation;
    else if (seen.insert(objects[i]).second)
      ++search;
    else
      ++revisit;
  }
  const auto n = static_cast<double>(objects.size());
  return {objects.back() == target ? 1.0 : 0.0, n, search / n, refixation / n, revisit / n};
}

Behaviour mean_behaviour(std::span<const Behaviour> of) {
  Five sum{};
  double count = 0;
  for (const Behaviour& one : of) {
    const Five v = values(one);
    if (std::any_of(v.begin(), v.end(), [](double x) { return std::isnan(x); })) continue;
    for (size_t k = 0; k < v.size(); ++k) sum[k] += v[k];
    ++count;
  }
  if (count == 0) return {};
  return {sum[0] / count, sum[1] / count, sum[2] / count, sum[3] / count, sum[4] / count};
}

double behaviour_delta(const Behaviour& model, const Behaviour& human) {
  const Five m = values(model), h = values(human);
  double sum = 0;
  for (size_t k = 0; k < m.size(); ++k) sum += h[k] == 0 ? kNaN : std::abs(m[k] - h[k]) / h[k];
  return sum / static_cast<double>(m.size());
}

double object_similarity(std::span<const double> probability, int64_t next) {
  if (next < 0 || static_cast<size_t>(next) >= probability.size()) return kNaN;
  double sum = 0;
  for (const double p : probability) {
    if (!(p >= 0)) return kNaN;
    sum += p;
  }
  if (!(std::abs(sum - 1) <= 1e-3)) return kNaN;
  return std::min(1.0, probability[static_cast<size_t>(next)]);
}

std::optional<size_t> first_on(Symbols objects, int64_t target) {
  const auto at = std::find(objects.begin(), objects.end(), target);
  if (at == objects.end()) return std::nullopt;
  return static_cast<size_t>(at - objects.begin());
}

std::optional<size_t> first_in(Fixations path, const Box& target) {
  for (size_t i = 0; i < path.size(); ++i)
    if (contains(target, path[i])) return i;
  return std::nullopt;
}

double scanpath_ratio(Fixations path, std::optional<size_t> found, const Box& target) {
  if (!found || *found == 0) return kNaN;
  if (*found >= path.size()) throw std::logic_error("scanpath_ratio: found beyond the scanpath");
  path = path.first(*found + 1);
  if (!positions_defined(path)) return kNaN;
  double way = 0;
  for (size_t i = 1; i < path.size(); ++i) way += distance(path[i - 1], path[i]);
  const double straight =
      distance(path[0], {(target.x0 + target.x1) / 2, (target.y0 + target.y1) / 2});
  if (!(way > 0) || !std::isfinite(way)) return kNaN;
  return std::isnan(straight) ? kNaN : std::min(1.0, straight / way);
}

std::vector<double> found_by_step(std::span<const std::optional<size_t>> found, size_t steps) {
  std::vector<double> curve(steps + 1);
  for (const auto& at : found)
    if (at && *at <= steps) ++curve[*at];
  std::partial_sum(curve.begin(), curve.end(), curve.begin());
  for (double& share : curve)
    share = found.empty() ? kNaN : share / static_cast<double>(found.size());
  return curve;
}

double curve_auc(std::span<const double> curve) {
  return std::accumulate(curve.begin(), curve.end(), 0.0);
}

double curve_mismatch(std::span<const double> model, std::span<const double> human) {
  if (model.size() != human.size()) return kNaN;
  double sum = 0;
  for (size_t s = 0; s < model.size(); ++s) sum += std::abs(model[s] - human[s]);
  return sum;
}

}  // namespace gaze
