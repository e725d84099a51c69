#include "pathology/chain/pipeline.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "pathology/slide/find_slides.h"

namespace pathology {
namespace fs = std::filesystem;
using attn::io::get;

SlidePipeline pipeline_from(const nlohmann::json& preprocessing, const std::string& where) {
  const auto knows = [&](const char* pointer) {
    return preprocessing.is_object() &&
           preprocessing.contains(nlohmann::json::json_pointer(pointer));
  };
  if (!knows("/tiles/tissue") || !knows("/tiles/tile/mpp"))
    throw attn::Error(where +
                      " was trained on features that do not say how they were made; give it "
                      "features of the same kind instead of slides");
  SlidePipeline pipeline;
  pipeline.tissue =
      tissue_options_from_json(get<nlohmann::json>(preprocessing, "tiles.tissue", where));
  pipeline.tile = tile_options_from_json(get<nlohmann::json>(preprocessing, "tiles.tile", where));
  pipeline.encoder = make_encoder(get<std::string>(preprocessing, "encoder.name", where));
  return pipeline;
}

namespace {

/// Work by the options of a model: where they do not suit the slide, the slide does not suit it.
template <class Work>
auto by_options_of_model(const Work& work) {
  try {
    return work();
  } catch (const attn::UsageError& error) {
    throw attn::Error("this slide does not suit the model: " + std::string(error.what()));
  }
}

}  // namespace

Features slide_features(const Slide& slide, const SlidePipeline& pipeline, int threads,
                        const attn::Hooks& hooks) {
  Tiles tiles = by_options_of_model([&] {
    return tile_slide(slide, pipeline.tissue, pipeline.tile, hooks, threads,
                      pipeline.max_unreadable);
  });
  if (tiles.coords.empty())
    throw attn::Error(slide.path().string() + ": no tiles: " + tiles.reason);
  if (tiles.config.is_null()) tiles.config = tiles_config(slide, pipeline.tissue, pipeline.tile);
  return extract_features(slide, tiles, *pipeline.encoder, threads, hooks, pipeline.max_unreadable);
}

nlohmann::json features_config_of(const Slide& slide, const SlidePipeline& pipeline) {
  Tiles tiles;
  tiles.config =
      by_options_of_model([&] { return tiles_config(slide, pipeline.tissue, pipeline.tile); });
  return features_config(tiles, *pipeline.encoder);
}

Features kept_features(const Slide& slide, const SlidePipeline& pipeline, const FeatureStore& store,
                       int threads, const attn::Hooks& hooks) {
  if (store.folder.empty()) return slide_features(slide, pipeline, threads, hooks);
  const fs::path kept = store.file_of(slide.id());
  if (!store.overwrite &&
      features_current(kept, features_config_of(slide, pipeline), pipeline.max_unreadable))
    return read_features(kept);
  Features features = slide_features(slide, pipeline, threads, hooks);
  attn::io::make_directories(store.folder);
  write_features(kept, features);
  return features;
}

std::vector<fs::path> find_tile_files(const fs::path& input) {
  if (fs::is_regular_file(input)) return {input};
  if (!fs::is_directory(input)) throw attn::Error(input.string() + ": no such file or folder");
  std::vector<fs::path> files;
  for (const fs::path& folder : {input / "patches", input}) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && !name.starts_with('.') && entry.path().extension() == ".h5")
        files.push_back(entry.path());
    }
    if (!files.empty()) break;
  }
  if (files.empty())
    throw attn::Error(
        input.string() +
        ": no tile files (.h5) here or in its patches/; make them with the verb tile");
  std::sort(files.begin(), files.end());
  return files;
}

namespace {

// The file of `folder` with the slide's name, else the one slide with its id.
fs::path slide_in(const fs::path& folder, const Tiles& tiles) {
  fs::path same_name = folder / tiles.slide_path.filename();
  if (!tiles.slide_path.empty() && fs::exists(same_name)) return same_name;
  for (const SlideItem& item : find_slides(folder))
    if (item.id == tiles.slide_id) return item.path;
  throw attn::Error(folder.string() + ": no slide named " + tiles.slide_id + " in this folder");
}

/// Whether a slide is not the one that `config` was made from. A copy has another time.
bool is_another(const Slide& slide, const nlohmann::json& config, bool copy,
                const std::string& where) {
  const auto differs = [&](const char* key, int64_t now) {
    return get<int64_t>(config, std::string("slide.") + key, where) != now;
  };
  return differs("bytes", slide.file().bytes) || differs("width", slide.width()) ||
         differs("height", slide.height()) || (!copy && differs("mtime_ns", slide.file().mtime_ns));
}

}  // namespace

Slide open_slide_of(const fs::path& tile_file, const Tiles& tiles, const fs::path& slides,
                    std::optional<double> slide_mpp) {
  if (slides.empty() && tiles.slide_path.empty())
    throw attn::Error(tile_file.string() +
                      " does not say which slide it belongs to; give the folder by --slides");
  const fs::path path = slides.empty() ? tiles.slide_path : slide_in(slides, tiles);
  if (!fs::exists(path))
    throw attn::StorageError(tile_file.string() + ": its slide " + path.string() +
                             " is gone; give the folder where it is now by --slides");
  Slide slide = Slide::open(path, {.instead = {}, .otherwise = slide_mpp}, tiles.slide_id);
  if (!tiles.config.is_null() &&
      is_another(slide, tiles.config, !slides.empty(), tile_file.string()))
    throw attn::Error(path.string() + " has changed since " + tile_file.string() +
                      " was made from it; run tile again");
  return slide;
}

}  // namespace pathology
