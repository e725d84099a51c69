// The files of tiles.h: CLAM's layout of coordinates, with all that made them in the attribute
// `attn_config`.
#include <algorithm>

#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "pathology/slide/stored_config.h"
#include "pathology/slide/tiles.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using attn::io::Hdf5File;

constexpr const char* kUnreadableAttribute = "unreadable_share";
constexpr int64_t kMaxSide = 1 << 20;  // of anything a tile is measured in; larger is damage

int64_t side_attribute(const Hdf5File& file, const std::string& name, int64_t smallest) {
  const int64_t value = file.int_attribute("coords", name);
  if (value < smallest || value > kMaxSide)
    throw attn::Error(file.path().string() + ": attribute " + name + " of coords is " +
                      std::to_string(value) + "; expected " + std::to_string(smallest) + " to " +
                      std::to_string(kMaxSide));
  return value;
}

/// The geometry of our own files.
void read_config(const std::string& where, Tiles& tiles) {
  using attn::io::get;
  const nlohmann::json& c = tiles.config;
  tiles.slide_id = get<std::string>(c, "slide.id", where);
  tiles.slide_path = get<std::string>(c, "slide.path", where);
  tiles.geometry.level = get<int>(c, "geometry.level", where);
  tiles.geometry.read_size = get<int>(c, "geometry.read_size", where);
  tiles.geometry.size = get<int>(c, "geometry.size", where);
  tiles.geometry.footprint = get<int64_t>(c, "geometry.footprint", where);
  tiles.geometry.step = get<int64_t>(c, "geometry.step", where);
  for (const int64_t side :
       {static_cast<int64_t>(tiles.geometry.read_size), static_cast<int64_t>(tiles.geometry.size),
        tiles.geometry.footprint, tiles.geometry.step})
    if (side < 1 || side > kMaxSide)
      throw attn::Error(where + ": the tile geometry holds a side of " + std::to_string(side) +
                        " px");
  tiles.mpp = get<double>(c, "mpp", where) * static_cast<double>(tiles.geometry.footprint) /
              tiles.geometry.size;
}

/// The geometry of CLAM's and TRIDENT's files.
void read_foreign(const Hdf5File& file, Tiles& tiles) {
  TileGeometry& g = tiles.geometry;
  g.size = static_cast<int>(side_attribute(file, "patch_size", 1));
  if (file.has_attribute("coords",
                         "patch_size_level0")) {  // TRIDENT: the level is left to the reader
    g.footprint = side_attribute(file, "patch_size_level0", 1);
    g.read_size = static_cast<int>(g.footprint);
  } else {
    g.level = static_cast<int>(side_attribute(file, "patch_level", 0));
    g.read_size = g.size;
    const double downsample = tiles.downsample[0];
    if (!(downsample > 0 && downsample * g.size <= kMaxSide))
      throw attn::Error(file.path().string() + ": attribute downsample of coords is " +
                        attn::io::number_text(downsample) +
                        "; expected a number above 0 and tiles of " + "at most " +
                        std::to_string(kMaxSide) + " px at level 0");
    g.footprint = g.size * static_cast<int64_t>(std::max(1.0, downsample));
  }
  g.step = g.footprint;
  if (file.has_attribute("coords", "name"))
    tiles.slide_id = file.string_attribute("coords", "name");
  if (tiles.slide_id.empty()) {  // TRIDENT: the file's name is SLIDE_patches.h5
    constexpr std::string_view kSuffix = "_patches";
    tiles.slide_id = file.path().stem().string();
    if (tiles.slide_id.ends_with(kSuffix) && tiles.slide_id.size() > kSuffix.size())
      tiles.slide_id.resize(tiles.slide_id.size() - kSuffix.size());
  }
}

template <typename T, std::size_t N>
void read_pair(const Hdf5File& file, const std::string& name, std::array<T, N>& to) {
  if (!file.has_attribute("coords", name)) return;
  std::vector<T> values;
  if constexpr (std::is_same_v<T, double>)
    values = file.double_array_attribute("coords", name);
  else
    values = file.int_array_attribute("coords", name);
  if (values.size() != N)
    throw attn::Error(file.path().string() + ": attribute " + name + " of coords holds " +
                      std::to_string(values.size()) + " numbers; expected " + std::to_string(N));
  std::copy(values.begin(), values.end(), to.begin());
}

}  // namespace

nlohmann::json to_json(const TileGeometry& g) {
  return {{"level", g.level},
          {"read_size", g.read_size},
          {"size", g.size},
          {"footprint", g.footprint},
          {"step", g.step}};
}

nlohmann::json tiles_config(const Slide& slide, const TissueOptions& tissue,
                            const TileOptions& options) {
  const TileGeometry g = tile_geometry(slide, options);
  return {{"format_version", kConfigVersion},
          {"kind", "tiles"},
          {"slide",
           {{"id", slide.id()},
            {"path", slide.path().string()},
            {"name", slide.file().name},
            {"bytes", slide.file().bytes},
            {"mtime_ns", slide.file().mtime_ns},
            {"width", slide.width()},
            {"height", slide.height()},
            {"vendor", slide.vendor()}}},
          {"mpp", slide.require_mpp()},
          {"mpp_source", slide.resolution().source},
          {"tissue", to_json(tissue)},
          {"tile", to_json(options)},
          {"geometry", to_json(g)}};
}

void write_tiles(const fs::path& path, const Tiles& tiles) {
  Hdf5File file = Hdf5File::create(path);
  const auto rows = static_cast<int64_t>(tiles.coords.size());
  file.write<int64_t>("coords", flat_coords<int64_t>(tiles.coords), {rows, 2},
                      {.chunk_rows = 1, .unlimited = true});
  file.set_attribute("coords", "patch_size", static_cast<int64_t>(tiles.geometry.read_size));
  file.set_attribute("coords", "patch_level", static_cast<int64_t>(tiles.geometry.level));
  file.set_attribute("coords", "downsample", std::span<const double>(tiles.downsample));
  file.set_attribute("coords", "downsampled_level_dim", std::span<const int64_t>(tiles.level_size));
  file.set_attribute("coords", "level_dim", std::span<const int64_t>(tiles.level_size));
  file.set_attribute("coords", "name", tiles.slide_id);
  file.set_attribute("coords", "save_path", path.parent_path().string());
  if (!tiles.config.is_null()) file.set_attribute("/", kConfigAttribute, tiles.config.dump());
  if (!tiles.reason.empty()) file.set_attribute("/", kReasonAttribute, tiles.reason);
  if (tiles.unreadable > 0) file.set_attribute("/", kUnreadableAttribute, tiles.unreadable);
  file.commit();
}

Tiles read_tiles(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  if (!file.exists("coords"))
    throw attn::Error(
        path.string() +
        " holds no tile coordinates: there is no dataset coords; expected a file made by " +
        "tiling a slide");
  Tiles tiles;
  tiles.coords = read_coords(file, "coords");
  read_pair(file, "downsample", tiles.downsample);
  read_pair(file, "level_dim", tiles.level_size);
  tiles.config = stored_config(file, "tiles");
  if (tiles.config.is_null())
    read_foreign(file, tiles);
  else
    read_config(path.string(), tiles);
  tiles.footprint = tiles.geometry.footprint;
  tiles.reason = stored_reason(file);
  if (file.has_attribute("/", kUnreadableAttribute))
    tiles.unreadable = file.double_attribute("/", kUnreadableAttribute);
  return tiles;
}

bool tiles_current(const fs::path& path, const nlohmann::json& config, double max_unreadable) {
  return is_current(path, config, [&](const fs::path& p) {
    const Tiles tiles = read_tiles(p);
    return tiles.unreadable > max_unreadable ? nlohmann::json() : tiles.config;
  });
}

void write_tile_table(const fs::path& path, const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".h5" && !entry.path().filename().string().starts_with('.'))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::vector<attn::io::Cell>> rows;
  for (const fs::path& file : files) {
    Tiles tiles;
    try {
      tiles = read_tiles(file);
    } catch (const attn::Error&) {
      continue;  // who needs it will say what is wrong
    }
    const auto slide = [&]<typename T>(const char* key, T otherwise) {
      return tiles.config.is_object() ? tiles.config.value(key, otherwise) : otherwise;
    };
    rows.push_back({file.stem().string(), static_cast<int64_t>(tiles.coords.size()), tiles.mpp,
                    static_cast<int64_t>(tiles.geometry.size),
                    static_cast<int64_t>(tiles.geometry.level), tiles.footprint, slide("mpp", 0.0),
                    slide("mpp_source", std::string()), tiles.unreadable, tiles.reason});
  }
  attn::io::write_csv(path,
                      {"slide_id", "tiles", "mpp", "tile_px", "level", "footprint_px", "slide_mpp",
                       "slide_mpp_source", "unreadable", "note"},
                      rows);
}

}  // namespace pathology
