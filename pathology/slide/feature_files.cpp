// The files of features.h: CLAM's layout of feature bags, with all that made them in the attribute
// `attn_config`.
#include "libattn/io/digest.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "pathology/slide/features.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/stored_config.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using attn::io::Hdf5File;

constexpr const char* kNamesAttribute = "feature_names";  // JSON array

void read_own(const Hdf5File& file, Features& features) {
  const std::string where = file.path().string();
  if (features.config.contains("tiles") && !features.config["tiles"].is_null())
    features.slide_id = attn::io::get<std::string>(features.config, "tiles.slide.id", where);
  if (file.has_attribute("/", "footprint"))
    features.footprint = file.int_attribute("/", "footprint");
  if (file.has_attribute("/", "unreadable"))
    features.unreadable = file.int_attribute("/", "unreadable");
  if (file.exists("unreadable_coords"))
    features.unreadable_coords = read_coords(file, "unreadable_coords");
  if (std::ssize(features.unreadable_coords) != features.unreadable)
    throw attn::Error(where + ": " + std::to_string(features.unreadable_coords.size()) +
                      " unreadable tiles are listed and " + std::to_string(features.unreadable) +
                      " counted");
}

/// What is known of the tiles: their file's configuration, or for another program's file, which has
/// none, the slide's name and all that places the tiles.
nlohmann::json tiles_part(const Tiles& tiles) {
  if (!tiles.config.is_null()) return tiles.config;
  const auto flat = flat_coords<int64_t>(tiles.coords);
  attn::io::Digest digest;
  digest.update(flat.data(), flat.size() * sizeof(int64_t));
  nlohmann::json part{{"kind", kForeignTiles},
                      {"slide", {{"id", tiles.slide_id}}},
                      {"tile", {{"size", tiles.geometry.size}}},
                      {"geometry", to_json(tiles.geometry)},
                      {"coords_digest", digest.hex()}};
  if (tiles.mpp > 0) part["tile"]["mpp"] = tiles.mpp;
  return part;
}

/// The resolution of another program's tiles in a configuration; null where it does not tell.
nlohmann::json foreign_mpp(const nlohmann::json& config) {
  using Pointer = nlohmann::json::json_pointer;
  if (!config.is_object() || config.value(Pointer("/tiles/kind"), "") != kForeignTiles) return {};
  return config.value(Pointer("/tiles/tile/mpp"), nlohmann::json());
}

/// Whether the slide that a configuration names lies there and has been changed since.
bool slide_changed(const nlohmann::json& config) {
  const nlohmann::json slide =
      config.value(nlohmann::json::json_pointer("/tiles/slide"), nlohmann::json());
  if (!slide.is_object() || !slide.contains("path") || !slide["path"].is_string()) return false;
  const fs::path path = slide["path"].get<std::string>();
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;  // moved or put away: the features stand
  const SlideFile now = stat_file(path);
  return slide.value("bytes", int64_t{-1}) != now.bytes ||
         slide.value("mtime_ns", int64_t{-1}) != now.mtime_ns;
}

}  // namespace

nlohmann::json features_config(const Tiles& tiles, const Encoder& encoder) {
  return {{"format_version", kConfigVersion},
          {"kind", "features"},
          {"encoder", {{"name", encoder.name()}, {"dim", encoder.dim()}}},
          {"tiles", tiles_part(tiles)}};
}

void write_features(const fs::path& path, const Features& features) {
  Hdf5File file = Hdf5File::create(path);
  const int64_t rows = features.size();
  file.write("features", features.values, {rows, features.dim},
             {.chunk_rows = 32, .unlimited = true});
  file.write("coords", flat_coords<int32_t>(features.coords), {std::ssize(features.coords), 2},
             {.chunk_rows = 32, .unlimited = true});
  if (!features.unreadable_coords.empty())
    file.write("unreadable_coords", flat_coords<int32_t>(features.unreadable_coords),
               {std::ssize(features.unreadable_coords), 2});
  file.set_attribute("/", "footprint", features.footprint);
  file.set_attribute("/", "unreadable", features.unreadable);
  if (!features.names.empty())
    file.set_attribute("/", kNamesAttribute, nlohmann::json(features.names).dump());
  if (!features.config.is_null()) file.set_attribute("/", kConfigAttribute, features.config.dump());
  if (!features.reason.empty()) file.set_attribute("/", kReasonAttribute, features.reason);
  file.commit();
}

Features read_features(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  if (!file.exists("features"))
    throw attn::Error(
        path.string() +
        " holds no features: there is no dataset features; expected a file of CLAM's layout");
  const attn::io::H5Dataset dataset = file.dataset("features");
  const std::size_t rank = dataset.shape.size();
  if (!(rank == 2 || (rank == 3 && dataset.shape[0] == 1)) || dataset.shape[rank - 1] < 1)
    throw attn::Error(path.string() + ": features is " + dataset.describe() +
                      "; expected numbers of shape (N, D)");
  Features features;
  features.slide_id = path.stem().string();
  features.dim = dataset.shape[rank - 1];
  features.values = file.read<float>("features", static_cast<int>(rank));
  const int64_t bad = attn::io::first_nonfinite_row(features.values, features.dim);
  if (bad >= 0)
    throw attn::Error(path.string() + ": row " + std::to_string(bad) +
                      " of features holds a value that is not finite; extract the features again");
  if (file.exists("coords")) {
    features.coords = read_coords(file, "coords");
    if (std::ssize(features.coords) != features.size())
      throw attn::Error(path.string() + " has " + std::to_string(features.size()) +
                        " rows of features and " + std::to_string(features.coords.size()) +
                        " of coords; expected as many");
    if (file.has_attribute("coords", "patch_size_level0"))  // TRIDENT
      features.footprint = file.int_attribute("coords", "patch_size_level0");
  }
  if (file.has_attribute("/", kNamesAttribute)) {
    const auto names =
        attn::io::parse_json(file.string_attribute("/", kNamesAttribute), path.string());
    features.names =
        attn::io::get<std::vector<std::string>>({{"names", names}}, "names", path.string());
    if (std::ssize(features.names) != features.dim)
      throw attn::Error(path.string() + " names " + std::to_string(features.names.size()) +
                        " features and has " + std::to_string(features.dim));
  }
  features.config = stored_config(file, "features");
  if (!features.config.is_null()) read_own(file, features);
  features.reason = stored_reason(file);
  return features;
}

bool features_current(const fs::path& path, const nlohmann::json& config, double max_unreadable) {
  const bool slide_is_away =
      config.value(nlohmann::json::json_pointer("/tiles/kind"), "") == kForeignTiles &&
      foreign_mpp(config).is_null();
  const auto read = [&](const fs::path& p) {
    Features features = read_features(p);
    if (features.unreadable_share() > max_unreadable) return nlohmann::json();
    if (slide_is_away && !foreign_mpp(features.config).is_null())
      features.config["tiles"]["tile"].erase("mpp");
    return features.config;
  };
  return is_current(path, config, read) && !slide_changed(config);
}

}  // namespace pathology
