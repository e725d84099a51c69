#include "vision/gaze/metric/recurrence.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "attn/error.h"

namespace gaze {
namespace {

/// Points on lines of at least `least` points, of lines that are followed side by side.
class Lines {
 public:
  Lines(size_t lines, size_t least) : run_(lines), least_(least) {}

  void see(size_t line, bool recurrent) {
    size_t& run = run_[line];
    run = recurrent ? run + 1 : 0;
    if (run == least_)
      points_ += static_cast<double>(least_);
    else if (run > least_)
      ++points_;
  }
  double points() const { return points_; }

 private:
  std::vector<size_t> run_;
  size_t least_;
  double points_ = 0;
};

struct Counts {
  double points = 0, on_diagonals = 0, on_straights = 0;
  double lag = 0;  ///< sum of j - i
};

/// Over i and j of a square of n, or only j > i.
template <class Recurs>
Counts count(size_t n, bool upper, size_t least, Recurs recurs) {
  Lines horizontal(n, least), vertical(n, least), diagonal(2 * n, least);
  Counts counts;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = upper ? i + 1 : 0; j < n; ++j) {
      const bool r = recurs(i, j);
      horizontal.see(i, r);
      vertical.see(j, r);
      diagonal.see(n + j - i, r);
      if (!r) continue;
      ++counts.points;
      counts.lag += static_cast<double>(j) - static_cast<double>(i);
    }
  counts.on_diagonals = diagonal.points();
  counts.on_straights = horizontal.points() + vertical.points();
  return counts;
}

Recurrence shares(const Counts& counts, double pairs, double n) {
  if (counts.points == 0) return {0, 0, 0, 0};
  return {100 * counts.points / pairs, 100 * counts.on_diagonals / counts.points,
          100 * counts.on_straights / (2 * counts.points),
          100 * counts.lag / ((n - 1) * counts.points)};
}

void check(const RecurrenceOptions& options) {
  if (!(options.radius >= 0) || options.line < 1)
    throw attn::UsageError(fmt::format(
        "recurrence within {} pixels, lines of {} points: expected a radius not below 0 "
        "and lines of at least 1",
        options.radius, options.line));
}

}  // namespace

Recurrence recurrence(Fixations path, const RecurrenceOptions& options) {
  check(options);
  if (path.size() < 2 || !positions_defined(path)) return {};
  const auto recurs = [&](size_t i, size_t j) {
    return distance(path[i], path[j]) <= options.radius;
  };
  const auto n = static_cast<double>(path.size());
  return shares(count(path.size(), true, options.line, recurs), n * (n - 1) / 2, n);
}

Recurrence cross_recurrence(Fixations a, Fixations b, const RecurrenceOptions& options) {
  check(options);
  const size_t shorter = std::min(a.size(), b.size());
  a = truncated(a, shorter);
  b = truncated(b, shorter);
  if (!positions_defined(a) || !positions_defined(b)) return {};
  const auto recurs = [&](size_t i, size_t j) { return distance(a[i], b[j]) <= options.radius; };
  const auto n = static_cast<double>(shorter);
  const Recurrence all = shares(count(shorter, false, options.line, recurs), n * n, n);
  if (shorter == 1) return {.recurrence = all.recurrence};
  return all;
}

}  // namespace gaze
