#include "finance/score/check_lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"

namespace finance {
namespace {

void check_offsets(std::span<const int64_t> offsets) {
  if (offsets.size() < 2)
    throw attn::Error("there are no lists to score: expected one list of rows at least");
  if (offsets.front() != 0)
    throw attn::Error(
        fmt::format("the first list starts at row {}, expected at row 0", offsets.front()));
  const auto falls = std::is_sorted_until(offsets.begin(), offsets.end());
  if (falls != offsets.end())
    throw attn::Error(fmt::format("list {} ends before it starts: the offsets of lists must rise",
                                  falls - offsets.begin()));
}

/// The first row that `good` refuses is named with its list.
template <class Good>
void check_values(const ScoredLists& lists, std::span<const double> column, const char* what,
                  const char* expected, Good good) {
  const auto bad = std::find_if_not(column.begin(), column.end(), good);
  if (bad == column.end()) return;
  const int64_t row = bad - column.begin();
  const auto after = std::upper_bound(lists.offsets.begin(), lists.offsets.end(), row);
  throw attn::Error(
      fmt::format("the {} of row {} of list {} (both counted from 1) is {}, expected {}", what,
                  row - *(after - 1) + 1, after - lists.offsets.begin(), *bad, expected));
}

}  // namespace

void check_length(std::string_view what, size_t found, size_t expected) {
  if (found != expected)
    throw attn::Error(fmt::format("there are {} {} for {} rows: expected one for every row", found,
                                  what, expected));
}

void check_lists(const ScoredLists& scored, bool score_optional) {
  check_offsets(scored.offsets);
  const auto rows = static_cast<size_t>(scored.offsets.back());
  if (!score_optional || !scored.score.empty()) check_length("scores", scored.score.size(), rows);
  if (!scored.label.empty()) check_length("labels", scored.label.size(), rows);
  if (!scored.profit.empty()) check_length("profits", scored.profit.size(), rows);
  const auto finite = [](double v) { return std::isfinite(v); };
  check_values(scored, scored.score, "score", "a finite number", finite);
  check_values(scored, scored.profit, "profit", "a finite number", finite);
  check_values(scored, scored.label, "label", "a finite number of at least 0",
               [](double v) { return std::isfinite(v) && v >= 0; });
}

void check_column(std::span<const double> column, std::string_view what) {
  if (column.empty())
    throw attn::Error(fmt::format("there is no {}: expected one row at least", what));
  const auto bad =
      std::find_if_not(column.begin(), column.end(), [](double v) { return std::isfinite(v); });
  if (bad != column.end())
    throw attn::Error(
        fmt::format("the {} of row {} (counted from 1) is {}, expected a finite number", what,
                    bad - column.begin() + 1, *bad));
}

void check_depth(int64_t k) {
  if (k < 1)
    throw attn::UsageError(fmt::format("a metric of the first {} rows: expected 1 or more", k));
}

void check_threshold(double threshold) {
  if (std::isnan(threshold))
    throw attn::UsageError("the threshold of decisions is nan: expected a number");
}

}  // namespace finance
