// Inside the room: checks shared by its files.
#pragma once

#include "pathology/heatmap/heatmap.h"

namespace pathology {

/// Throws attn::Error when the vectors' lengths differ, the side is not positive, or a score is not
/// finite.
void check(const TileScores& tiles);

}  // namespace pathology
