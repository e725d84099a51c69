// The batch stages that single verbs and the whole chain share.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/attn-mil/slide_args.h"
#include "apps/common/batch.h"
#include "pathology/chain/heatmap_files.h"
#include "pathology/chain/prediction_files.h"
#include "pathology/chain/slide_files.h"

namespace attn::app {

/// Tiles of every slide: OUT/patches/ID.h5, OUT/previews/ID.jpg and OUT/tiles.csv, a row for each
/// slide with tiles.
BatchResult tile_stage(const SlideArgs& args, const std::vector<pathology::SlideItem>& slides,
                       const pathology::TileJob& job, const std::filesystem::path& out,
                       const Context& context);

/// Features of every tile file: OUT/ID.h5, by the id of its slide. Where tile has set a slide's
/// older tiles aside, its features are set aside, too.
BatchResult features_stage(const std::vector<pathology::FeatureInput>& inputs,
                           const pathology::FeatureJob& job, const std::filesystem::path& out,
                           const Context& context);

/// What a trained model is asked about.
struct PredictInputs {
  const SlideArgs& slides;         ///< slides, or feature files, folders of them, CSV bags
  std::filesystem::path features;  ///< where slides' features are kept; empty: nowhere
  std::filesystem::path table;     ///< FILE.csv; what is finished is kept in FILE.parts/
  /// Also written by the caller: refused where they are among what is read.
  std::vector<std::filesystem::path> outputs = {};
};
struct PredictOutcome {
  BatchResult batch;
  pathology::PredictionTable table;  ///< of what was predicted, now or before
};
/// Throws attn::UsageError when an output of `inputs` is one of the files it reads.
PredictOutcome predict_stage(const pathology::TrainedModel& model, const PredictInputs& inputs,
                             const Context& context);

/// Which slides to draw, and where.
struct HeatmapInputs {
  const SlideArgs& args;
  std::vector<pathology::SlideItem> slides;
  std::filesystem::path out;  ///< X.png for one slide, else a folder for ID.png
  bool one_file = false;      ///< which of the two `out` is
  /// Also written by the caller: refused where they are among what is read.
  std::vector<std::filesystem::path> outputs = {};
};
struct HeatmapOutcome {
  BatchResult batch;
  /// What ID.json holds, of every slide whose pictures are there, drawn now or before.
  std::vector<nlohmann::json> facts;
};
/// Those of one slide. Throws attn::Error when its pictures are not there.
const nlohmann::json& facts_of(const HeatmapOutcome& outcome, const std::string& slide);
/// OUT/ID.png, ID-top-tiles.png, ID.geojson and, written last, ID.json with the prediction and what
/// determined it.
HeatmapOutcome heatmap_stage(const pathology::HeatmapJob& job, const HeatmapInputs& inputs,
                             const Context& context);

}  // namespace attn::app
