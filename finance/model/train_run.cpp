#include "finance/model/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "attn/probe.h"
#include "finance/score/decisions.h"
#include "libattn/io/digest.h"
#include "libattn/train/seed.h"

namespace finance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string member_file(const char* stem, int64_t member, const char* extension) {
  return member == 0 ? fmt::format("{}{}", stem, extension)
                     : fmt::format("{}.{}{}", stem, member + 1, extension);
}

template <class T>
void update(attn::io::Digest& digest, const std::vector<T>& values) {
  const size_t count = values.size();
  digest.update(&count, sizeof count);
  digest.update(values.data(), values.size() * sizeof(T));
}

std::string lists_digest(const RankLists& lists) {
  attn::io::Digest digest;
  update(digest, lists.offsets);
  update(digest, lists.features);
  update(digest, lists.label);
  update(digest, lists.profit);
  for (const std::string& name : lists.feature_names) digest.update(name + "\n");
  for (const CategoryColumn& c : lists.categories) {
    digest.update(c.name + "\n");
    for (const std::string& value : c.values) digest.update(value + "\n");
  }
  return digest.hex();
}

attn::train::TrainFiles files_for(const TrainRunOptions& o, const fs::path& run,
                                  const std::string& csv, const std::string& checkpoint) {
  if (run.empty()) return {};
  return {run / csv, run / checkpoint, o.checkpoint_seconds, o.resume};
}

/// Stage 1 alone: tokens and attention among features, by BCE on the label.
void pretrain(const Ranker& ranker, const RankFitData& data, const TrainRunOptions& o,
              const RankFitOptions& fit, int64_t member, const fs::path& run,
              const attn::Hooks& hooks) {
  RankerOptions network = ranker.options();
  network.model = RankModel::self;
  RankFitOptions stage = fit;
  stage.loss.kind = LossKind::bce;
  stage.select.kind = SelectBy::Kind::loss;
  stage.optimisation.epochs = o.pretrain;
  stage.average = 0;
  const Ranker self(network, attn::train::derive_seed(fit.optimisation.seed, "stage 1", 0));
  fit_ranker(self, data, stage,
             files_for(o, run, member_file("pretrain-metrics", member, ".csv"),
                       member_file("pretrain-checkpoint", member, ".safetensors")),
             hooks);
  ranker.take_self_stage(self);
}

/// A member and the epoch, from 1, that was kept.
struct Member {
  Ranker ranker;
  int64_t epoch = 0;
};

Member trained_member(const RankFitData& data, const TrainRunOptions& o, int64_t member,
                      const fs::path& run, const attn::Hooks& hooks) {
  RankFitOptions fit = o.fit;
  if (member > 0)
    fit.optimisation.seed =
        attn::train::derive_seed(o.fit.optimisation.seed, "member", static_cast<uint64_t>(member));
  const Ranker ranker(o.network, attn::train::derive_seed(fit.optimisation.seed, "network", 0));
  if (o.pretrain > 0) pretrain(ranker, data, o, fit, member, run, hooks);
  const auto result = fit_ranker(ranker, data, fit,
                                 files_for(o, run, member_file("metrics", member, ".csv"),
                                           member_file("checkpoint", member, ".safetensors")),
                                 hooks);
  return {ranker, result.best_epoch + 1};
}

Thresholds thresholds_of(const RankLists& train, const RankLists* validation,
                         const std::vector<double>& scores) {
  Thresholds t;
  if (!train.label.empty()) {
    const auto positive =
        std::count_if(train.label.begin(), train.label.end(), [](double y) { return y > 0; });
    t.prior = static_cast<double>(positive) / static_cast<double>(train.rows());
  }
  if (validation == nullptr || scores.empty()) return t;
  if (!validation->label.empty()) t.macro_f1 = tuned_threshold(scores, validation->label);
  if (!validation->profit.empty()) t.money = money_threshold(scores, validation->profit, {});
  return t;
}

json validation_metrics(const RankLists& lists, const std::vector<double>& scores,
                        std::optional<double> threshold) {
  MetricsOptions options;
  options.resamples = 0;
  options.threshold = threshold.value_or(0);  // of metrics that need labels, as the threshold does
  json out = json::object();
  for (const Metric& m : rank_metrics({lists.offsets, scores, lists.label, lists.profit}, options))
    out[m.name] = std::isfinite(m.value) ? json(m.value) : json(nullptr);
  return out;
}

/// What train_run trains on.
struct EncodedRun {
  FeatureMap features;
  RankerOptions network;
  RankSet train;
  std::optional<RankSet> validation;

  const RankSet* validation_set() const { return validation ? &*validation : nullptr; }
};

void check_pretraining(const TrainRunData& data, const TrainRunOptions& o) {
  if (o.pretrain < 0) throw attn::UsageError("the epochs of --pretrain must not be negative");
  if (o.pretrain == 0) return;
  if (!looks_at_features(o.network.model))
    throw attn::UsageError(
        "--pretrain is for models with attention among features (self-cross, self), not for " +
        to_string(o.network.model));
  if (data.train.label.empty() || (data.validation != nullptr && data.validation->label.empty()))
    throw attn::UsageError("--pretrain needs labels; name their column with --label");
}

/// Throws as check_run.
EncodedRun encoded_run(const TrainRunData& data, const TrainRunOptions& o) {
  if (o.members < 1) throw attn::UsageError("members must be at least 1");
  if (data.train.lists() == 0) throw attn::Error(data.train.name + ": holds no list to train on");
  check_pretraining(data, o);
  EncodedRun out{fit_features(data.train), o.network, {}, {}};
  out.network.features = out.features.width();
  out.network.categories = out.features.codes();
  check(out.network);
  out.train = encode(out.features, data.train);
  if (data.validation != nullptr) out.validation = encode(out.features, *data.validation);
  check(RankFitData{out.train, out.validation_set(), ""}, o.fit);
  return out;
}

}  // namespace

TrainRunOptions default_run(RankModel model, LossKind loss) {
  TrainRunOptions o;
  o.network.model = model;
  o.fit.loss.kind = loss;
  if (!needs_profit(loss)) o.fit.select = {SelectBy::Kind::ndcg, 10};
  auto& t = o.fit.optimisation;
  t.epochs = 30, t.batch = 32, t.lr = 1e-3, t.weight_decay = 1e-2, t.clip_norm = 1;
  t.schedule = attn::train::LrSchedule::cosine, t.warm_up = 0.05;
  o.fit.average = 0.98;
  if (model == RankModel::linear) t.lr = 1e-2;
  return o;
}

std::string run_digest(const TrainRunData& data, const TrainRunOptions& o) {
  RankerOptions network = o.network;
  network.features = 0, network.categories.clear();  // those of the data
  const json all = {
      {"network", json(network)},
      {"fit", json(o.fit)},
      {"members", o.members},
      {"pretrain", o.pretrain},
      {"train", lists_digest(data.train)},
      {"validation", data.validation == nullptr ? "none" : lists_digest(*data.validation)}};
  return attn::io::digest(all.dump());
}

void check_run(const TrainRunData& data, const TrainRunOptions& options) {
  encoded_run(data, options);
}

TrainedRanker train_run(const TrainRunData& data, const TrainRunOptions& given, const fs::path& run,
                        const attn::Hooks& hooks) {
  const EncodedRun encoded = encoded_run(data, given);
  const std::string warning =
      truncation_warning(given.fit.loss, data.train.offsets, data.train.profit);
  if (!warning.empty()) hooks.warning(warning);
  TrainedRanker model;
  model.features = encoded.features;
  TrainRunOptions o = given;
  o.network = encoded.network;
  const std::string digest = run_digest(data, o);
  const RankFitData fit_data{encoded.train, encoded.validation_set(), digest};
  std::vector<Member> members;
  for (int64_t i = 0; i < o.members; ++i)
    members.push_back(trained_member(fit_data, o, i, run, hooks));
  for (const Member& member : members) model.members.push_back(member.ranker);
  model.fit = o.fit, model.columns = data.columns, model.with = data.with;
  std::vector<double> scores;
  if (data.validation != nullptr) {
    const attn::ProbePause repeated;
    scores = model_scores(model, *data.validation, hooks);
  }
  model.thresholds = thresholds_of(data.train, data.validation, scores);
  if (data.validation != nullptr)
    model.metrics["validation"] =
        validation_metrics(*data.validation, scores, model.thresholds.macro_f1);
  model.training = {
      {"digest", digest},
      {"best_epoch", members.front().epoch},
      {"train",
       {{"name", data.train.name}, {"lists", data.train.lists()}, {"rows", data.train.rows()}}}};
  if (data.validation != nullptr)
    model.training["validation"] = {{"name", data.validation->name},
                                    {"lists", data.validation->lists()},
                                    {"rows", data.validation->rows()}};
  if (run.empty()) return model;
  save_rank_model(run / kModelFile, model);
  for (int64_t i = 0; i < o.members; ++i)
    for (const char* stem : {"checkpoint", "pretrain-checkpoint"}) {
      std::error_code ignored;
      fs::remove(run / member_file(stem, i, ".safetensors"), ignored);
    }
  return model;
}

std::vector<fs::path> files_of_training(const fs::path& run, int64_t members) {
  std::vector<fs::path> out{run / kModelFile};
  for (int64_t i = 0; i < members; ++i) {
    for (const char* stem : {"metrics", "pretrain-metrics"})
      out.push_back(run / member_file(stem, i, ".csv"));
    for (const char* stem : {"checkpoint", "pretrain-checkpoint"})
      out.push_back(run / member_file(stem, i, ".safetensors"));
  }
  return out;
}

}  // namespace finance
