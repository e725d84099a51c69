#include "apps/attn-mil/localise.h"

#include <fmt/format.h>

#include "apps/attn-mil/model_args.h"

namespace attn::app {
namespace fs = std::filesystem;

void declare_truth(std::optional<fs::path>& truth, OptionTable& table) {
  table.add({.name = "truth",
             .target = &truth,
             .help = "compare attention with outlined foci: GeoJSON whose classes are the model's, "
                     "or a folder of ID.geojson",
             .unit = "PATH"});
}

std::string localisation_sentence(const nlohmann::json& facts) {
  std::string text;
  if (!facts.contains("localisation")) return text;
  for (const auto& [name, found] : facts["localisation"].items())
    text += fmt::format(
        " Attention finds the outlined foci of class {} with AUC {}; of its {} best tiles, a share "
        "of {} lies on foci.",
        name, metric_text(found.at("auc")), found.at("top_k").get<int64_t>(),
        metric_text(found.at("top_k_precision")));
  return text;
}

std::vector<std::vector<std::string>> localisation_rows(const std::vector<nlohmann::json>& facts) {
  std::vector<std::vector<std::string>> rows{{"slide", "class", "tiles", "on foci", "AUC", "top k",
                                              "precision of top k", "attention on foci"}};
  for (const auto& one : facts) {
    if (!one.contains("localisation")) continue;
    const auto slide = one.at("slide").get<std::string>();
    if (one["localisation"].empty()) rows.push_back({slide, "-", "-", "-", "-", "-", "-", "-"});
    for (const auto& [name, found] : one["localisation"].items())
      rows.push_back({slide, name, found.at("tiles").dump(), found.at("positive_tiles").dump(),
                      metric_text(found.at("auc")), found.at("top_k").dump(),
                      metric_text(found.at("top_k_precision")),
                      metric_text(found.at("attention_on_foci"))});
  }
  return rows;
}

}  // namespace attn::app
