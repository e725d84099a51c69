#include "pathology/mil/mil_train.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/train/seed.h"
#include "libattn/train/threads.h"
#include "libattn/train/train_options.h"

namespace pathology {
namespace {

using attn::train::derive_seed;

/// A random floor(r N), at least 1, of the rows; all of them for r = 1.
at::Tensor subsample(const at::Tensor& x, double fraction, uint64_t seed) {
  if (fraction >= 1) return x;
  const auto keep =
      std::max<int64_t>(1, static_cast<int64_t>(fraction * static_cast<double>(x.size(0))));
  return x.index_select(
      0, at::tensor(attn::train::sample_without_replacement(x.size(0), keep, seed), at::kLong));
}

/// Whether a step is too little work to share among threads: below 8 million multiply-adds of the
/// first layer, a fraction of a millisecond.
bool is_small(const BagSet& set, const std::vector<int64_t>& items, const ModelConfig& model) {
  double instances = 0;
  for (const int64_t i : items)
    instances += static_cast<double>(set.bags[static_cast<size_t>(i)].instances);
  const double mean = instances / static_cast<double>(items.size());
  return mean * static_cast<double>(model.input * model.hidden) < 8e6;
}

Scaler identity_scaler(int64_t dim) {
  return {at::zeros({dim}, at::kDouble), at::ones({dim}, at::kDouble), 0};
}

/// Mean cross-entropy and normalised attention entropy of bags, as a validation result.
attn::train::Validation validate(const MilModel& model, const Scaler& scaler, const BagSet& set,
                                 const std::vector<int64_t>& items) {
  const attn::ProbeLayer name("validation");
  double loss = 0;
  std::vector<double> entropy;
  attn::train::Predictions predictions;
  predictions.classes = model.config().classes;
  for (const int64_t i : items) {
    const int64_t label = set.bags[static_cast<size_t>(i)].label;
    const at::Tensor x = set.features(i);
    const MilOutput out = model.forward(scaler.apply(x));
    std::vector<double> p = log_probabilities(out.logits);
    loss -= p[static_cast<size_t>(label)];
    for (double& v : p) v = std::exp(v);
    predictions.add(p, label);
    if (x.size(0) > 1) entropy.push_back(out.entropy / std::log(static_cast<double>(x.size(0))));
  }
  loss /= static_cast<double>(items.size());
  const auto metrics = attn::train::classification_metrics(predictions);
  return {-loss, {loss, metrics.auc, metrics.accuracy, attn::train::mean_sd(entropy).mean}};
}

}  // namespace

MilConfig for_bags(MilConfig config, const BagSet& set) {
  config.model.input = set.dim;
  config.model.classes = static_cast<int64_t>(set.classes.size());
  return config;
}

void check(const MilConfig& c) {
  if (!(c.subsampling > 0 && c.subsampling <= 1)) {
    throw attn::UsageError("subsampling must lie in (0, 1], found " +
                           attn::io::number_text(c.subsampling));
  }
  if (!(c.clip >= 0)) throw attn::UsageError("the clip must not be negative");
  if (!std::isfinite(c.aem.weight))
    throw attn::UsageError("the AEM weight must be a finite number");
  if (c.aem.weight != 0 && !has_attention(c.model.pooling))
    throw attn::UsageError("the AEM weight is " + attn::io::number_text(c.aem.weight) +
                           ", and the model " + to_string(c.model.pooling) +
                           " has no attention; set it to 0, or take abmil or abmil-plain");
  if (c.optimisation.min_epochs > c.optimisation.epochs)
    throw attn::UsageError("the smallest number of epochs, " +
                           std::to_string(c.optimisation.min_epochs) + ", is above their number, " +
                           std::to_string(c.optimisation.epochs));
}

void to_json(nlohmann::json& j, const MilConfig& c) {
  j = {{"model", nlohmann::json(c.model)},
       {"aem", {{"weight", c.aem.weight}, {"schedule", attn::nn::to_string(c.aem.schedule)}}},
       {"subsampling", c.subsampling},
       {"standardise", c.standardise},
       {"clip", c.clip},
       {"optimisation", nlohmann::json(c.optimisation)}};
}

void from_json(const nlohmann::json& j, MilConfig& c) {
  const char* where = "the training configuration";
  const auto number = [&](const char* key, double& value) {
    value = attn::io::get_or<double>(j, key, where, value);
  };
  c.model = attn::io::get<nlohmann::json>(j, "model", where).get<ModelConfig>();
  number("aem.weight", c.aem.weight);
  c.aem.schedule = attn::nn::parse_weight_schedule(
      attn::io::get_or<std::string>(j, "aem.schedule", where, "constant"));
  number("subsampling", c.subsampling);
  c.standardise = attn::io::get_or<bool>(j, "standardise", where, true);
  number("clip", c.clip);
  from_json(attn::io::get_or<nlohmann::json>(j, "optimisation", where, nlohmann::json::object()),
            c.optimisation);
}

double bag_bytes(const BagSet& set) {
  double bytes = 0;
  for (const Bag& bag : set.bags)
    if (bag.features.defined()) bytes += static_cast<double>(bag.features.nbytes());
  return bytes;
}

double step_bytes(const BagSet& set, const MilConfig& config) {
  double instances = 0;
  for (const Bag& bag : set.bags)
    instances = std::max(instances, static_cast<double>(bag.instances));
  // Standardised and read features; the embedding, its mask and gradients; the attention network's
  // two branches and their gradients.
  const double attention = has_attention(config.model.pooling) ? 6.0 : 0.0;
  const double columns = 2.0 * static_cast<double>(set.dim) +
                         4.0 * static_cast<double>(config.model.hidden) +
                         attention * static_cast<double>(config.model.attention);
  return instances * columns * sizeof(float);
}

double training_bytes(const BagSet& set, const MilConfig& config) {
  return bag_bytes(set) + step_bytes(set, config);
}

std::string fit_fingerprint(const BagSet& set, const Split& split, const MilConfig& given) {
  const MilConfig config = for_bags(given, set);
  const nlohmann::json all = {{"config", nlohmann::json(config)},
                              {"data", set.digest},
                              {"train", split.train},
                              {"validation", split.validation}};
  return attn::io::digest(all.dump());
}

FitResult fit(const BagSet& set, const Split& split, const MilConfig& given,
              const attn::train::TrainFiles& files, const attn::Hooks& hooks) {
  const at::NoGradGuard no_grad;
  check(given);
  require_two_classes(set, split.train);
  const MilConfig config = for_bags(given, set);
  const uint64_t seed = config.optimisation.seed;
  std::optional<attn::train::ThreadLimit> one;
  if (is_small(set, split.train, config.model)) one.emplace(1);

  const Scaler fitted =
      config.standardise ? fit_scaler(set, split.train, config.clip) : identity_scaler(set.dim);
  const Scaler scaler = fitted.to(at::kFloat);
  MilModel model(config.model, derive_seed(seed, "init"));

  attn::train::TrainTask task;
  task.parameters = model.parameters();
  task.items = static_cast<int64_t>(split.train.size());
  task.step_columns = {"cross_entropy", "entropy"};
  task.step = [&](const attn::train::Step& step) {
    attn::probe_step(step.epoch + 1);
    const attn::ProbeLayer name("training");
    const double scale = 1.0 / static_cast<double>(step.items.size());
    MilLoss sum;
    for (const int64_t item : step.items) {
      const int64_t b = split.train[static_cast<size_t>(item)];
      const auto own = static_cast<uint64_t>(item);
      const at::Tensor x = scaler.apply(
          subsample(set.features(b), config.subsampling, derive_seed(step.seed, "rows", own)));
      const MilLoss loss =
          model.loss_and_gradients(x, set.bags[static_cast<size_t>(b)].label, config.aem,
                                   step.progress, scale, derive_seed(step.seed, "dropout", own));
      sum.loss += scale * loss.loss;
      sum.cross_entropy += scale * loss.cross_entropy;
      sum.entropy += scale * loss.entropy;
    }
    step.columns[0] = sum.cross_entropy;
    step.columns[1] = sum.entropy;
    return sum.loss;
  };
  if (!split.validation.empty()) {
    task.validation_columns = {"validation_cross_entropy", "validation_auc", "validation_accuracy",
                               "validation_entropy_normalised"};
    task.validate = [&] { return validate(model, scaler, set, split.validation); };
  }
  task.item_name = [&](int64_t item) {
    return "bag " + attn::io::quote_text(
                        set.bags[static_cast<size_t>(split.train[static_cast<size_t>(item)])].id);
  };
  task.fingerprint = fit_fingerprint(set, split, config);

  attn::train::TrainResult training = attn::train::train(task, config.optimisation, files, hooks);
  for (size_t i = 0; i < task.parameters.size(); ++i)
    task.parameters[i].second.copy_(training.best[i]);
  return {{std::move(model), fitted}, std::move(training)};
}

}  // namespace pathology
