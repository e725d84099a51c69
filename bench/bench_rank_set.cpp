#include "bench/bench_rank_set.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "libattn/random/rng.h"
#include "libattn/train/seed.h"
#include "libattn/train/tensor_file.h"

namespace attn::bench {

using finance::Ranker;
using finance::RankSet;

RankSet drawn_set(int64_t lists, int64_t least, int64_t most) {
  RankSet set;
  random::Rng draws = random::Rng::keyed({1});
  for (int64_t l = 0; l < lists; ++l)
    set.offsets.push_back(set.offsets.back() + least +
                          draws.below(static_cast<int>(most - least + 1)));
  set.features =
      at::randn({set.rows(), kFeatures}, train::make_generator(2), at::TensorOptions(at::kFloat));
  set.codes = at::zeros({set.rows(), 0}, at::kLong);
  const auto* first = set.features.const_data_ptr<float>();
  for (int64_t r = 0; r < set.rows(); ++r) {
    const double skill = draws.normal() + 0.5 * first[r * kFeatures];
    set.profit.push_back(100 * skill * std::exp(draws.normal()));
    set.label.push_back(set.profit.back() + 50 * draws.normal() > 100 ? 1 : 0);
  }
  return set;
}

RankSet first_lists(const RankSet& set, int64_t count) {
  RankSet out;
  out.offsets.assign(set.offsets.begin(), set.offsets.begin() + count + 1);
  out.features = set.features.narrow(0, 0, out.rows());
  out.codes = set.codes.narrow(0, 0, out.rows());
  out.label.assign(set.label.begin(), set.label.begin() + out.rows());
  out.profit.assign(set.profit.begin(), set.profit.begin() + out.rows());
  return out;
}

Ranker ranker_of() {
  finance::RankerOptions o;
  o.features = kFeatures;
  return {o, 1};
}

finance::RankFitOptions rank_fit(finance::LossKind loss) {
  finance::RankFitOptions o;
  o.loss.kind = loss;
  o.optimisation.epochs = 1, o.optimisation.batch = 32;
  o.optimisation.lr = 1e-3, o.optimisation.weight_decay = 1e-2;
  o.optimisation.schedule = train::LrSchedule::constant;
  return o;
}

void train_epoch(const Ranker& ranker, const RankSet& set, finance::LossKind loss) {
  finance::fit_ranker(ranker, {set, nullptr, {}}, rank_fit(loss), {}, {});
}

namespace {

/// What the peer calls a parameter of ours.
std::string peer_name(std::string name) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    if (const size_t at = name.find(from); at != std::string::npos)
      name.replace(at, from.size(), to);
  };
  if (name == "head.w" || name == "head.b") return name + "2";
  replace("cross.", "blocks.");
  replace(".up", ".w1");
  replace(".down", ".w2");
  return name;
}

}  // namespace

void write_rank_peer(const Ranker& ranker, const RankSet& set, int64_t train_lists,
                     const std::filesystem::path& path) {
  train::NamedTensors tensors;
  const std::vector<double> scores = finance::scores_of(ranker, set, {});
  for (const auto& [name, tensor] : ranker.parameters().named())
    tensors.emplace_back(peer_name(name), tensor.detach());
  tensors.insert(tensors.end(), {{"features", set.features},
                                 {"offsets", at::tensor(set.offsets, at::kLong)},
                                 {"profit", at::tensor(set.profit, at::kDouble)},
                                 {"label", at::tensor(set.label, at::kDouble)},
                                 {"scores", at::tensor(scores, at::kFloat)}});
  for (const finance::LossKind kind : {finance::LossKind::pa_bce, finance::LossKind::bce})
    tensors.emplace_back("loss." + finance::to_string(kind),
                         at::tensor({finance::batch_loss({.kind = kind}, set.offsets, scores,
                                                         set.label, set.profit, {})},
                                    at::kDouble));
  const finance::RankerOptions& n = ranker.options();
  const finance::RankFitOptions fit = rank_fit(finance::LossKind::pa_bce);
  const nlohmann::json options = {{"network",
                                   {{"features", n.features},
                                    {"width", n.width},
                                    {"heads", n.heads},
                                    {"blocks", n.layers},
                                    {"hidden", n.hidden},
                                    {"dropout", n.dropout}}},
                                  {"train",
                                   {{"lr", fit.optimisation.lr},
                                    {"weight_decay", fit.optimisation.weight_decay},
                                    {"batch", fit.optimisation.batch},
                                    {"lists", train_lists}}}};
  train::write_tensors(path, tensors, {{"options", options.dump()}});
}

}  // namespace attn::bench
