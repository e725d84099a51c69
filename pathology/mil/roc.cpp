#include "pathology/mil/roc.h"

#include <algorithm>
#include <utility>

namespace pathology {

RocCurve roc_curve(const std::vector<BagPrediction>& predictions, std::size_t positive_class) {
  std::vector<std::pair<double, bool>> scored;
  for (const BagPrediction& p : predictions)
    if (p.label >= 0)
      scored.emplace_back(p.probability.at(positive_class),
                          p.label == static_cast<int64_t>(positive_class));
  std::sort(scored.begin(), scored.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  const auto positives = static_cast<double>(
      std::count_if(scored.begin(), scored.end(), [](const auto& s) { return s.second; }));
  const double negatives = static_cast<double>(scored.size()) - positives;
  RocCurve curve{{0}, {0}};
  double hits = 0, alarms = 0;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    (scored[i].second ? hits : alarms) += 1;
    if (i + 1 < scored.size() && scored[i + 1].first == scored[i].first) continue;
    curve.false_positive_rate.push_back(alarms / negatives);
    curve.true_positive_rate.push_back(hits / positives);
  }
  return curve;
}

}  // namespace pathology
