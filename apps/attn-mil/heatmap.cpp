#include "pathology/heatmap/heatmap.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "attn/error.h"
#include "pathology/chain/attention_map.h"
#include "pathology/mil/mil_run.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct HeatmapArgs {
  SlideArgs slides;
  fs::path run, out;
  std::optional<fs::path> features;
  pathology::HeatmapOptions heatmap;
  pathology::TopTilesOptions top;
};

void declare(HeatmapArgs& args, OptionTable& table) {
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add({.name = "slide",
             .target = &args.slides.inputs,
             .help = "a slide; or several, folders of slides, manifests",
             .unit = "FILE",
             .required = true});
  table.add({.name = "out",
             .target = &args.out,
             .help = "FILE.png for one slide, with FILE-top-tiles.png and FILE.geojson beside it; "
                     "a folder for several",
             .unit = "PATH",
             .required = true});
  table.add({.name = "slide-mpp",
             .target = &args.slides.slide_mpp,
             .help = "microns per pixel of level 0, for slides that state none or a wrong one",
             .unit = "um/px",
             .min = pathology::kMinMpp,
             .max = pathology::kMaxMpp});
  table.add({.name = "features",
             .target = &args.features,
             .help = "keep the slides' features here, and take from here what is finished",
             .unit = "DIR"});
  table.group("Picture");
  table.add({.name = "max-side",
             .target = &args.heatmap.max_side,
             .help = "longest side of the picture",
             .unit = "px",
             .min = 64,
             .max = 30000});
  table.add({.name = "alpha",
             .target = &args.heatmap.alpha,
             .help = "weight of the colour over the slide",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "color-map",
             .target = &args.heatmap.color_map,
             .help = "colours of the percentiles",
             .choices = {"turbo", "jet", "viridis", "inferno", "magma", "cividis"}});
  table.add(
      {.name = "blur", .target = &args.heatmap.blur, .help = "smooth the map by half a tile"});
  table.add({.name = "legend", .target = &args.heatmap.legend, .help = "colour bar and scale bar"});
  table.add({.name = "top",
             .target = &args.top.count,
             .help = "tiles in the montage of highest attention",
             .unit = "N",
             .min = 1,
             .max = 1000});
}

int run(const HeatmapArgs& args, const Context& context) {
  const auto model_file = pathology::model_path(args.run);
  const auto model = pathology::load_mil_model(model_file);
  const auto slides = args.slides.find();
  const bool one_file = args.out.extension() == ".png";
  if (one_file && slides.size() != 1)
    throw UsageError(fmt::format("--out {} is one picture, but there are {} slides; give a folder",
                                 args.out.string(), slides.size()));
  const HeatmapInputs inputs{args.slides, slides,       args.features.value_or(fs::path()),
                             args.out,    args.heatmap, args.top};
  const auto outcome = heatmap_stage(model, model_file, inputs, context);
  if (context.common.attention_report && !context.common.dry_run)
    write_attention_report(*context.common.attention_report, model_file.string(),
                           outcome.entropies);
  if (context.common.json)
    print_json(to_json(outcome.batch));
  else if (one_file && !context.common.dry_run)
    print(args.out.string() + "\n");
  return outcome.batch.exit_code();
}

}  // namespace

Verb heatmap_verb() {
  return bind(
      Verb{.name = "heatmap",
           .summary = "draw where a model looks: overlay, top tiles, and GeoJSON that QuPath opens",
           .example =
               "attn-mil heatmap --run W/run --slide W/data/slides/sim-0001.tif --out W/heat.png",
           .batch = true,
           .attention = true},
      declare, run);
}

}  // namespace attn::app
