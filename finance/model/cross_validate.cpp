#include "finance/model/cross_validate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "attn/error.h"
#include "finance/lists/split_lists.h"
#include "finance/model/score_file.h"
#include "libattn/io/atomic_file.h"
#include "libattn/train/metrics.h"
#include "libattn/train/seed.h"

namespace finance {
namespace {

using nlohmann::json;

/// The lists that are not in `test`, cut into a part that trains and one that validates.
ListSplit rest_of(const RankLists& all, const std::vector<int64_t>& test, double validation,
                  uint64_t seed) {
  const int64_t lists = all.lists();
  std::vector<bool> tested(static_cast<size_t>(lists), false);
  for (const int64_t l : test) tested[static_cast<size_t>(l)] = true;
  std::vector<int64_t> rest;
  for (int64_t l = 0; l < lists; ++l)
    if (!tested[static_cast<size_t>(l)]) rest.push_back(l);
  ListSplit split = all.times.empty() ? random_split(std::ssize(rest), validation, 0, seed)
                                      : time_split(selected(all, rest), validation, 0);
  for (auto* part : {&split.train, &split.validation})
    for (int64_t& l : *part) l = rest[static_cast<size_t>(l)];
  return split;
}

/// Scores of a fold's lists to their rows among all.
void place(const RankLists& all, const std::vector<int64_t>& test,
           const std::vector<double>& scores, std::vector<double>& to) {
  size_t from = 0;
  for (const int64_t l : test)
    for (int64_t r = all.offsets[static_cast<size_t>(l)];
         r < all.offsets[static_cast<size_t>(l) + 1]; ++r)
      to[static_cast<size_t>(r)] = scores[from++];
}

/// A column without a value in `train` is 0 in all three, and so tells nothing.
void drop_empty_columns(RankLists& train, RankLists& held, RankLists& test) {
  const auto width = static_cast<size_t>(train.width());
  for (size_t column = 0; column < width; ++column) {
    bool empty = true;
    for (size_t at = column; at < train.features.size() && empty; at += width)
      empty = std::isnan(train.features[at]);
    if (!empty) continue;
    for (RankLists* part : {&train, &held, &test})
      for (size_t at = column; at < part->features.size(); at += width) part->features[at] = 0;
  }
}

struct Fold {
  RankLists train, held, test;
  TrainRunData data() const { return {train, held.lists() == 0 ? nullptr : &held, {}, {}}; }
};

Fold fold_of(const RankLists& lists, const std::vector<int64_t>& test, double validation,
             uint64_t seed, size_t number) {
  const ListSplit split =
      rest_of(lists, test, validation, attn::train::derive_seed(seed, "fold", number));
  Fold fold{selected(lists, split.train), selected(lists, split.validation), selected(lists, test)};
  drop_empty_columns(fold.train, fold.held, fold.test);
  return fold;
}

void check_fold(const Fold& fold, size_t number, const TrainRunOptions& options) {
  try {
    check_run(fold.data(), options);
  } catch (const attn::UsageError& error) {
    throw attn::UsageError("fold " + std::to_string(number + 1) + ": " + error.what());
  } catch (const attn::Error& error) {
    throw attn::Error("fold " + std::to_string(number + 1) + ": " + error.what());
  }
}

/// The threshold that decided a fold, for each of its lists.
void place_threshold(const Evaluation& fold, const std::vector<int64_t>& test,
                     std::vector<double>& to) {
  for (const int64_t l : test) to[static_cast<size_t>(l)] = fold.threshold;
}

}  // namespace

CrossValidation cross_validate(const RankLists& lists, const TrainRunOptions& given, int64_t folds,
                               double validation, const EvaluateOptions& evaluation,
                               const attn::Hooks& hooks) {
  const uint64_t seed = given.fit.optimisation.seed;
  TrainRunOptions options = given;
  if (options.members > 1 && lists.times.empty()) options.hold_out = std::exchange(validation, 0);
  const auto parts = list_folds(lists.lists(), folds, seed);
  const auto fold_at = [&](size_t f) { return fold_of(lists, parts[f], validation, seed, f); };
  for (size_t f = 0; f < parts.size(); ++f) check_fold(fold_at(f), f, options);
  CrossValidation out;
  out.fold_of.resize(static_cast<size_t>(lists.lists()));
  std::vector<double> pooled(static_cast<size_t>(lists.rows()));
  EvaluateOptions by_folds = evaluation;
  by_folds.metrics.thresholds.resize(static_cast<size_t>(lists.lists()));
  for (size_t f = 0; f < parts.size(); ++f) {
    for (const int64_t l : parts[f])
      out.fold_of[static_cast<size_t>(l)] = static_cast<int64_t>(f) + 1;
    hooks.report("folds", static_cast<int64_t>(f), folds);
    const Fold fold = fold_at(f);
    const TrainedRanker model = train_run(fold.data(), options, {}, hooks);
    std::vector<double> scores = model_scores(model, fold.test, hooks);
    place(lists, parts[f], scores, pooled);
    out.folds.push_back(evaluate_scores("fold " + std::to_string(f + 1), fold.test,
                                        std::move(scores), model.thresholds, evaluation, hooks));
    place_threshold(out.folds.back(), parts[f], by_folds.metrics.thresholds);
  }
  hooks.report("folds", folds, folds);
  out.pooled = evaluate_scores("all folds", lists, std::move(pooled), {}, by_folds, hooks);
  return out;
}

void write_fold_scores(const CrossValidation& result, const RankLists& lists,
                       const std::filesystem::path& out) {
  attn::io::AtomicFile file(out);
  file.append("list,row,score,rank,fold\n" +
              score_lines(lists, result.pooled.scores, result.fold_of));
  file.commit();
}

json to_json(const CrossValidation& result) {
  json out = {{"folds", json::array()}, {"mean", json::object()}};
  for (const Evaluation& fold : result.folds) {
    json one = to_json(fold);
    one.erase("profit_curve");
    out["folds"].push_back(std::move(one));
  }
  for (const Metric& metric : result.pooled.metrics) {
    std::vector<double> values;
    for (const Evaluation& fold : result.folds)
      for (const Metric& m : fold.metrics)
        if (m.name == metric.name) values.push_back(m.value);
    const auto over = attn::train::mean_sd(values);
    out["mean"][metric.name] = {{"mean", over.mean}, {"sd", over.sd}};
  }
  out["pooled"] = to_json(result.pooled);
  return out;
}

}  // namespace finance
