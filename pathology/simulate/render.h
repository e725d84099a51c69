// From a scene to pixels, block by block.
#pragma once

#include <opencv2/core/mat.hpp>

#include "pathology/simulate/scene.h"

namespace pathology::sim {

/// The pixels of `block` (level-0, inside the slide), RGB 8 bit. A pixel depends on the scene only,
/// not on the block it is drawn in.
cv::Mat3b render_block(const Scene& scene, const cv::Rect& block);

/// Amounts of stain in a block. Each map has the block's size.
struct StainMaps {
  cv::Mat1f haematoxylin;
  cv::Mat1f eosin;
  cv::Mat1f red;
};

/// Adds the nuclei and red cells that reach into `block`.
void render_cells(const Scene& scene, const cv::Rect& block, StainMaps& maps);

}  // namespace pathology::sim
