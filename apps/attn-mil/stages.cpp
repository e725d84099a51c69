#include "apps/attn-mil/stages.h"

#include <fmt/format.h>

#include <map>

#include "apps/common/console.h"
#include "attn/error.h"
#include "libattn/io/text.h"
#include "pathology/chain/outputs.h"

namespace attn::app {
namespace fs = std::filesystem;

BatchResult tile_stage(const SlideArgs& args, const std::vector<pathology::SlideItem>& slides,
                       const pathology::TileJob& job, const fs::path& out, const Context& context) {
  Batch batch{.folder = out, .items = {}, .current = {}, .work = {}};
  std::vector<pathology::TileFiles> files;
  const fs::path table = out / "tiles.csv";
  std::vector<fs::path> written{table};
  for (const auto& slide : slides) {
    files.push_back(pathology::tile_files(out, slide.id));
    batch.items.push_back({slide.id, files.back().tiles, {files.back().preview}});
    written.insert(written.end(), {files.back().tiles, files.back().preview});
  }
  pathology::refuse_overwriting(written, pathology::files_of_slides(args.inputs, slides));
  batch.current = [&](size_t i) {
    return pathology::tile_files_current(files[i], args.open(slides[i]), job);
  };
  batch.work = [&](size_t i) {
    const auto tiles = pathology::write_tile_files(files[i], args.open(slides[i]), job,
                                                   context.common.threads, context.hooks);
    log_debug(fmt::format("{}: {} tiles", slides[i].id, tiles.coords.size()));
  };
  BatchResult result = run_batch(batch, context);
  if (!context.common.dry_run) pathology::write_tile_table(table, out / "patches");
  return result;
}

namespace {

// Features of slides whose tiles were set aside are not to be trained on either.
void follow_set_aside(const std::vector<pathology::FeatureInput>& inputs, const fs::path& out) {
  if (inputs.empty()) return;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(inputs.front().tiles.parent_path(), error)) {
    if (entry.path().extension() != ".stale") continue;
    const fs::path features = out / entry.path().stem();
    if (fs::exists(fs::path(entry.path()).replace_extension(), error)) continue;
    if (fs::exists(features, error)) set_aside(features);
  }
}

}  // namespace

BatchResult features_stage(const std::vector<pathology::FeatureInput>& inputs,
                           const pathology::FeatureJob& job, const fs::path& out,
                           const Context& context) {
  Batch batch{.folder = out, .items = {}, .current = {}, .work = {}};
  std::vector<fs::path> read, written;
  std::map<std::string, fs::path> named;
  for (const auto& input : inputs) {
    const std::string id = pathology::slide_id_of(input.tiles);
    if (const auto [other, fresh] = named.emplace(id, input.tiles); !fresh)
      throw Error(fmt::format("{} and {} are tiles of one slide, {}; take one of them away",
                              other->second.string(), input.tiles.string(), id));
    batch.items.push_back({id, out / (id + ".h5")});
    read.push_back(input.tiles);
    written.push_back(batch.items.back().output);
  }
  pathology::refuse_overwriting(written, read);
  batch.current = [&](size_t i) {
    return pathology::feature_file_current(batch.items[i].output, inputs[i], job);
  };
  batch.work = [&](size_t i) {
    const auto features = pathology::write_feature_file(batch.items[i].output, inputs[i], job,
                                                        context.common.threads, context.hooks);
    log_debug(fmt::format("{}: {} tiles, {} unreadable", features.slide_id, features.size(),
                          features.unreadable));
  };
  if (!context.common.dry_run) {
    follow_set_aside(inputs, out);
    log_info(fmt::format(
        "{} of memory at most, besides the slides' own",
        io::size_text(pathology::feature_bytes(inputs, job.encoder, context.common.threads))));
  }
  return run_batch(batch, context);
}

}  // namespace attn::app
