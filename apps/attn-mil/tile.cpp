#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"

#include <nlohmann/json.hpp>

namespace attn::app {
namespace {

struct TileVerbArgs {
  SlideArgs slides;
  TissueArgs tissue;
  TileArgs tile;
  std::filesystem::path out;
};

void declare(TileVerbArgs& args, OptionTable& table) {
  declare_slides(args.slides, table);
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for patches/, previews/ and tiles.csv",
             .unit = "DIR",
             .required = true});
  declare_max_unreadable(args.slides.max_unreadable, table);
  declare_tiles(args.tile, table);
  declare_tissue(args.tissue, table);
}

int run(const TileVerbArgs& args, const Context& context) {
  const pathology::TileJob job{args.tissue.options(), args.tile.options(),
                               args.slides.max_unreadable};
  const auto result = tile_stage(args.slides, args.slides.find(), job, args.out, context);
  if (context.common.json) print_json(to_json(result));
  return result.exit_code();
}

}  // namespace

Verb tile_verb() {
  return bind(Verb{.name = "tile",
                   .summary = "find the tissue of slides and cut it into tiles: coordinates in "
                              "CLAM's HDF5 layout, with previews",
                   .example = "attn-mil tile W/data/slides --out W/tiles --mpp 1.0 --tile 256",
                   .batch = true},
              declare, run);
}

}  // namespace attn::app
