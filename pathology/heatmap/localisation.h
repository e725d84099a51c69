// How well attention finds the foci that the truth outlines.
#pragma once

#include <string>
#include <vector>

#include "pathology/geojson/geojson.h"
#include "pathology/heatmap/heatmap.h"

namespace pathology {

struct LocalisationOptions {
  double min_overlap = 0.05;  ///< a tile is positive when foci cover at least this share of it
  int top_k = 10;
};

struct Localisation {
  int64_t tiles = 0;
  int64_t positive_tiles = 0;
  double auc =
      0;  ///< P(positive tile scores above negative tile), ties half; NaN without both kinds
  double top_k_precision =
      0;  ///< share of positive tiles among the min(top_k, tiles) best; NaN without tiles
  double attention_on_foci =
      0;  ///< sum of scores on positive tiles / sum of scores; NaN when the sum is not positive
  double focus_recall = 0;  ///< share of foci that one of the top_k tiles touches; NaN without foci
};

/// Share of every tile that the outlines of class `classification` cover (a sum: foci are taken not
/// to overlap), [0, 1].
std::vector<double> focus_overlap(const TileScores& tiles, const std::vector<Outline>& truth,
                                  const std::string& classification);

/// Localisation of the foci of class `classification` by the scores.
Localisation localisation(const TileScores& tiles, const std::vector<Outline>& truth,
                          const std::string& classification,
                          const LocalisationOptions& options = {});

}  // namespace pathology
