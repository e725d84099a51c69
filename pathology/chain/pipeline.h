// From a slide to its features exactly as a model was trained, by what the model file carries.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/slide/encoder.h"
#include "pathology/slide/features.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tiles.h"
#include "pathology/slide/tissue.h"

namespace pathology {

/// How slides become bags.
struct SlidePipeline {
  TissueOptions tissue;
  TileOptions tile;
  std::unique_ptr<Encoder> encoder;
  double max_unreadable = kMaxUnreadable;  ///< share of the tissue, and of the tiles
};

/// The pipeline that `preprocessing` (MilModelFile::preprocessing) describes. `where` names the
/// model in messages. Throws attn::Error when the model was trained on features of another program,
/// so that only features can be given to it.
SlidePipeline pipeline_from(const nlohmann::json& preprocessing, const std::string& where);

/// Tissue, tiles and features of one slide, nothing written. Throws attn::Error when the slide
/// cannot be read or shows no tissue.
Features slide_features(const Slide& slide, const SlidePipeline& pipeline, int threads,
                        const attn::Hooks& hooks);

/// What determines a slide's features (`features_config`).
nlohmann::json features_config_of(const Slide& slide, const SlidePipeline& pipeline);

/// Where slides' features are kept between jobs.
struct FeatureStore {
  std::filesystem::path folder;  ///< FOLDER/ID.h5; empty: nowhere
  bool overwrite = false;        ///< what is there is made again

  /// Where a slide's features are kept; empty for nowhere.
  std::filesystem::path file_of(const std::string& slide_id) const {
    return folder.empty() ? folder : folder / (slide_id + ".h5");
  }
};
/// The features of a slide, from the store where they are current, and put there otherwise. Throws
/// as `slide_features`; attn::NewerFormat for a file that is not to be replaced.
Features kept_features(const Slide& slide, const SlidePipeline& pipeline, const FeatureStore& store,
                       int threads, const attn::Hooks& hooks);

/// The tile files (.h5) of `input`: itself, or those of the folder or of its patches/ subfolder,
/// sorted by name. Throws attn::Error when there are none.
std::vector<std::filesystem::path> find_tile_files(const std::filesystem::path& input);

/// Opens the slide that a tile file was made from: at the path it recorded, or by name in the
/// folder `slides` where that is not empty. `slide_mpp`: of slides that state no resolution, for
/// tiles of another program. Throws attn::Error when it is not there, or has changed since the
/// tiles were cut: other bytes or another time, in a folder that was named (of copies, perhaps)
/// other bytes or another picture.
Slide open_slide_of(const std::filesystem::path& tile_file, const Tiles& tiles,
                    const std::filesystem::path& slides, std::optional<double> slide_mpp = {});

}  // namespace pathology
