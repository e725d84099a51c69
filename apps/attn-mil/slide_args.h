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
  double max_unreadable = pathology::kMaxUnreadable;

  /// The slides of all inputs; `columns` of manifests. Throws attn::Error: nothing found, an id
  /// twice.
  std::vector<pathology::SlideItem> find(const pathology::LabelOptions& columns = {}) const {
    return pathology::find_slides(inputs, columns);
  }
  /// Opens one of them: the manifest's mpp goes before what the file states, --slide-mpp after it.
  pathology::Slide open(const pathology::SlideItem& item) const;
};
/// The positional SLIDES, and --slide-mpp.
void declare_slides(SlideArgs& args, OptionTable& table);
void declare_slide_mpp(std::optional<double>& mpp, OptionTable& table);
void declare_max_unreadable(double& share, OptionTable& table);

/// What turns a tile into a vector.
void declare_encoder(std::string& encoder, OptionTable& table);

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
