#include "pathology/slide/tissue.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/slide_args.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/batch.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "pathology/geojson/geojson.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct TissueVerbArgs {
  SlideArgs slides;
  TissueArgs tissue;
  fs::path out;
};

void declare(TissueVerbArgs& args, OptionTable& table) {
  declare_slides(args.slides, table);
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for previews/, outlines/ and tissue/",
             .unit = "DIR",
             .required = true});
  declare_tissue(args.tissue, table);
}

pathology::Ring ring_of(const pathology::Contour& contour) {
  pathology::Ring ring;
  for (const auto& point : contour)
    ring.push_back({static_cast<double>(point.x), static_cast<double>(point.y)});
  return ring;
}

std::vector<pathology::Outline> outlines_of(const pathology::TissueMask& mask) {
  std::vector<pathology::Outline> outlines;
  for (const auto& piece : mask.pieces) {
    if (piece.outline.size() < 3) continue;
    pathology::Outline outline;
    outline.region.exterior = ring_of(piece.outline);
    for (const auto& hole : piece.holes)
      if (hole.size() >= 3) outline.region.holes.push_back(ring_of(hole));
    outline.classification = "Tissue";
    outlines.push_back(std::move(outline));
  }
  return outlines;
}

// What determines a slide's tissue. Its resolution may be unknown; it only gives the area.
nlohmann::json config_of(const pathology::Slide& slide, const pathology::TissueOptions& tissue) {
  return {{"format_version", 1},
          {"kind", "tissue"},
          {"slide",
           {{"id", slide.id()},
            {"name", slide.file().name},
            {"bytes", slide.file().bytes},
            {"mtime_ns", slide.file().mtime_ns},
            {"width", slide.width()},
            {"height", slide.height()}}},
          {"mpp", slide.mpp() ? nlohmann::json(*slide.mpp()) : nlohmann::json()},
          {"tissue", pathology::to_json(tissue)}};
}

int run(const TissueVerbArgs& args, const Context& context) {
  const auto slides = args.slides.find();
  const auto tissue = args.tissue.options();
  Batch batch{.folder = args.out, .items = {}, .current = {}, .work = {}};
  for (const auto& slide : slides)
    batch.items.push_back({slide.id, args.out / "tissue" / (slide.id + ".json")});
  batch.current = [&](size_t i) {
    return io::read_json(batch.items[i].output).at("attn_config") ==
           config_of(args.slides.open(slides[i]), tissue);
  };
  batch.work = [&](size_t i) {
    const auto slide = args.slides.open(slides[i]);
    const auto config = config_of(slide, tissue);
    const auto mask = pathology::find_tissue(slide, tissue, context.hooks, context.common.threads);
    for (const char* folder : {"previews", "outlines"}) io::make_directories(args.out / folder);
    pathology::write_picture(args.out / "previews" / (slide.id() + ".jpg"),
                             pathology::tissue_preview(slide, mask));
    pathology::write_geojson(args.out / "outlines" / (slide.id() + ".geojson"), outlines_of(mask));
    nlohmann::json facts{{"pieces", mask.pieces.size()},
                         {"pieces_found", mask.pieces_found},
                         {"saturation_threshold", mask.threshold},
                         {"level", mask.level},
                         {"unreadable_blocks", mask.unreadable_blocks},
                         {"attn_config", config}};
    if (slide.mpp()) facts["area_mm2"] = mask.area_mm2(*slide.mpp());
    if (mask.pieces.empty()) context.hooks.warning(slide.id() + ": no tissue found");
    io::write_json(batch.items[i].output, facts);
  };
  const auto result = run_batch(batch, context);
  if (context.common.json) print_json(to_json(result));
  return result.exit_code();
}

}  // namespace

Verb tissue_verb() {
  return bind(
      Verb{.name = "tissue",
           .summary = "find the tissue of slides: preview pictures, and outlines as GeoJSON",
           .example = "attn-mil tissue W/data/slides --out W/tissue",
           .batch = true},
      declare, run);
}

}  // namespace attn::app
