#include "vision/gaze/metric/scanpath.h"

#include <fmt/format.h>

#include "attn/error.h"

namespace gaze {

bool positions_defined(Fixations path) {
  return !path.empty() && std::all_of(path.begin(), path.end(), has_position);
}

void check_screen(const Screen& screen) {
  const auto good = [](double side) { return std::isfinite(side) && side > 0; };
  if (!good(screen.width) || !good(screen.height))
    throw attn::UsageError(
        fmt::format("a screen of {} x {} pixels: expected two finite numbers above 0", screen.width,
                    screen.height));
}

}  // namespace gaze
