#include "pathology/chain/heatmap_files.h"

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "pathology/geojson/geojson.h"
#include "pathology/heatmap/localisation.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

nlohmann::json config_of(const HeatmapJob& job, const Slide& slide) {
  nlohmann::json config = features_config_of(slide, job.pipeline);
  config["model"] = job.model.digest;
  const HeatmapOptions& h = job.heatmap;
  config["picture"] = {{"max_side", h.max_side}, {"alpha", h.alpha},   {"color_map", h.color_map},
                       {"blur", h.blur},         {"legend", h.legend}, {"top", job.top.count}};
  if (job.truth) config["truth"] = attn::io::file_digest(truth_file(*job.truth, slide.id()));
  return config;
}

}  // namespace

fs::path truth_place(const fs::path& truth, const std::string& slide) {
  return fs::is_directory(truth) ? truth / (slide + ".geojson") : truth;
}

fs::path truth_file(const fs::path& truth, const std::string& slide) {
  fs::path file = truth_place(truth, slide);
  if (!fs::exists(file))
    throw attn::Error(file.string() + ": no such file; --truth is to outline the foci of " + slide);
  return file;
}

bool heatmap_current(const HeatmapJob& job, const Slide& slide, const AttentionFiles& files,
                     const nlohmann::json& facts) {
  return fs::exists(files.overlay) && fs::exists(files.top_tiles) && fs::exists(files.geojson) &&
         facts.at("attn_config") == config_of(job, slide) &&
         facts.at("unreadable").get<double>() <= job.pipeline.max_unreadable;
}

nlohmann::json make_heatmap(const HeatmapJob& job, Slide slide, const AttentionFiles& files,
                            int threads, const attn::Hooks& hooks) {
  const nlohmann::json config = config_of(job, slide);
  const Features features = kept_features(slide, job.pipeline, job.store, threads, hooks);
  const SlideAttention attention =
      slide_attention(job.model.model, features, slide.path().string());
  write_attention(slide, attention, job.heatmap, job.top, files, hooks);
  Bag bag;
  bag.unreadable = attention.unreadable;
  nlohmann::json facts = describe_prediction(bag, attention.prediction, job.model.model.classes);
  facts.erase("bag");
  facts["slide"] = slide.id();
  facts["tiles"] = facts["instances"];
  facts.erase("instances");
  facts["attn_config"] = config;
  if (job.truth)
    facts["localisation"] =
        localise(attention.tiles, truth_file(*job.truth, slide.id()), job.model.model.classes);
  return facts;
}

nlohmann::json localise(const TileScores& tiles, const fs::path& file,
                        const std::vector<std::string>& classes) {
  const std::vector<Outline> outlines = read_geojson(file);
  const LocalisationOptions options;
  auto all = nlohmann::json::object();
  for (const std::string& name : classes) {
    if (std::none_of(outlines.begin(), outlines.end(),
                     [&](const Outline& outline) { return outline.classification == name; }))
      continue;
    const Localisation found = localisation(tiles, outlines, name, options);
    all[name] = {{"auc", found.auc},
                 {"top_k", std::min<int64_t>(options.top_k, found.tiles)},
                 {"top_k_precision", found.top_k_precision},
                 {"attention_on_foci", found.attention_on_foci},
                 {"focus_recall", found.focus_recall},
                 {"tiles", found.tiles},
                 {"positive_tiles", found.positive_tiles}};
  }
  return nlohmann::json::parse(all.dump());  // NaN becomes null, as in a file read back
}

}  // namespace pathology
