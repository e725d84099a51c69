// Where the tissue is: CLAM's segmentation by saturation, in its units, so that its parameters can
// be carried over. Lu et al., Data-efficient and weakly supervised computational pathology on
// whole-slide images, Nat Biomed Eng 2021.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/error.h"
#include "attn/hooks.h"
#include "pathology/slide/slide.h"

namespace pathology {

/// Parameters of `find_tissue`. Lengths are px of the mask's level; areas are units of 512 x 512
/// level-0 px.
struct TissueOptions {
  double downsample =
      64;  ///< the mask is made at the level nearest above this resolution (largest level <= it)
  int saturation_threshold = 8;  ///< HSV saturation (0..255) above which a pixel is tissue
  bool otsu = false;             ///< choose the threshold by Otsu's method instead
  int median = 7;                ///< side of the median filter on the saturation; odd, 1 is off
  int close = 4;  ///< side of the square kernel of the morphological closing; 0 is off
  std::optional<double> min_area;  ///< smallest piece kept, holes taken off (CLAM a_t); unset: 100
  std::optional<double> min_hole_area;  ///< smallest hole kept (CLAM a_h); unset: 16
  int max_holes = 8;                    ///< holes kept per piece, the largest first
  /// On a small slide an unset `min_area` is lowered to this share of the slide, and an unset
  /// `min_hole_area` by the same factor: CLAM's 100 units are 26 megapixels, more than many
  /// biopsies and every test slide have. 1: as CLAM, never lowered. Values that are set are kept.
  double small_slide_share = 0.01;
  bool remove_pen =
      false;  ///< take saturated ink (green, blue, red pen) and black out before thresholding
  int64_t max_mask_pixels =
      int64_t{1} << 24;  ///< a larger level is reduced by area in blocks while it is read
  bool operator==(const TissueOptions&) const = default;
};

/// "default", "biopsy" (CLAM's bwh_biopsy) or "tcga". Throws attn::UsageError, naming the three,
/// otherwise.
TissueOptions tissue_preset(const std::string& name);

nlohmann::json to_json(const TissueOptions& options);
/// Throws attn::Error for a missing or ill-typed key, or a value outside its range.
TissueOptions tissue_options_from_json(const nlohmann::json& json);
/// Throws attn::UsageError for a value outside its range (even median, negative area, ...).
void check(const TissueOptions& options);

using Contour = std::vector<cv::Point>;  ///< closed, level-0 px

/// One piece of tissue.
struct TissuePiece {
  Contour outline;
  std::vector<Contour> holes;
};

/// Tissue of one slide.
struct TissueMask {
  cv::Mat mask;  ///< 8UC1, 255 = tissue: the kept pieces less their kept holes
  double downsample_x = 1, downsample_y = 1;  ///< level-0 px per mask px
  std::vector<TissuePiece> pieces;            ///< in the order the contours are found
  double threshold = 0;               ///< the saturation threshold used (of interest with Otsu)
  int level = 0;                      ///< read from this level
  double unreadable = 0;              ///< share of the tissue that could not be decoded
  double unreadable_area = 0;         ///< share of the whole slide that could not be
  int64_t pieces_found = 0;           ///< before the filter by area
  double area_mm2(double mpp) const;  ///< area of the mask
};

/// Largest share of a slide's tissue or tiles that may be undecodable, unless the user says
/// otherwise: above, the slide counts as failed.
inline constexpr double kMaxUnreadable = 0.1;
/// The sentence of a slide that is beyond it: `share` of its `what` cannot be decoded, `why` being
/// the first reason met.
attn::Error too_unreadable(const Slide& slide, const std::string& share, const std::string& what,
                           double max_unreadable, const std::string& why);
/// "0.8 %", at least "0.1 %".
std::string percent_text(double share);

/// Tissue of a slide:
///   S of HSV -> median filter -> S > threshold -> closing -> contours with holes -> filter by area
///   -> level-0 px.
/// A level above `max_mask_pixels` (a slide without a low level) is read in blocks and reduced by
/// whole factors. Threads: blocks are read by `threads`. Memory: the mask's S and mask (2 bytes a
/// pixel) and a 2048 x 2048 block a thread. What cannot be decoded is narrowed down
/// (`read_reduced`) and sought at the next finer level. What no level gives may be tissue: it is
/// made tissue before the closing, so that tiles are laid over it, and is warned of. Throws
/// attn::Error where no part can be read, or more than the share `max_unreadable` of the slide or
/// of its tissue cannot; Interrupted.
TissueMask find_tissue(const Slide& slide, const TissueOptions& options,
                       const attn::Hooks& hooks = {}, int threads = 1, double max_unreadable = 1);

/// Thumbnail (RGB, longer side at most `longest_side`) with outlines (green) and holes (blue) drawn
/// over it.
cv::Mat tissue_preview(const Slide& slide, const TissueMask& tissue, int longest_side = 1024);

/// Writes an RGB picture (8UC3) as .png or .jpg, whole or not at all. Throws attn::Error with the
/// reason.
void write_picture(const std::filesystem::path& path, const cv::Mat& rgb);

}  // namespace pathology
