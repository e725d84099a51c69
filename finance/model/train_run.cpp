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

/// A member, the epoch, from 1, that was kept, and the lists that it held out, with its scores of
/// them.
struct Member {
  Ranker ranker;
  int64_t epoch = 0;
  std::vector<int64_t> held = {};
  std::vector<double> scores = {};
};

/// What member `number` holds out: of the lists, in an order drawn by the run's seed and closed to
/// a ring, those behind what the member before held out; one at least, and not all.
std::vector<int64_t> held_out(int64_t lists, double share, int64_t number, uint64_t seed) {
  const int64_t most = std::max<int64_t>(lists - 1, 1);
  const int64_t count =
      std::clamp<int64_t>(std::llround(share * static_cast<double>(lists)), 1, most);
  const auto order = attn::train::permutation(lists, attn::train::derive_seed(seed, "hold out", 0));
  std::vector<int64_t> held;
  for (int64_t i = 0; i < count; ++i)
    held.push_back(order[static_cast<size_t>((number * count + i) % lists)]);
  std::sort(held.begin(), held.end());
  return held;
}

/// All others, ascending.
std::vector<int64_t> others(int64_t lists, const std::vector<int64_t>& held) {
  std::vector<int64_t> out;
  for (int64_t l = 0; l < lists; ++l)
    if (!std::binary_search(held.begin(), held.end(), l)) out.push_back(l);
  return out;
}

Member trained_member(const RankFitData& all, const TrainRunOptions& o, int64_t number,
                      const fs::path& run, const attn::Hooks& hooks) {
  Member member{Ranker(o.network, uint64_t{0})};
  RankFitOptions fit = o.fit;
  if (number > 0)
    fit.optimisation.seed =
        attn::train::derive_seed(o.fit.optimisation.seed, "member", static_cast<uint64_t>(number));
  member.ranker = Ranker(o.network, attn::train::derive_seed(fit.optimisation.seed, "network", 0));
  const bool holds_out = all.validation == nullptr && o.hold_out > 0;
  RankSet train, validation;
  if (holds_out) {
    member.held = held_out(all.train.lists(), o.hold_out, number, o.fit.optimisation.seed);
    train = subset(all.train, others(all.train.lists(), member.held));
    validation = subset(all.train, member.held);
  }
  const RankFitData data{holds_out ? train : all.train, holds_out ? &validation : all.validation,
                         all.digest};
  if (o.pretrain > 0) pretrain(member.ranker, data, o, fit, number, run, hooks);
  const auto result = fit_ranker(member.ranker, data, fit,
                                 files_for(o, run, member_file("metrics", number, ".csv"),
                                           member_file("checkpoint", number, ".safetensors")),
                                 hooks);
  member.epoch = result.best_epoch + 1;
  const attn::ProbePause repeated;
  if (holds_out) member.scores = scores_of(member.ranker, validation, hooks);
  return member;
}

/// Lists that choose thresholds, and their scores.
struct Judged {
  RankLists lists;
  std::vector<double> scores;
};

/// The lists that members held out, with the mean of what those said that did.
Judged judged_by_members(const RankLists& train, const std::vector<Member>& members) {
  std::vector<double> sum(static_cast<size_t>(train.rows()), 0);
  std::vector<int64_t> count(static_cast<size_t>(train.lists()), 0);
  for (const Member& member : members) {
    size_t at = 0;
    for (const int64_t l : member.held) {
      ++count[static_cast<size_t>(l)];
      for (int64_t r = train.offsets[static_cast<size_t>(l)];
           r < train.offsets[static_cast<size_t>(l) + 1]; ++r)
        sum[static_cast<size_t>(r)] += member.scores[at++];
    }
  }
  Judged out;
  std::vector<int64_t> which;
  for (int64_t l = 0; l < train.lists(); ++l) {
    const auto times = static_cast<double>(count[static_cast<size_t>(l)]);
    if (times == 0) continue;
    which.push_back(l);
    for (int64_t r = train.offsets[static_cast<size_t>(l)];
         r < train.offsets[static_cast<size_t>(l) + 1]; ++r)
      out.scores.push_back(sum[static_cast<size_t>(r)] / times);
  }
  out.lists = selected(train, which);
  out.lists.name = train.name + ", held out";
  return out;
}

Thresholds thresholds_of(const RankLists& train, const Judged* judged) {
  Thresholds t;
  if (!train.label.empty()) {
    const auto positive =
        std::count_if(train.label.begin(), train.label.end(), [](double y) { return y > 0; });
    t.prior = static_cast<double>(positive) / static_cast<double>(train.rows());
  }
  if (judged == nullptr) return t;
  const RankLists& lists = judged->lists;
  if (!lists.label.empty()) t.macro_f1 = tuned_threshold(judged->scores, lists.label);
  if (!lists.profit.empty()) t.money = money_threshold(judged->scores, lists.profit, {});
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

/// What every member holds out must do for its selection.
void check_held_out(const RankSet& train, const TrainRunOptions& o) {
  if (train.lists() < 2)
    throw attn::Error(
        "the training part of the split would hold no list: there is 1 list in all; add lists or "
        "ask for other shares");
  for (int64_t i = 0; i < o.members; ++i) {
    const auto held = held_out(train.lists(), o.hold_out, i, o.fit.optimisation.seed);
    const RankSet rest = subset(train, others(train.lists(), held)), out = subset(train, held);
    check(RankFitData{rest, &out, ""}, o.fit);
  }
}

/// Throws as check_run.
EncodedRun encoded_run(const TrainRunData& data, const TrainRunOptions& o) {
  if (o.members < 1) throw attn::UsageError("members must be at least 1");
  if (data.train.lists() == 0) throw attn::Error(data.train.name + ": holds no list to train on");
  check_pretraining(data, o);
  EncodedRun out{fit_features(data.train, o.bins), o.network, {}, {}};
  out.network.features = out.features.width();
  out.network.categories = out.features.codes();
  check(out.network);
  out.train = encode(out.features, data.train);
  if (data.validation != nullptr) out.validation = encode(out.features, *data.validation);
  check(RankFitData{out.train, out.validation_set(), ""}, o.fit);
  if (data.validation == nullptr && o.hold_out > 0) check_held_out(out.train, o);
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
  if (model == RankModel::cross || model == RankModel::mlp) o.bins = 8;
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
      {"hold_out", o.hold_out},
      {"bins", o.bins},
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
  std::optional<Judged> judged;
  if (data.validation != nullptr) {
    const attn::ProbePause repeated;
    judged = Judged{*data.validation, model_scores(model, *data.validation, hooks)};
  } else if (o.hold_out > 0) {
    judged = judged_by_members(data.train, members);
  }
  model.thresholds = thresholds_of(data.train, judged ? &*judged : nullptr);
  if (judged)
    model.metrics["validation"] =
        validation_metrics(judged->lists, judged->scores, model.thresholds.macro_f1);
  model.training = {
      {"digest", digest},
      {"best_epoch", members.front().epoch},
      {"train",
       {{"name", data.train.name}, {"lists", data.train.lists()}, {"rows", data.train.rows()}}}};
  if (judged)
    model.training["validation"] = {{"name", judged->lists.name},
                                    {"lists", judged->lists.lists()},
                                    {"rows", judged->lists.rows()}};
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
