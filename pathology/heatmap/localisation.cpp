#include "pathology/heatmap/localisation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "pathology/heatmap/tile_scores.h"

namespace pathology {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Mann-Whitney: P(positive above negative) + P(tie) / 2, by mid-ranks.
double area_under_roc(const std::vector<double>& score, const std::vector<bool>& positive) {
  std::vector<size_t> order(score.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] < score[b]; });
  double rank_sum = 0;
  double positives = 0;
  for (size_t i = 0; i < order.size();) {
    size_t j = i;
    while (j < order.size() && score[order[j]] == score[order[i]]) ++j;
    const double mid_rank = (static_cast<double>(i + j) + 1) / 2;
    for (size_t k = i; k < j; ++k) {
      if (!positive[order[k]]) continue;
      rank_sum += mid_rank;
      ++positives;
    }
    i = j;
  }
  const double negatives = static_cast<double>(score.size()) - positives;
  if (positives == 0 || negatives == 0) return kNan;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

Point corner_of(const TileScores& tiles, size_t i) {
  return {static_cast<double>(tiles.coords[i][0]), static_cast<double>(tiles.coords[i][1])};
}

double focus_recall(const TileScores& tiles, const std::vector<int64_t>& best,
                    const std::vector<Outline>& truth, const std::string& classification) {
  int foci = 0;
  int found = 0;
  for (const Outline& outline : truth) {
    if (outline.classification != classification) continue;
    ++foci;
    const bool touched = std::any_of(best.begin(), best.end(), [&](int64_t tile) {
      return covered_share(outline.region, corner_of(tiles, static_cast<size_t>(tile)),
                           static_cast<double>(tiles.footprint)) > 0;
    });
    if (touched) ++found;
  }
  return foci == 0 ? kNan : static_cast<double>(found) / foci;
}

}  // namespace

std::vector<double> focus_overlap(const TileScores& tiles, const std::vector<Outline>& truth,
                                  const std::string& classification) {
  check(tiles);
  std::vector<double> overlap(tiles.coords.size(), 0.0);
  const auto side = static_cast<double>(tiles.footprint);
  for (const Outline& outline : truth) {
    if (outline.classification != classification) continue;
    for (size_t i = 0; i < overlap.size(); ++i) {
      overlap[i] += covered_share(outline.region, corner_of(tiles, i), side);
    }
  }
  for (double& share : overlap) share = std::min(share, 1.0);
  return overlap;
}

Localisation localisation(const TileScores& tiles, const std::vector<Outline>& truth,
                          const std::string& classification, const LocalisationOptions& options) {
  const std::vector<double> overlap = focus_overlap(tiles, truth, classification);
  std::vector<bool> positive(overlap.size());
  Localisation out;
  out.tiles = static_cast<int64_t>(overlap.size());
  double total = 0;
  double on_foci = 0;
  for (size_t i = 0; i < overlap.size(); ++i) {
    positive[i] = overlap[i] >= options.min_overlap && overlap[i] > 0;
    out.positive_tiles += positive[i] ? 1 : 0;
    total += tiles.score[i];
    if (positive[i]) on_foci += tiles.score[i];
  }
  out.auc = area_under_roc(tiles.score, positive);
  out.attention_on_foci = total > 0 ? on_foci / total : kNan;
  const std::vector<int64_t> best = top_tiles(tiles, options.top_k);
  const auto hits = std::count_if(best.begin(), best.end(),
                                  [&](int64_t i) { return positive[static_cast<size_t>(i)]; });
  out.top_k_precision =
      best.empty() ? kNan : static_cast<double>(hits) / static_cast<double>(best.size());
  out.focus_recall = focus_recall(tiles, best, truth, classification);
  return out;
}

}  // namespace pathology
