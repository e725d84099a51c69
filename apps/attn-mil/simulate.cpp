#include "pathology/simulate/simulate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/verbs.h"
#include "apps/common/timed_hooks.h"
#include "libattn/io/text.h"

namespace attn::app {
namespace {

struct SimulateArgs {
  std::filesystem::path out;
  pathology::SimulateOptions options;
};

void declare_disease(pathology::SimulateOptions& o, OptionTable& table) {
  table.group("Disease");
  table.add({.name = "classes",
             .target = &o.classes,
             .help = "2: normal, tumor; 3: and spindle",
             .unit = "2|3",
             .min = 2,
             .max = 3});
  table.add({.name = "positive-fraction",
             .target = &o.positive_fraction,
             .help = "share of patients with foci",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "foci",
             .target = &o.foci,
             .help = "foci in a positive slide",
             .unit = "N",
             .min = 1,
             .max = 200});
  table.add({.name = "focus-diameter",
             .target = &o.focus_diameter_um,
             .help = "of one focus",
             .unit = "um",
             .min = 20,
             .max = 5000});
  table.add({.name = "focus-fraction",
             .target = &o.focus_fraction,
             .help = "area of the foci in the tissue; above 0 it replaces --focus-diameter",
             .unit = "0..0.5",
             .min = 0,
             .max = 0.5});
  table.add({.name = "second-slide-fraction",
             .target = &o.second_slide_fraction,
             .help = "share of patients with two slides",
             .unit = "0..1",
             .min = 0,
             .max = 1});
}

void declare_nuisances(pathology::SimulateOptions& o, OptionTable& table) {
  table.group("Nuisances");
  table.add({.name = "stain-variation",
             .target = &o.stain_variation,
             .help = "0: none; 1: as between hospitals",
             .unit = "0..2",
             .min = 0,
             .max = 2});
  table.add({.name = "pen",
             .target = &o.pen_probability,
             .help = "share of slides with pen marks",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "blur",
             .target = &o.blur_probability,
             .help = "share of slides with a blurred region",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "fold",
             .target = &o.fold_probability,
             .help = "share of slides with a fold",
             .unit = "0..1",
             .min = 0,
             .max = 1});
}

void declare(SimulateArgs& args, OptionTable& table) {
  auto& o = args.options;
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for slides/, labels.csv and truth/",
             .unit = "DIR",
             .required = true});
  table.group("Slides");
  table.add({.name = "slides",
             .target = &o.slides,
             .help = "how many",
             .unit = "N",
             .min = 1,
             .max = 100000});
  table.add({.name = "width",
             .target = &o.width_px,
             .help = "width of level 0",
             .unit = "px",
             .min = 512,
             .max = 100000});
  table.add({.name = "height",
             .target = &o.height_px,
             .help = "height of level 0",
             .unit = "px",
             .min = 512,
             .max = 100000});
  table.add({.name = "mpp",
             .target = &o.mpp,
             .help = "resolution of level 0",
             .unit = "um/px",
             .min = 0.2,
             .max = 2});
  table.add({.name = "jpeg-quality",
             .target = &o.jpeg_quality,
             .help = "of the tiles in the TIFF",
             .unit = "30..100",
             .min = 30,
             .max = 100});
  table.add({.name = "overwrite",
             .target = &o.overwrite,
             .help = "draw again what is finished",
             .control = true});
  declare_disease(o, table);
  declare_nuisances(o, table);
}

int run(const SimulateArgs& args, const Context& context) {
  pathology::SimulateOptions options = args.options;
  options.seed = static_cast<uint64_t>(context.common.seed);
  log_info(io::size_text(pathology::simulated_slide_bytes(options)) + " of memory a thread");
  const TimedHooks timed(context.hooks, "slides");
  const auto result =
      pathology::simulate_slides(args.out, options, context.common.threads, timed.hooks());
  context.progress.finish();
  if (context.common.json)
    print_json({{"out", args.out.string()}, {"drawn", result.drawn}, {"skipped", result.skipped}});
  else
    print(fmt::format("{} slides drawn, {} were there already: {}\n", result.drawn, result.skipped,
                      (args.out / "slides").string()));
  return kDone;
}

}  // namespace

Verb simulate_verb() {
  return bind(Verb{.name = "simulate",
                   .summary = "draw slides of known truth: pyramidal TIFFs, labels and outlines",
                   .example = "attn-mil simulate --out W/data --slides 40 --seed 7"},
              declare, run);
}

}  // namespace attn::app
