#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "pathology/chain/outputs.h"
#include "pathology/slide/flat_image.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct HeatmapArgs {
  SlideArgs slides;
  fs::path run, out;
  std::optional<fs::path> features, truth;
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
  declare_slide_mpp(args.slides.slide_mpp, table);
  declare_max_unreadable(args.slides.max_unreadable, table);
  table.add({.name = "features",
             .target = &args.features,
             .help = "keep the slides' features here, and take from here what is finished",
             .unit = "DIR"});
  declare_truth(args.truth, table);
  table.group("Picture");
  table.add({.name = "max-side",
             .target = &args.heatmap.max_side,
             .help = "longest side of the picture",
             .unit = "px",
             .min = 64,
             .max = 20000});
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

// Whether --out is one picture rather than a folder. Throws UsageError for a picture that is not
// PNG.
bool names_picture(const fs::path& out) {
  const std::string extension = pathology::lower_extension(out);
  if (extension == ".png") return true;
  for (const char* other : {".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".svg",
                            ".pdf", ".json", ".geojson"})
    if (extension == other)
      throw UsageError(
          fmt::format("--out {}: heat maps are written as PNG; give FILE.png, or a "
                      "folder",
                      out.string()));
  return false;
}

void tell(const HeatmapArgs& args, const HeatmapOutcome& outcome, const Context& context) {
  const bool drawn = !outcome.facts.empty();
  if (context.common.json) {
    auto document = to_json(outcome.batch);
    if (args.truth) {
      document["localisation"] = nlohmann::json::object();
      for (const auto& facts : outcome.facts)
        document["localisation"][facts.at("slide").get<std::string>()] = facts.at("localisation");
    }
    print_json(document);
    return;
  }
  if (args.truth && drawn) print(text_table(localisation_rows(outcome.facts)));
  if (drawn && names_picture(args.out)) print(args.out.string() + "\n");
}

// Refuses what cannot be asked for together, before any work.
void check(const HeatmapArgs& args, bool one_file, const std::vector<pathology::SlideItem>& slides,
           const Context& context) {
  if (one_file && context.common.shard.count > 1)
    throw UsageError("--shard: one picture has no parts; give a folder");
  if (one_file && slides.size() != 1)
    throw UsageError(fmt::format("--out {} is one picture, but there are {} slides; give a folder",
                                 args.out.string(), slides.size()));
  if (args.truth && slides.size() != 1 && !fs::is_directory(*args.truth))
    throw UsageError(fmt::format("--truth {} is one file, but there are {} slides; give a folder",
                                 args.truth->string(), slides.size()));
  pathology::refuse_overwriting({context.common.attention_report.value_or(fs::path())},
                                pathology::files_of_run(args.run));
  if (context.common.dry_run) return;
  if (one_file) pathology::require_writable(args.out, "--out");
  if (context.common.attention_report)
    pathology::require_writable(*context.common.attention_report, "--attention-report");
}

int run(const HeatmapArgs& args, const Context& context) {
  const bool one_file = names_picture(args.out);
  const auto model = pathology::load_trained_model(args.run);
  const auto slides = args.slides.find();
  check(args, one_file, slides, context);
  const pathology::HeatmapJob job{
      .model = model,
      .pipeline = model.pipeline(args.slides.max_unreadable),
      .store = {args.features.value_or(fs::path()), context.common.overwrite},
      .truth = args.truth,
      .heatmap = args.heatmap,
      .top = args.top};
  const AttentionReport attention(context);
  const auto outcome =
      heatmap_stage(job,
                    {.args = args.slides,
                     .slides = slides,
                     .out = args.out,
                     .one_file = one_file,
                     .outputs = {context.common.attention_report.value_or(fs::path())}},
                    context);
  if (attention && !context.common.dry_run)
    attention.write(model.file.string(), entropies_of(outcome.facts));
  tell(args, outcome, context);
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
