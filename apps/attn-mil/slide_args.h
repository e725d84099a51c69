// Options that several verbs over slides share, declared once.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "pathology/slide/find_slides.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tiles.h"
#include "pathology/slide/tissue.h"

namespace attn::app {

/// Which slides.
struct SlideArgs {
  std::vector<std::filesystem::path> inputs;
  std::optional<double> slide_mpp;

  /// The slides of all inputs. Throws attn::Error: nothing found, an id twice.
  std::vector<pathology::SlideItem> find() const;
  /// Opens one of them: --slide-mpp goes before the manifest's column, and that before the file.
  pathology::Slide open(const pathology::SlideItem& item) const;
};
void declare_slides(SlideArgs& args, OptionTable& table);

/// How tissue is found: a preset, and what is given besides it.
struct TissueArgs {
  std::string preset = "biopsy";
  std::optional<int64_t> saturation, median, close, max_holes;
  std::optional<double> downsample, min_area, min_hole_area;
  bool otsu = false;
  bool remove_pen = false;

  pathology::TissueOptions options() const;
};
void declare_tissue(TissueArgs& args, OptionTable& table);

/// How tiles are cut.
struct TileArgs {
  pathology::TileOptions tile;
  std::string test = "four-points";

  pathology::TileOptions options() const;
};
void declare_tiles(TileArgs& args, OptionTable& table);

}  // namespace attn::app
