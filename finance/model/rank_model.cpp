#include "finance/model/rank_model.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/train/model_file.h"

namespace finance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string member_prefix(size_t i) {
  return "member." + std::to_string(i) + ".";
}

json columns_json(const ListOptions& o) {
  return {{"list", o.list},        {"label", o.label},      {"profit", o.profit},
          {"time", o.time},        {"cost_fp", o.costs.fp}, {"cost_fn", o.costs.fn},
          {"cost_tp", o.costs.tp}, {"cost_tn", o.costs.tn}, {"keep", o.keep}};
}

ListOptions read_columns(const json& config, const std::string& where) {
  const auto text = [&](const char* key) {
    return attn::io::get_or<std::string>(config, std::string("columns.") + key, where, "");
  };
  ListOptions o;
  o.list = text("list"), o.label = text("label"), o.profit = text("profit"), o.time = text("time");
  o.costs = {text("cost_fp"), text("cost_fn"), text("cost_tp"), text("cost_tn")};
  o.keep = attn::io::get_or<std::vector<std::string>>(config, "columns.keep", where, {});
  return o;
}

json thresholds_json(const Thresholds& t) {
  json j = json::object();
  if (t.macro_f1) j["macro_f1"] = *t.macro_f1;
  if (t.money) j["money"] = *t.money;
  if (t.prior) j["prior"] = *t.prior;
  return j;
}

Thresholds read_thresholds(const json& config, const std::string& where) {
  const auto number = [&](const char* key) -> std::optional<double> {
    const json* found = attn::io::find(config, std::string("thresholds.") + key, where);
    if (found == nullptr || found->is_null()) return std::nullopt;
    return attn::io::get<double>(config, std::string("thresholds.") + key, where);
  };
  return {number("macro_f1"), number("money"), number("prior")};
}

}  // namespace

fs::path model_path(const fs::path& run_or_file) {
  return fs::is_directory(run_or_file) ? run_or_file / kModelFile : run_or_file;
}

ListOptions reading_options(const TrainedRanker& model, bool need) {
  ListOptions o = model.columns;
  o.features = model.features.features();
  std::erase_if(o.features, [&](const std::string& name) {
    return std::find(model.with.begin(), model.with.end(), name) != model.with.end();
  });
  o.categorical = model.features.categorical();
  o.need_label = o.need_profit = need;
  o.need_time = false, o.keep.clear();  // what judges asks for it anew
  return o;
}

std::vector<double> model_scores(const TrainedRanker& model, const RankLists& lists,
                                 const attn::Hooks& hooks) {
  const RankSet set = encode(model.features, lists);
  std::vector<double> sum(static_cast<size_t>(set.rows()), 0);
  for (const Ranker& member : model.members) {
    const std::vector<double> scores = scores_of(member, set, hooks);
    for (size_t r = 0; r < sum.size(); ++r) sum[r] += scores[r];
  }
  for (double& s : sum) s /= static_cast<double>(model.members.size());
  return sum;
}

void save_rank_model(const fs::path& path, const TrainedRanker& model) {
  const json config = {{"network", json(model.members.front().options())},
                       {"members", model.members.size()},
                       {"features", json(model.features)},
                       {"with", model.with},
                       {"fit", json(model.fit)},
                       {"columns", columns_json(model.columns)},
                       {"thresholds", thresholds_json(model.thresholds)},
                       {"training", model.training},
                       {"metrics", model.metrics},
                       {"intended_use",
                        "to rank the rows of lists of the same columns by the money at stake; "
                        "scores compare rows of one list, and of lists alike"}};
  attn::train::NamedTensors tensors;
  for (size_t i = 0; i < model.members.size(); ++i)
    for (const auto& [name, value] : model.members[i].parameters().named())
      tensors.emplace_back(member_prefix(i) + name, value);
  attn::train::save_model_file(path, kRankModelKind, kRankModelVersion, config, tensors);
}

namespace {

void check_features(const TrainedRanker& model, const std::string& where) {
  const auto refuse = [&](const std::string& name) {
    throw attn::Error(where + ": the scaling of " + name +
                      " makes no sense; the file is damaged, train the model again");
  };
  for (const NumberMap& n : model.features.numbers) {
    const bool rising =
        std::adjacent_find(n.edges.begin(), n.edges.end(), std::greater_equal<>()) == n.edges.end();
    if (!std::isfinite(n.mean) || !std::isfinite(n.sd) || n.sd < 0 || !rising) refuse(n.name);
  }
  for (const std::string& name : model.with)
    if (!name.starts_with("with.")) refuse(name);
  if (!model.training.is_object() || !model.metrics.is_object()) refuse("what it tells of itself");
}

}  // namespace

TrainedRanker load_rank_model(const fs::path& run_or_file) {
  const fs::path path = model_path(run_or_file);
  if (path != run_or_file && !fs::exists(path))
    throw attn::Error(run_or_file.string() + ": this folder holds no " + kModelFile +
                      "; name the run directory of a finished training, or a model file");
  const auto file = attn::train::load_model_file(path, kRankModelKind, kRankModelVersion);
  const std::string where = "the metadata of " + path.string();
  TrainedRanker model;
  from_json(attn::io::get<json>(file.config, "features", where), model.features);
  model.with = attn::io::get_or<std::vector<std::string>>(file.config, "with", where, {});
  from_json(attn::io::get<json>(file.config, "fit", where), model.fit);
  model.columns = read_columns(file.config, where);
  model.thresholds = read_thresholds(file.config, where);
  model.training = attn::io::get_or<json>(file.config, "training", where, json::object());
  model.metrics = attn::io::get_or<json>(file.config, "metrics", where, json::object());
  RankerOptions network;
  try {
    from_json(attn::io::get<json>(file.config, "network", where), network);
    check(network);
  } catch (const attn::UsageError& error) {  // of a file it is no usage
    throw attn::Error(where + ": " + error.what());
  }
  check_features(model, where);
  if (network.features != model.features.width() || network.categories != model.features.codes())
    throw attn::Error(path.string() +
                      ": its features are not those of its network; the file is damaged, train the "
                      "model again");
  const auto members = attn::io::get<int64_t>(file.config, "members", where);
  if (members < 1) throw attn::Error(path.string() + ": holds no network; train the model again");
  for (int64_t i = 0; i < members; ++i)
    model.members.emplace_back(network,
                               attn::train::Parameters(Ranker::specs(network), file, path,
                                                       member_prefix(static_cast<size_t>(i))));
  return model;
}

}  // namespace finance
