#include "apps/attn-mil/stages.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "apps/common/console.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "pathology/chain/pipeline.h"
#include "pathology/slide/features.h"

namespace attn::app {
namespace fs = std::filesystem;
namespace {

void write_tile_table(const Batch& batch, const BatchResult& result, const fs::path& path) {
  std::set<std::string> failed;
  for (const auto& failure : result.failures) failed.insert(failure.item);
  std::vector<std::vector<io::Cell>> rows;
  for (size_t i = 0; i < batch.items.size(); ++i) {
    // Another shard's slide may not be made yet.
    std::error_code ignored;
    if (failed.contains(batch.items[i].id) || !fs::exists(batch.items[i].output, ignored)) continue;
    pathology::Tiles tiles;
    try {
      tiles = pathology::read_tiles(batch.items[i].output);
    } catch (const Error&) {
      if (result.good[i]) throw;
      continue;  // another process's: it will say what is wrong
    }
    rows.push_back({batch.items[i].id, static_cast<int64_t>(tiles.coords.size()), tiles.mpp,
                    static_cast<int64_t>(tiles.geometry.size),
                    static_cast<int64_t>(tiles.geometry.level), tiles.footprint,
                    tiles.config.value("mpp", 0.0), tiles.config.value("mpp_source", std::string()),
                    tiles.reason});
  }
  io::write_csv(path,
                {"slide_id", "tiles", "mpp", "tile_px", "level", "footprint_px", "slide_mpp",
                 "slide_mpp_source", "note"},
                rows);
}

}  // namespace

BatchResult tile_stage(const SlideArgs& args, const std::vector<pathology::SlideItem>& slides,
                       const pathology::TissueOptions& tissue, const pathology::TileOptions& tile,
                       const fs::path& out, const Context& context) {
  const auto preview = [&](size_t i) { return out / "previews" / (slides[i].id + ".jpg"); };
  Batch batch{.folder = out, .items = {}, .current = {}, .work = {}};
  for (const auto& slide : slides)
    batch.items.push_back({slide.id, out / "patches" / (slide.id + ".h5")});
  batch.current = [&](size_t i) {
    const auto config = pathology::tiles_config(args.open(slides[i]), tissue, tile);
    return fs::exists(preview(i)) && pathology::tiles_current(batch.items[i].output, config);
  };
  batch.work = [&](size_t i) {
    const pathology::Slide slide = args.open(slides[i]);
    slide.require_mpp();
    const auto mask = pathology::find_tissue(slide, tissue, context.hooks, context.common.threads);
    const auto tiles = pathology::tile_slide(slide, mask, tissue, tile, context.hooks);
    if (tiles.coords.empty()) context.hooks.warning(slides[i].id + ": no tiles: " + tiles.reason);
    io::make_directories(out / "previews");
    pathology::write_picture(preview(i), pathology::tissue_preview(slide, mask));
    pathology::write_tiles(batch.items[i].output, tiles);
    log_debug(fmt::format("{}: {} tiles", slides[i].id, tiles.coords.size()));
  };
  BatchResult result = run_batch(batch, context);
  if (!context.common.dry_run) write_tile_table(batch, result, out / "tiles.csv");
  return result;
}

namespace {

// Features of slides whose tiles were set aside are not to be trained on either.
void follow_set_aside(const std::vector<fs::path>& tile_files, const fs::path& out) {
  if (tile_files.empty()) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(tile_files.front().parent_path(), error)) {
    if (entry.path().extension() != ".stale") continue;
    const fs::path features = out / entry.path().stem();
    if (fs::exists(fs::path(entry.path()).replace_extension(), error)) continue;
    if (fs::exists(features, error)) set_aside(features);
  }
}

}  // namespace

BatchResult features_stage(const FeaturesInputs& inputs, const std::string& encoder_name,
                           const fs::path& out, const Context& context) {
  const auto& tile_files = inputs.tile_files;
  const auto encoder = pathology::make_encoder(encoder_name);
  Batch batch{.folder = out, .items = {}, .current = {}, .work = {}};
  for (const auto& file : tile_files)
    batch.items.push_back({file.stem().string(), out / file.filename()});
  batch.current = [&](size_t i) {
    const auto tiles = pathology::read_tiles(tile_files[i]);
    return pathology::features_current(batch.items[i].output,
                                       pathology::features_config(tiles, *encoder));
  };
  batch.work = [&](size_t i) {
    auto tiles = pathology::read_tiles(tile_files[i]);
    if (!inputs.slides.empty()) tiles.slide_path = inputs.slides[i];
    const auto slide = pathology::open_slide_of(tile_files[i], tiles, inputs.folder);
    const auto features =
        pathology::extract_features(slide, tiles, *encoder, context.common.threads, context.hooks);
    pathology::write_features(batch.items[i].output, features);
    log_debug(fmt::format("{}: {} tiles, {} unreadable", slide.id(), features.size(),
                          features.unreadable));
  };
  if (!context.common.dry_run) follow_set_aside(tile_files, out);
  return run_batch(batch, context);
}

}  // namespace attn::app
