// A rectangle on the screen: a target, an object. Header-only; includes no other room.
#pragma once

#include <string>

#include "vision/gaze/scanpath/fixation.h"

namespace gaze {

struct Box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;  ///< pixels; x0 <= x1, y0 <= y1
  std::string label = {};                 ///< what is in it, where that is told
  double score = kNaN;                    ///< of the detector that found it, as that tells it
};

/// Its edges belong to the box.
inline bool contains(const Box& box, const Fixation& f) {
  return f.x >= box.x0 && f.x <= box.x1 && f.y >= box.y0 && f.y <= box.y1;
}

}  // namespace gaze
