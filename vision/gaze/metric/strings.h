// Scanpaths as strings of symbols: grid cells, clusters, objects, segments.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vision/gaze/metric/scanpath.h"

namespace gaze {

/// Numbers from 0; below 0 stands for a fixation that is nowhere, and every score with one is NaN.
using Symbols = std::span<const int64_t>;
inline constexpr int64_t kNowhere = -1;

struct Grid {
  int64_t columns = 8, rows = 6;
};

/// Cell row * columns + column of each fixation: the position is cut to the screen, then to a whole
/// pixel x, and column = floor(x columns / width), row likewise (as GazeParser's ScanMatch has it).
/// kNowhere where the position is not finite. attn::UsageError for a grid or screen that makes no
/// sense.
std::vector<int64_t> grid_symbols(Fixations path, const Screen& screen, const Grid& grid);

/// How often a symbol stands for T seconds of fixation in bins of `bin` seconds: floor(T / bin)
/// (sequence score with time, bins of 50 ms), or T / bin rounded, halves to even (ScanMatch). Times
/// within 1e-9 of a boundary lie on it, so that milliseconds survive as seconds.
enum class TimeRule { floor, round_half_to_even };

/// Each symbol repeated by its fixation's duration; one kNowhere for a duration that is negative or
/// not finite. Throws attn::Error where lengths differ and where more than 100,000 symbols would
/// stand for one scanpath (durations in milliseconds?), attn::UsageError for a bin that is not
/// above 0.
std::vector<int64_t> repeat_by_time(Symbols symbols, Fixations path, double bin, TimeRule rule);

// Of two strings of n and m symbols. NaN where both are empty (where one is: the worst value). All
// are symmetric; O(n m) time, O(min(n, m)) memory.

/// Sequence score: Needleman and Wunsch (1970) with match 1, mismatch 0, gap 0, over max(n, m). In
/// [0, 1]; 1 for equal strings.
double sequence_score(Symbols a, Symbols b);

/// Least number of symbols put in, left out or exchanged (Levenshtein 1966); also 0 of two empty
/// strings.
double levenshtein(Symbols a, Symbols b);
/// The same over max(n, m), in [0, 1].
double normalised_levenshtein(Symbols a, Symbols b);

struct ScanMatchOptions {
  Grid grid;
  double threshold = 3.5;                   ///< in cells; cells nearer than it gain
  std::optional<double> temporal_bin = {};  ///< seconds; none: one symbol a fixation
};

/// ScanMatch (Cristino, Mathot, Theeuwes and Gilchrist 2010): Needleman and Wunsch on grid cells,
/// substitution threshold - Euclidean distance of the cells, gap 0, over threshold max(n, m). (The
/// greatest value of the table, which is scored, stands in its corner where gaps cost nothing.)
/// In [0, 1]. NaN as above, for a position that is not finite, and with `temporal_bin` for a
/// duration that is negative or not finite and where no scanpath reaches a bin. Throws as
/// repeat_by_time does.
double scanmatch(Fixations a, Fixations b, const Screen& screen,
                 const ScanMatchOptions& options = {});

}  // namespace gaze
