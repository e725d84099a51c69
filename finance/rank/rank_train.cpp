#include "finance/rank/rank_train.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "attn/error.h"
#include "attn/probe.h"
#include "finance/score/rank_metrics.h"
#include "libattn/io/digest.h"
#include "libattn/train/metrics.h"
#include "libattn/train/train_options.h"

namespace finance {
namespace {

using attn::train::NamedTensors;
using attn::train::Step;
using attn::train::TrainResult;
using attn::train::TrainTask;
using attn::train::Validation;

/// Columns of a RankSet at the rows of a batch.
std::vector<double> gathered(const std::vector<double>& values, const RankSet& set,
                             std::span<const int64_t> lists) {
  std::vector<double> out;
  if (values.empty()) return out;
  for (const int64_t l : lists)
    out.insert(out.end(), values.begin() + set.offsets[static_cast<size_t>(l)],
               values.begin() + set.offsets[static_cast<size_t>(l) + 1]);
  return out;
}

std::span<const int64_t> offsets_of(const RankBatch& batch) {
  return {batch.offsets.const_data_ptr<int64_t>(), static_cast<size_t>(batch.offsets.size(0))};
}

std::vector<double> as_doubles(const at::Tensor& scores) {
  const at::Tensor s = scores.detach().to(at::kDouble).contiguous();
  const auto* data = s.const_data_ptr<double>();
  return {data, data + s.numel()};
}

std::vector<at::Tensor> tensors_of(const NamedTensors& tensors) {
  std::vector<at::Tensor> out;
  for (const auto& [name, value] : tensors) out.push_back(value.detach());
  return out;
}

template <class Value>
double mean_over_lists(const RankSet& set, const Value& value) {
  double sum = 0;
  int64_t count = 0;
  for (int64_t l = 0; l < set.lists(); ++l) {
    const double one = value(static_cast<size_t>(set.offsets[static_cast<size_t>(l)]),
                             static_cast<size_t>(set.offsets[static_cast<size_t>(l) + 1]));
    if (std::isfinite(one)) sum += one, ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

void require_columns(const LossOptions& loss, const SelectBy& select, const RankSet& set,
                     bool validation) {
  const char* part = validation ? "the validation lists" : "the training lists";
  const bool label =
      needs_label(loss.kind) ||
      (validation && (select.kind == SelectBy::Kind::ndcg || select.kind == SelectBy::Kind::auc));
  const bool profit =
      needs_profit(loss.kind) || (validation && select.kind == SelectBy::Kind::profit);
  if (label && set.label.empty())
    throw attn::UsageError(std::string(part) + " have no labels, which " +
                           (needs_label(loss.kind) ? "the loss " + to_string(loss.kind)
                                                   : "--select " + to_string(select)) +
                           " needs; name their column with --label");
  if (profit && set.profit.empty())
    throw attn::UsageError(std::string(part) + " have no profits, which " +
                           (needs_profit(loss.kind) ? "the loss " + to_string(loss.kind)
                                                    : "--select " + to_string(select)) +
                           " needs; name their column with --profit, or choose a loss of labels "
                           "(--loss bce, lambdarank, mse)");
}

/// One run of fit_ranker.
class Fit {
 public:
  Fit(const Ranker& ranker, const RankFitData& data, const RankFitOptions& options,
      const attn::Hooks& hooks)
      : ranker_(ranker), data_(data), options_(options), hooks_(hooks) {
    if (options.average > 0) average_.emplace(ranker.options(), ranker.parameters().clone());
  }

  TrainResult run(const attn::train::TrainFiles& files) {
    TrainTask task;
    task.parameters = ranker_.parameters().named();
    if (average_) task.buffers = average_->parameters().named();
    task.items = data_.train.lists();
    task.step = [this](const Step& step) { return this->step(step); };
    if (data_.validation != nullptr) {
      task.validation_columns = {"validation_" + to_string(options_.select)};
      task.validate = [this] { return validate(); };
    }
    task.item_name = [](int64_t item) { return "training list " + std::to_string(item + 1); };
    task.fingerprint = fingerprint();
    TrainResult result = attn::train::train(task, options_.optimisation, files, hooks_);
    if (!average_) {
      ranker_.parameters().assign(result.best);
      return result;
    }
    average_->parameters().assign(result.best_buffers);
    if (data_.validation == nullptr) {  // the last step is not in it
      ranker_.parameters().assign(result.best);
      take_average(steps_per_epoch() * std::ssize(result.history));
    }
    ranker_.parameters().assign(tensors_of(average_->parameters().named()));
    return result;
  }

 private:
  int64_t steps_per_epoch() const {
    const int64_t batch = options_.optimisation.batch;
    return (data_.train.lists() + batch - 1) / batch;
  }

  /// The parameters after `steps` steps into the average. It forgets faster at first, so that the
  /// parameters of the start leave no trace.
  void take_average(int64_t steps) const {
    const c10::NoGradGuard no_grad;
    const double keep =
        std::min(options_.average, static_cast<double>(steps) / static_cast<double>(steps + 10));
    const NamedTensors& now = ranker_.parameters().named();
    const NamedTensors& mean = average_->parameters().named();
    for (size_t i = 0; i < now.size(); ++i) mean[i].second.lerp_(now[i].second, 1 - keep);
  }

  double step(const Step& step) {
    const at::AutoGradMode with_grad(true);
    attn::probe_step(step.epoch + 1);
    const attn::ProbeLayer name("training");
    // What the step before left; at the end of an epoch validation has taken it.
    if (average_ && (data_.validation == nullptr || step.iteration % steps_per_epoch() != 0))
      take_average(step.iteration);
    steps_ = step.iteration + 1;
    const RankSet& set = data_.train;
    const RankBatch batch = gather(set, step.items);
    const at::Tensor scores = ranker_.forward(batch, {true, step.seed});
    const std::vector<double> s = as_doubles(scores);
    std::vector<double> gradient(s.size());
    const double loss =
        batch_loss(options_.loss, offsets_of(batch), s, gathered(set.label, set, step.items),
                   gathered(set.profit, set, step.items), gradient);
    const at::Tensor g =
        at::from_blob(gradient.data(), {static_cast<int64_t>(gradient.size())}, at::kDouble)
            .to(scores.scalar_type());
    scores.backward(g);
    return loss;
  }

  Validation validate() {
    if (average_) take_average(steps_);
    const attn::ProbeLayer name("validation");
    const std::vector<double> scores =
        scores_of(average_ ? *average_ : ranker_, *data_.validation, {});
    if (!std::ranges::all_of(scores, [](double s) { return std::isfinite(s); }))
      throw attn::Error(
          "the training diverged: scores of validation lists are no finite numbers any more; lower "
          "--lr");
    const double score = selection_score(options_.select, options_.loss, *data_.validation, scores);
    return {score, {options_.select.kind == SelectBy::Kind::loss ? -score : score}};
  }

  std::string fingerprint() const {
    const nlohmann::json all = {{"ranker", nlohmann::json(ranker_.options())},
                                {"fit", nlohmann::json(options_)},
                                {"data", data_.digest}};
    return attn::io::digest(all.dump());
  }

  const Ranker& ranker_;
  const RankFitData& data_;
  const RankFitOptions& options_;
  const attn::Hooks& hooks_;
  std::optional<Ranker> average_;
  int64_t steps_ = 0;  ///< done, as the last step of this process saw them
};

}  // namespace

void check(const RankFitData& data, const RankFitOptions& o) {
  check(o);
  require_columns(o.loss, o.select, data.train, false);
  if (data.validation == nullptr) return;
  require_columns(o.loss, o.select, *data.validation, true);
  const std::vector<double> any(static_cast<size_t>(data.validation->rows()), 0);
  if (!std::isfinite(selection_score(o.select, o.loss, *data.validation, any)))
    throw attn::Error("the validation lists do not define " + to_string(o.select) +
                      (o.select.kind == SelectBy::Kind::auc
                           ? " (their labels are all positive or all 0)"
                           : " (no list has a positive label)") +
                      "; choose another --select or other lists");
}

RankSet subset(const RankSet& set, std::span<const int64_t> which) {
  const RankBatch batch = gather(set, which);
  const auto offsets = offsets_of(batch);
  return {batch.features,
          batch.codes,
          {offsets.begin(), offsets.end()},
          gathered(set.label, set, which),
          gathered(set.profit, set, which)};
}

RankBatch gather(const RankSet& set, std::span<const int64_t> which) {
  std::vector<int64_t> rows, offsets{0};
  for (const int64_t l : which) {
    for (int64_t r = set.offsets[static_cast<size_t>(l)];
         r < set.offsets[static_cast<size_t>(l) + 1]; ++r)
      rows.push_back(r);
    offsets.push_back(std::ssize(rows));
  }
  const at::Tensor index = at::tensor(rows, at::kLong);
  return {set.features.index_select(0, index), set.codes.index_select(0, index),
          at::tensor(offsets, at::kLong)};
}

std::vector<double> scores_of(const Ranker& ranker, const RankSet& set, const attn::Hooks& hooks,
                              int64_t batch_rows) {
  const c10::NoGradGuard no_grad;
  std::vector<double> out;
  out.reserve(static_cast<size_t>(set.rows()));
  for (int64_t l = 0; l < set.lists();) {
    hooks.check();
    const int64_t first = set.offsets[static_cast<size_t>(l)];
    std::vector<int64_t> offsets{0};
    do offsets.push_back(set.offsets[static_cast<size_t>(++l)] - first);
    while (l < set.lists() && offsets.back() < batch_rows);
    const int64_t rows = offsets.back();
    const at::Tensor scores =
        ranker.forward({set.features.narrow(0, first, rows), set.codes.narrow(0, first, rows),
                        at::tensor(offsets, at::kLong)});
    const std::vector<double> s = as_doubles(scores);
    out.insert(out.end(), s.begin(), s.end());
  }
  return out;
}

/// Of labels beyond what grades are, 2^y - 1 would see the greatest alone, or no number.
Gain selection_gain(const std::vector<double>& label) {
  const bool grades = std::ranges::all_of(label, [](double y) { return y <= 31; });
  return grades ? Gain::exponential : Gain::linear;
}

double selection_score(const SelectBy& select, const LossOptions& loss, const RankSet& set,
                       std::span<const double> scores) {
  const auto part = [](const auto& values, size_t first, size_t last) {
    return std::span<const double>(values).subspan(first, last - first);
  };
  switch (select.kind) {
    case SelectBy::Kind::profit:
      return mean_over_lists(set, [&](size_t first, size_t last) {
        return profit_at(part(scores, first, last), part(set.profit, first, last), select.k);
      });
    case SelectBy::Kind::ndcg: {
      const Gain gain = selection_gain(set.label);
      return mean_over_lists(set, [&](size_t first, size_t last) {
        return ndcg(part(scores, first, last), part(set.label, first, last), select.k,
                    {gain, EmptyList::skip});
      });
    }
    case SelectBy::Kind::auc: {
      std::vector<int64_t> positive;
      for (const double y : set.label) positive.push_back(y > 0 ? 1 : 0);
      return attn::train::roc_auc(scores, positive);
    }
    case SelectBy::Kind::loss:
      break;
  }
  std::vector<double> gradient(scores.size());
  return -batch_loss(loss, set.offsets, scores, set.label, set.profit, gradient);
}

TrainResult fit_ranker(const Ranker& ranker, const RankFitData& data, const RankFitOptions& options,
                       const attn::train::TrainFiles& files, const attn::Hooks& hooks) {
  check(data, options);
  return Fit(ranker, data, options, hooks).run(files);
}

}  // namespace finance
