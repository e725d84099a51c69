// What this room asks of its columns.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "finance/score/rank_metrics.h"

namespace finance {

/// Throws attn::Error unless there are lists, their offsets go from 0 upwards, every column that is
/// not empty has one value a row, scores and profits are finite, labels finite and >= 0. Scores
/// must be there unless `score_optional`.
void check_lists(const ScoredLists& scored, bool score_optional = false);

/// Throws attn::Error for a value that is not finite, naming `what` and the row, counted from 1,
/// and where there are no rows.
void check_column(std::span<const double> column, std::string_view what);

/// Throws attn::Error where the two numbers of rows differ.
void check_length(std::string_view what, size_t found, size_t expected);

/// Throws attn::UsageError for a metric at fewer rows than one, a threshold that is no number.
void check_depth(int64_t k);
void check_threshold(double threshold);

/// Rows offsets[l] ... offsets[l + 1] - 1 of a column; of a column that is empty, none.
inline std::span<const double> rows_of(const ScoredLists& lists, std::span<const double> column,
                                       int64_t l) {
  const auto from = static_cast<size_t>(lists.offsets[static_cast<size_t>(l)]);
  const auto to = static_cast<size_t>(lists.offsets[static_cast<size_t>(l) + 1]);
  return column.empty() ? column : column.subspan(from, to - from);
}

}  // namespace finance
