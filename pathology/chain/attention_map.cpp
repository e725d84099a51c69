#include "pathology/chain/attention_map.h"

#include <ATen/ATen.h>

#include "attn/error.h"
#include "pathology/mil/bag_h5.h"

namespace pathology {
namespace fs = std::filesystem;

BagSet single_bag(const Features& features) {
  Bag bag;
  bag.id = features.slide_id;
  bag.patient = features.slide_id;
  bag.instances = features.size();
  bag.coords = features.coords;
  bag.unreadable = features.unreadable_share();
  bag.features = at::tensor(features.values, at::kFloat).view({features.size(), features.dim});
  BagSet set;
  set.dim = features.dim;
  set.feature_names = features.names;
  if (!features.config.is_null()) set.preprocessing = shared_preprocessing(features.config);
  set.bags.push_back(std::move(bag));
  return set;
}

SlideAttention slide_attention(const MilModelFile& model, const Features& features,
                               const std::string& where) {
  if (features.size() == 0)
    throw attn::Error(where + ": no tiles" +
                      (features.reason.empty() ? "" : ": " + features.reason));
  if (features.coords.empty() || features.footprint <= 0)
    throw attn::Error(where +
                      ": the features say neither where their tiles lie nor how large they "
                      "are; a heat map needs both");
  const BagSet set = single_bag(features);
  check_compatible(model, where, set);
  const at::Tensor weights = bag_attention(model.fitted, set.bags[0].features).contiguous();  // (N)
  SlideAttention out;
  out.prediction = predict_bag(model.fitted, set, 0);
  out.tiles.coords = features.coords;
  out.tiles.footprint = features.footprint;
  const double* first = weights.const_data_ptr<double>();
  out.tiles.score.assign(first, first + weights.numel());
  out.unreadable = features.unreadable_share();
  // As CLAM: where tiles overlap by intention, ranks are among a grid of those that do not.
  using Pointer = nlohmann::json::json_pointer;
  const bool overlap = features.config.is_object() &&
                       features.config.value(Pointer("/tiles/geometry/step"), features.footprint) <
                           features.footprint;
  if (overlap)
    for (const int64_t i : apart(out.tiles))
      out.reference.push_back(out.tiles.score[static_cast<size_t>(i)]);
  return out;
}

AttentionFiles attention_files(const fs::path& overlay) {
  const fs::path base = fs::path(overlay).replace_extension();
  return {overlay, fs::path(base.string() + "-top-tiles.png"),
          fs::path(base.string() + ".geojson")};
}

void write_attention(Slide& slide, const SlideAttention& attention, const HeatmapOptions& heatmap,
                     const TopTilesOptions& top, const AttentionFiles& files,
                     const attn::Hooks& hooks) {
  const TileScores& tiles = attention.tiles;
  write_attention_geojson(files.geojson, tiles, {.color_map = heatmap.color_map},
                          attention.reference);
  write_png(files.top_tiles, draw_top_tiles(slide, tiles, top, hooks));
  write_png(files.overlay, draw_heatmap(slide, tiles, heatmap, hooks, attention.reference));
}

}  // namespace pathology
