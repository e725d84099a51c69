#include "vision/gaze/metric/strings.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "attn/error.h"

namespace gaze {
namespace {

constexpr double kMostSymbols = 100'000;

bool somewhere(Symbols symbols) {
  return std::all_of(symbols.begin(), symbols.end(), [](int64_t s) { return s >= 0; });
}

bool comparable(Symbols a, Symbols b) {
  return !(a.empty() && b.empty()) && somewhere(a) && somewhere(b);
}

double longer(Symbols a, Symbols b) {
  return static_cast<double>(std::max(a.size(), b.size()));
}

/// The corner of F_ij = max(F_{i-1,j-1} + gain(a_i, b_j), F_{i-1,j}, F_{i,j-1}), F = 0 at the
/// edges. `gain` is symmetric.
template <class Gain>
double needleman_wunsch(Symbols a, Symbols b, Gain gain) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<double> row(b.size() + 1);
  for (const int64_t s : a) {
    double diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const double above = row[j + 1];
      row[j + 1] = std::max({diagonal + gain(s, b[j]), above, row[j]});
      diagonal = above;
    }
  }
  return row.back();
}

int64_t cell(double position, double side, int64_t cells) {
  const double last = std::max(0.0, std::ceil(side) - 1);
  const double pixel = std::trunc(std::clamp(position, 0.0, last));
  const double at = std::floor(pixel * static_cast<double>(cells) / side);
  return std::min(static_cast<int64_t>(at), cells - 1);
}

void check_grid(const Grid& grid) {
  constexpr int64_t most = 1'000'000;
  if (grid.columns < 1 || grid.rows < 1 || grid.columns > most || grid.rows > most)
    throw attn::UsageError(fmt::format("a grid of {} x {} cells: expected 1 to {} each way",
                                       grid.columns, grid.rows, most));
}

double bins(double duration, double bin, TimeRule rule) {
  const double halves = 2 * duration / bin, nearest = std::nearbyint(halves);
  const double count =
      (std::abs(halves - nearest) < 1e-9 * std::max(1.0, nearest) ? nearest : halves) / 2;
  // nearbyint rounds halves to even in the default rounding mode.
  return rule == TimeRule::floor ? std::floor(count) : std::nearbyint(count);
}

}  // namespace

std::vector<int64_t> grid_symbols(Fixations path, const Screen& screen, const Grid& grid) {
  check_screen(screen);
  check_grid(grid);
  std::vector<int64_t> symbols;
  symbols.reserve(path.size());
  for (const Fixation& f : path)
    symbols.push_back(has_position(f) ? cell(f.y, screen.height, grid.rows) * grid.columns +
                                            cell(f.x, screen.width, grid.columns)
                                      : kNowhere);
  return symbols;
}

std::vector<int64_t> repeat_by_time(Symbols symbols, Fixations path, double bin, TimeRule rule) {
  if (!(bin > 0))
    throw attn::UsageError(fmt::format("a temporal bin of {} s: expected a number above 0", bin));
  if (symbols.size() != path.size())
    throw attn::Error(fmt::format("{} symbols for {} fixations: expected one for each",
                                  symbols.size(), path.size()));
  std::vector<int64_t> out;
  for (size_t i = 0; i < path.size(); ++i) {
    const double duration = path[i].duration;
    if (!(duration >= 0 && std::isfinite(duration))) {
      out.push_back(kNowhere);
      continue;
    }
    const double count = bins(duration, bin, rule);
    if (static_cast<double>(out.size()) + count > kMostSymbols)
      throw attn::Error(
          fmt::format("fixation {} lasts {} s, which in bins of {} s makes more than {} symbols of "
                      "one scanpath: "
                      "give durations in seconds, or a wider bin",
                      i + 1, duration, bin, kMostSymbols));
    out.insert(out.end(), static_cast<size_t>(count), symbols[i]);
  }
  return out;
}

double sequence_score(Symbols a, Symbols b) {
  if (!comparable(a, b)) return kNaN;
  const auto gain = [](int64_t s, int64_t t) { return s == t ? 1.0 : 0.0; };
  return needleman_wunsch(a, b, gain) / longer(a, b);
}

double levenshtein(Symbols a, Symbols b) {
  if (!somewhere(a) || !somewhere(b)) return kNaN;
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), int64_t{0});
  for (const int64_t s : a) {
    int64_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = std::min({diagonal + (s == b[j] ? 0 : 1), above + 1, row[j] + 1});
      diagonal = above;
    }
  }
  return static_cast<double>(row.back());
}

double normalised_levenshtein(Symbols a, Symbols b) {
  return comparable(a, b) ? levenshtein(a, b) / longer(a, b) : kNaN;
}

double scanmatch(Fixations a, Fixations b, const Screen& screen, const ScanMatchOptions& options) {
  if (!(options.threshold > 0 && std::isfinite(options.threshold)))
    throw attn::UsageError(
        fmt::format("a ScanMatch threshold of {}: expected a number above 0", options.threshold));
  if (!std::all_of(a.begin(), a.end(), has_position) ||
      !std::all_of(b.begin(), b.end(), has_position))
    return kNaN;
  const auto symbols = [&](Fixations path) {
    auto cells = grid_symbols(path, screen, options.grid);
    return options.temporal_bin
               ? repeat_by_time(cells, path, *options.temporal_bin, TimeRule::round_half_to_even)
               : cells;
  };
  const std::vector<int64_t> one = symbols(a), two = symbols(b);
  if (!comparable(one, two)) return kNaN;
  const int64_t columns = options.grid.columns;
  const auto gain = [&](int64_t s, int64_t t) {
    const int64_t right = s % columns - t % columns, down = s / columns - t / columns;
    return options.threshold - std::sqrt(static_cast<double>(right * right + down * down));
  };
  return needleman_wunsch(one, two, gain) / (options.threshold * longer(one, two));
}

}  // namespace gaze
