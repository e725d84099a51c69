// Lists of traders as the house holds them: one trading window a list, one trader a row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finance {

/// A column of numbers kept beside the features: costs, stakes, another model's scores.
struct NamedColumn {
  std::string name;
  std::vector<double> values;  ///< (R)
};

/// A column of words; "" is a missing one.
struct CategoryColumn {
  std::string name;
  std::vector<std::string> values;  ///< (R)
};

/// L lists of R rows, one after the other: list l is rows offsets[l] ... offsets[l + 1] - 1.
struct RankLists {
  std::string name;  ///< what messages call the file: its path, or "standard input"
  std::vector<int64_t> offsets{0};
  std::vector<std::string> list_ids;       ///< (L)
  bool file_has_ids = false;               ///< list_ids are what the file calls its lists
  std::vector<std::string> feature_names;  ///< (F), of numbers
  std::vector<float> features;             ///< (R,F), row-major; NaN: missing
  std::vector<CategoryColumn> categories;  ///< (C)
  std::vector<double> label;               ///< (R), or empty; >= 0, 0: not relevant
  std::vector<double> profit;              ///< (R), or empty; money, of both signs
  /// (R) what a row brings where it is not flagged, -C_FN or -C_TN, where profit is made of costs;
  /// else empty.
  std::vector<double> unflagged;
  std::vector<NamedColumn> kept;      ///< other columns that were asked for
  std::vector<std::string> times;     ///< (L) of the time column, or empty
  std::vector<int64_t> rows_in_file;  ///< (R): 0-based row of the file, header not counted
  std::vector<std::string> unused;  ///< columns of a table that are none of all these, nor ignored

  int64_t lists() const { return static_cast<int64_t>(list_ids.size()); }
  int64_t rows() const { return offsets.back(); }
  int64_t width() const { return static_cast<int64_t>(feature_names.size()); }
  /// The kept column of this name, or null.
  const NamedColumn* find(std::string_view column) const;
};

/// The lists at `which` (indices of lists), in that order.
RankLists selected(const RankLists& all, const std::vector<int64_t>& which);
/// The rows of `more` behind those of `all`, which has the same columns (std::logic_error).
void append(RankLists& all, const RankLists& more);

}  // namespace finance
