// The batch stages that single verbs and the whole chain share.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/slide_args.h"
#include "apps/common/batch.h"
#include "pathology/heatmap/heatmap.h"
#include "pathology/mil/mil_model_file.h"
#include "pathology/mil/predict.h"

namespace attn::app {

/// Tiles of every slide: OUT/patches/ID.h5, OUT/previews/ID.jpg and OUT/tiles.csv, a row for each
/// slide with tiles.
BatchResult tile_stage(const SlideArgs& args, const std::vector<pathology::SlideItem>& slides,
                       const pathology::TissueOptions& tissue, const pathology::TileOptions& tile,
                       const std::filesystem::path& out, const Context& context);

/// What features are made of. Where neither `slides` nor `folder` is given, a slide is where its
/// tile file says.
struct FeaturesInputs {
  std::vector<std::filesystem::path> tile_files;
  std::vector<std::filesystem::path> slides;  ///< of each tile file, or none
  std::filesystem::path folder;               ///< to find the slides in by name; may be empty
};
/// Features of every tile file: OUT/ID.h5. Where tile has set a slide's older tiles aside, its
/// features are set aside, too.
BatchResult features_stage(const FeaturesInputs& inputs, const std::string& encoder,
                           const std::filesystem::path& out, const Context& context);

/// What a trained model is asked about.
struct PredictInputs {
  const SlideArgs& slides;         ///< slides, or feature files, folders of them, CSV bags
  std::filesystem::path features;  ///< where slides' features are kept; empty: nowhere
  std::filesystem::path folder;    ///< for the list of failures
  std::string failures;            ///< its name, less .csv
};
struct PredictOutcome {
  BatchResult batch;
  pathology::BagSet set;  ///< ids of what was predicted; the features are not kept
  std::vector<pathology::BagPrediction> predictions;
};
PredictOutcome predict_stage(const pathology::MilModelFile& model,
                             const std::filesystem::path& model_file, const PredictInputs& inputs,
                             const Context& context);

/// Which slides to draw, and how.
struct HeatmapInputs {
  const SlideArgs& args;
  std::vector<pathology::SlideItem> slides;
  std::filesystem::path features;  ///< where slides' features are kept; empty: nowhere
  std::filesystem::path out;       ///< X.png for one slide, else a folder for ID.png
  bool one_file = false;           ///< which of the two `out` is
  std::optional<std::filesystem::path> truth = {};  ///< outlines of foci: a file, or a folder
  pathology::HeatmapOptions heatmap;
  pathology::TopTilesOptions top;
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
HeatmapOutcome heatmap_stage(const pathology::MilModelFile& model,
                             const std::filesystem::path& model_file, const HeatmapInputs& inputs,
                             const Context& context);

}  // namespace attn::app
