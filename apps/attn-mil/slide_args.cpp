#include "apps/attn-mil/slide_args.h"

#include <map>

#include "pathology/slide/encoder.h"

namespace attn::app {
namespace {

const std::map<std::string, pathology::TileTest> kTileTests{
    {"four-points", pathology::TileTest::four_points},
    {"four-points-hard", pathology::TileTest::four_points_hard},
    {"center", pathology::TileTest::center},
    {"corner", pathology::TileTest::corner}};

}  // namespace

pathology::Slide SlideArgs::open(const pathology::SlideItem& item) const {
  return pathology::Slide::open(item.path, {.instead = item.mpp, .otherwise = slide_mpp}, item.id);
}

void declare_slides(SlideArgs& args, OptionTable& table) {
  table.add({.name = "SLIDES",
             .target = &args.inputs,
             .help = "slides, folders of slides, or manifests (CSV with a column slide; optional "
                     "slide_id, mpp)",
             .required = true,
             .positional = true});
  declare_slide_mpp(args.slide_mpp, table);
}

void declare_slide_mpp(std::optional<double>& mpp, OptionTable& table) {
  table.add({.name = "slide-mpp",
             .target = &mpp,
             .help =
                 "microns per pixel of level 0, for slides that state none (a manifest's column "
                 "mpp also replaces a wrong one)",
             .unit = "um/px",
             .min = pathology::kMinMpp,
             .max = pathology::kMaxMpp});
}

void declare_max_unreadable(double& share, OptionTable& table) {
  table.add({.name = "max-unreadable",
             .target = &share,
             .help = "largest share of a slide's tissue or tiles that may be undecodable; a slide "
                     "beyond it has failed",
             .unit = "0..1",
             .min = 0,
             .max = 1});
}

void declare_encoder(std::string& encoder, OptionTable& table) {
  table.add({.name = "encoder",
             .target = &encoder,
             .help = "what turns a tile into a vector",
             .choices = pathology::encoder_names()});
}

pathology::TissueOptions TissueArgs::options() const {
  pathology::TissueOptions out = pathology::tissue_preset(preset);
  if (downsample) out.downsample = *downsample;
  if (saturation) out.saturation_threshold = static_cast<int>(*saturation);
  if (median) out.median = static_cast<int>(*median);
  if (close) out.close = static_cast<int>(*close);
  if (max_holes) out.max_holes = static_cast<int>(*max_holes);
  if (min_area) {
    out.min_area = *min_area;
    out.small_slide_share = 1;  // what was asked for is not lowered on small slides
  }
  if (min_hole_area) out.min_hole_area = *min_hole_area;
  out.otsu = otsu;
  out.remove_pen = remove_pen;
  pathology::check(out);
  return out;
}

void declare_tissue(TissueArgs& args, OptionTable& table) {
  table.group("Tissue (areas in units of 512 x 512 level-0 pixels, as CLAM)");
  table.add({.name = "tissue-preset",
             .target = &args.preset,
             .help = "CLAM's parameter sets; the options below replace single values of it",
             .choices = {"default", "biopsy", "tcga"}});
  table.add(
      {.name = "otsu", .target = &args.otsu, .help = "threshold the saturation by Otsu's method"});
  table.add({.name = "saturation",
             .target = &args.saturation,
             .help = "threshold of the HSV saturation",
             .unit = "0..254",
             .min = 0,
             .max = 254});
  table.add({.name = "median",
             .target = &args.median,
             .help = "side of the median filter, odd",
             .unit = "px",
             .min = 1,
             .max = 255});
  table.add({.name = "close",
             .target = &args.close,
             .help = "side of the closing kernel; 0: off",
             .unit = "px",
             .min = 0,
             .max = 1000});
  table.add({.name = "min-area",
             .target = &args.min_area,
             .help =
                 "smallest piece of tissue kept; if not given, the default preset lowers its areas "
                 "to suit small slides",
             .unit = "A",
             .min = 0});
  table.add({.name = "min-hole-area",
             .target = &args.min_hole_area,
             .help = "smallest hole kept",
             .unit = "A",
             .min = 0});
  table.add({.name = "max-holes",
             .target = &args.max_holes,
             .help = "holes kept in a piece, the largest first",
             .unit = "N",
             .min = 0,
             .max = 100000});
  table.add({.name = "mask-downsample",
             .target = &args.downsample,
             .help = "the mask is made at the level nearest to this (64 by preset)",
             .unit = "X",
             .min = 1,
             .max = 10000});
  table.add({.name = "remove-pen",
             .target = &args.remove_pen,
             .help = "take pen marks (green, blue, red, black ink) out of the tissue"});
}

pathology::TileOptions TileArgs::options() const {
  pathology::TileOptions out = tile;
  out.test = kTileTests.at(test);
  pathology::check(out);
  return out;
}

void declare_tiles(TileArgs& args, OptionTable& table) {
  table.group("Tiles");
  table.add({.name = "mpp",
             .target = &args.tile.mpp,
             .help = "resolution of the tiles",
             .unit = "um/px",
             .min = pathology::kMinMpp,
             .max = pathology::kMaxMpp});
  table.add({.name = "tile",
             .target = &args.tile.size,
             .help = "side of a tile",
             .unit = "px",
             .min = 8,
             .max = 4096});
  table.add({.name = "overlap",
             .target = &args.tile.overlap,
             .help = "shared by neighbouring tiles",
             .unit = "px",
             .min = 0});
  table.add({.name = "tile-test",
             .target = &args.test,
             .help = "which points of a tile must be tissue (CLAM's contour_fn)",
             .choices = {"four-points", "four-points-hard", "center", "corner"}});
  table.add({.name = "min-tissue",
             .target = &args.tile.min_tissue,
             .help = "smallest share of a tile that must be tissue",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add(
      {.name = "padding", .target = &args.tile.padding, .help = "tiles may pass the slide's edge"});
  table.add({.name = "max-upsampling",
             .target = &args.tile.max_upsampling,
             .help = "how much finer than level 0 --mpp may be",
             .unit = "X",
             .min = 1,
             .max = 16});
}

}  // namespace attn::app
