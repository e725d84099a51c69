// Feature vectors of a slide's tiles: extraction, and files in CLAM's layout.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/slide/encoder.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tiles.h"

namespace pathology {

/// The bag of one slide.
struct Features {
  std::string slide_id;
  std::vector<float> values;  ///< (N, D) row by row, finite
  int64_t dim = 0;            ///< D
  std::vector<std::array<int64_t, 2>>
      coords;  ///< (N, 2) level-0 px, top-left; the tiles' order; empty where a file has none
  std::vector<std::string> names;  ///< D names of the dimensions; empty where a file does not tell
  int64_t footprint = 0;           ///< side of a tile in level-0 px; 0 where a file does not tell
  int64_t unreadable = 0;          ///< tiles left out because their pixels could not be decoded
  std::vector<std::array<int64_t, 2>> unreadable_coords;
  std::string reason;     ///< why N is 0; empty otherwise
  nlohmann::json config;  ///< the file's attn_config; null for files of other programs
  int64_t size() const { return dim == 0 ? 0 : static_cast<int64_t>(values.size()) / dim; }
  /// Of all tiles that were laid over the tissue.
  double unreadable_share() const {
    return unreadable == 0
               ? 0
               : static_cast<double>(unreadable) / static_cast<double>(size() + unreadable);
  }
};

/// Encodes every tile at its resolution (`with_mpp`). Unreadable tiles are left out, counted and
/// listed, and warned of once. The same numbers for any number of threads. Memory: the values (N x
/// D floats) and one batch of tiles a thread. Throws attn::Error where not a single tile could be
/// read, or more than the share `max_unreadable` of them cannot; Interrupted.
Features extract_features(const Slide& slide, const Tiles& tiles, const Encoder& encoder,
                          int threads, const attn::Hooks& hooks = {}, double max_unreadable = 1);

/// The tiles with their microns per pixel: where another program's file does not tell, the slide's
/// own by their footprint. Throws attn::Error that names --slide-mpp where the slide states none.
Tiles with_mpp(Tiles tiles, const Slide& slide);

/// All that determines a slide's features: {format_version, kind: "features", encoder: {name, dim},
/// tiles: tiles.config}. Tiles of another program carry no configuration: then kind
/// (kForeignTiles), slide.id, tile.size, tile.mpp where known, geometry and a digest of the
/// coordinates stand under tiles.
nlohmann::json features_config(const Tiles& tiles, const Encoder& encoder);
inline constexpr const char* kForeignTiles = "tiles of another program";

/// Writes CLAM's layout: `features` float32 (N,D) and `coords` int32 (N,2), chunks of 32 rows,
/// unlimited rows; beside them `feature_names`, `unreadable_coords` where any, and the root
/// attributes `attn_config`, `footprint`, `unreadable`. Whole or not at all. Throws attn::Error
/// with the reason.
void write_features(const std::filesystem::path& path, const Features& features);

/// Reads what `write_features`, CLAM or TRIDENT wrote: float16, 32 or 64 features (N,D) or (1,N,D),
/// int32 or int64 coordinates. Throws attn::Error for anything else, for values that are not
/// finite, and attn::NewerFormat.
Features read_features(const std::filesystem::path& path);

/// Whether `path` exists, reads whole, was made with `config` (as by `features_config`), no more
/// than the share `max_unreadable` of its tiles was unreadable, and the slide, where it still lies
/// where `config` says, has kept its size and time of change. A `config` of another program's tiles
/// without their resolution (the slide is not at hand) takes the file's. Throws attn::NewerFormat
/// for a file of a newer format version.
bool features_current(const std::filesystem::path& path, const nlohmann::json& config,
                      double max_unreadable = 1);

}  // namespace pathology
