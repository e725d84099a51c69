#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"

#include <nlohmann/json.hpp>

#include "pathology/chain/pipeline.h"
#include "pathology/slide/encoder.h"

namespace attn::app {
namespace {

struct FeaturesArgs {
  std::filesystem::path tiles, out;
  std::optional<std::filesystem::path> slides;
  std::optional<double> slide_mpp;
  double max_unreadable = pathology::kMaxUnreadable;
  std::string encoder = pathology::encoder_names().front();
};

void declare(FeaturesArgs& args, OptionTable& table) {
  table.add({.name = "TILES",
             .target = &args.tiles,
             .help = "a folder made by tile (or by CLAM), or one tile file",
             .required = true,
             .positional = true});
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for SLIDE.h5",
             .unit = "DIR",
             .required = true});
  declare_encoder(args.encoder, table);
  table.add({.name = "slides",
             .target = &args.slides,
             .help = "where the slides are, if no longer where tile found them",
             .unit = "DIR"});
  declare_slide_mpp(args.slide_mpp, table);
  declare_max_unreadable(args.max_unreadable, table);
}

int run(const FeaturesArgs& args, const Context& context) {
  const auto encoder = pathology::make_encoder(args.encoder);
  std::vector<pathology::FeatureInput> inputs;
  for (const auto& file : pathology::find_tile_files(args.tiles)) inputs.push_back({file, {}});
  const pathology::FeatureJob job{*encoder, args.slides.value_or(std::filesystem::path()),
                                  args.slide_mpp, args.max_unreadable};
  const auto result = features_stage(inputs, job, args.out, context);
  if (context.common.json) print_json(to_json(result));
  return result.exit_code();
}

}  // namespace

Verb features_verb() {
  return bind(Verb{.name = "features",
                   .summary = "turn tiles into feature vectors, one .h5 a slide in CLAM's layout",
                   .example = "attn-mil features W/tiles --out W/features",
                   .batch = true},
              declare, run);
}

}  // namespace attn::app
