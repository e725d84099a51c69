// A model's attention over one slide, and the files that show it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "attn/hooks.h"
#include "pathology/heatmap/heatmap.h"
#include "pathology/mil/mil_model_file.h"
#include "pathology/mil/predict.h"
#include "pathology/slide/features.h"
#include "pathology/slide/slide.h"

namespace pathology {

/// What a model says of one slide.
struct SlideAttention {
  BagPrediction prediction;
  TileScores tiles;  ///< score = attention weight
  std::vector<double>
      reference;          ///< scores to rank among: of tiles that do not overlap; empty: all
  double unreadable = 0;  ///< share of the slide's tiles that could not be decoded
};

/// Attention and prediction for features with coordinates. Throws attn::Error when they do not fit
/// the model, or hold no tiles or no coordinates.
SlideAttention slide_attention(const MilModelFile& model, const Features& features,
                               const std::string& where);

/// A set of one unlabelled bag made of `features`, for prediction.
BagSet single_bag(const Features& features);

struct AttentionFiles {
  std::filesystem::path overlay, top_tiles, geojson;
};

/// OUT.png beside OUT-top-tiles.png and OUT.geojson.
AttentionFiles attention_files(const std::filesystem::path& overlay);

/// Draws and writes the three, the overlay last: where it is, all are. Throws attn::Error.
void write_attention(Slide& slide, const SlideAttention& attention, const HeatmapOptions& heatmap,
                     const TopTilesOptions& top, const AttentionFiles& files,
                     const attn::Hooks& hooks);

}  // namespace pathology
