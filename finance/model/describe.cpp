#include "finance/model/describe.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/run_json.h"

namespace finance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Sums over a file that passes through.
struct Facts {
  int64_t lists = 0, rows = 0, positives = 0, gains = 0, losses = 0;
  int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0;
  int64_t missing = 0;
  double profit = 0;

  void add(const RankLists& part) {
    lists += part.lists(), rows += part.rows();
    for (int64_t l = 0; l < part.lists(); ++l) {
      const auto at = static_cast<size_t>(l);
      shortest = std::min(shortest, part.offsets[at + 1] - part.offsets[at]);
      longest = std::max(longest, part.offsets[at + 1] - part.offsets[at]);
    }
    missing +=
        std::count_if(part.features.begin(), part.features.end(), [](float x) { return x != x; });
    for (const double y : part.label) positives += y > 0 ? 1 : 0;
    for (const double p : part.profit) profit += p, gains += p > 0 ? 1 : 0, losses += p < 0 ? 1 : 0;
  }
};

json lists_facts(const fs::path& path, const ListOptions& options, const attn::Hooks& hooks) {
  constexpr int64_t kPart = 65536;
  ListReader reader(path, options);
  Facts f;
  json out = {{"kind", "lists"}};
  while (const auto part = reader.next(kPart)) {
    hooks.check();
    if (f.lists == 0) {
      out["features"] = part->feature_names;
      out["categories"] = json::array();
      for (const CategoryColumn& c : part->categories) out["categories"].push_back(c.name);
      out["unused"] = part->unused;
    }
    f.add(*part);
    if (!part->label.empty()) out["positives"] = f.positives;
    if (!part->profit.empty())
      out["profit"] = {{"sum", f.profit}, {"gains", f.gains}, {"losses", f.losses}};
  }
  out["lists"] = f.lists, out["rows"] = f.rows;
  out["shortest"] = f.lists == 0 ? 0 : f.shortest, out["longest"] = f.longest;
  out["missing_values"] = f.missing;
  return out;
}

json run_facts(const fs::path& run) {
  json out = {{"kind", "run directory"}};
  const bool told = fs::exists(run / "run.json");
  if (told) out["run"] = attn::io::read_run_json(run);
  if (!told || fs::exists(run / kModelFile)) out["model"] = describe(load_rank_model(run));
  return out;
}

}  // namespace

json describe(const TrainedRanker& model) {
  const Ranker& first = model.members.front();
  return {{"kind", "model"},
          {"network", json(first.options())},
          {"members", model.members.size()},
          {"parameters", first.parameters().count()},
          {"features", model.features.features()},
          {"categories", model.features.categorical()},
          {"with", model.with},
          {"list", model.columns.list},
          {"label", model.columns.label},
          {"profit", model.columns.profit},
          {"fit", json(model.fit)},
          {"training", model.training},
          {"metrics", model.metrics}};
}

json describe(const fs::path& path, const ListOptions& options, const attn::Hooks& hooks) {
  if (fs::is_directory(path)) return run_facts(path);
  if (path != "-") {
    if (!fs::exists(path))
      throw attn::Error(path.string() +
                        ": there is no such file; name a table of lists, a model file or a run "
                        "directory");
    if (attn::io::file_kind_of(path) == attn::io::FileKind::safetensors)
      return describe(load_rank_model(path));
  }
  return lists_facts(path, options, hooks);
}

}  // namespace finance
