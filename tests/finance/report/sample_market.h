// Lists of traders drawn at random, in the shape of a broker's market, with all that a page tells.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "finance/report/rank_pages.h"

namespace finance {

/// `lists` of `n` traders: stakes with heavy tails, profits of both signs, a label that says which
/// of them are skilled, scores that know a part of it.
struct SampleMarket {
  RankLists lists;
  std::vector<double> scores, stakes;
  HedgeReport hedge;
  RankPage page;

  SampleMarket(int64_t count, int64_t n, uint64_t seed = 1, int64_t top = 5) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    lists.name = "market.csv";
    for (int64_t l = 0; l < count; ++l) {
      lists.list_ids.push_back(std::to_string(20000 + l));
      for (int64_t i = 0; i < n; ++i) {
        const double skill = normal(engine), stake = std::exp(1.1 * normal(engine));
        lists.rows_in_file.push_back(std::ssize(lists.profit));
        lists.profit.push_back(90 * stake * (0.7 * skill - 0.2 + normal(engine)));
        lists.label.push_back(skill > 1.3 ? 1 : 0);
        stakes.push_back(100 * stake);
        scores.push_back(skill * (0.6 + 0.3 * std::log(stake)) + normal(engine));
      }
      lists.offsets.push_back(std::ssize(lists.profit));
    }
    fill(top);
  }

  /// All parts of the page but attention, anew from lists and scores.
  void fill(int64_t top) {
    const ScoredLists scored{lists.offsets, scores, lists.label, lists.profit};
    page.title = "attn-rank: evaluation";
    page.subtitle = "market.csv, " + std::to_string(lists.lists()) + " lists";
    page.facts = {{"model", "cross-trader attention, PA-BCE over whole lists"}, {"seed", "1"}};
    page.lists = &lists;
    page.scores = scores;
    page.threshold = prior_threshold(scores, 0.1);
    page.threshold_rule = "the highest 10 % of scores (positives among the training rows)";
    MetricsOptions options;
    options.threshold = page.threshold;
    options.resamples = 100;
    page.metrics = rank_metrics(scored, options);
    page.hedge_rule = "the first " + std::to_string(top) + " of each list";
    hedge = hedge_report(scored, top_k_decisions(scored, top), stakes, 0.02);
    page.hedge = &hedge;
    int64_t longest = 1;
    for (int64_t l = 0; l < lists.lists(); ++l)
      longest = std::max(longest, lists.offsets[static_cast<size_t>(l) + 1] -
                                      lists.offsets[static_cast<size_t>(l)]);
    page.curve = profit_curve(scored, std::min<int64_t>(longest, 200));
    page.bins = calibration(scored, 10);
    page.selected_by = "profit@5";
    page.best_epoch = 14;
    for (int e = 1; e <= 20; ++e)
      page.training.push_back({0.9 + 0.5 / e, 1500 - 4.0 * (e - 14) * (e - 14)});
  }

  SampleMarket(const SampleMarket&) = delete;  // the page looks into it
  SampleMarket& operator=(const SampleMarket&) = delete;

  /// Every trader looks most at those whose scores are near `sharpness` times its own.
  ListAttention attention(int64_t l, double sharpness) const {
    ListAttention out{.list = lists.list_ids[static_cast<size_t>(l)]};
    out.first = lists.offsets[static_cast<size_t>(l)];
    out.rows = lists.offsets[static_cast<size_t>(l) + 1] - out.first;
    const auto n = static_cast<size_t>(out.rows);
    const double* score = scores.data() + out.first;
    for (size_t i = 0; i < n; ++i) {
      std::vector<double> weight(n);
      double sum = 0, entropy = 0;
      for (size_t j = 0; j < n; ++j)
        sum += weight[j] = std::exp(sharpness * score[j] * (1 + 0.2 * score[i]));
      for (double& w : weight) {
        w /= sum;
        if (w > 0) entropy -= w * std::log(w);
      }
      out.weights.insert(out.weights.end(), weight.begin(), weight.end());
      out.entropy.push_back(entropy);
    }
    return out;
  }
};

}  // namespace finance
