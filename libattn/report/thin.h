// Fewer points for a curve that has more than a picture can show.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace attn::report {

/// Places, ascending, of at most `most` (>= 8) of the values, all of them where there are no more:
/// the first and the last, and of each of equal stretches the least, the greatest, and one that is
/// not finite, so that peaks stay and gaps stay gaps.
std::vector<size_t> thinned(std::span<const double> values, size_t most);

/// The values at these places.
std::vector<double> picked(std::span<const double> values, std::span<const size_t> places);

}  // namespace attn::report
