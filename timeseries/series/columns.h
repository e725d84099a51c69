// Which column of a table is what. Of read_series alone.
#pragma once

#include <string>
#include <vector>

#include "libattn/io/table.h"
#include "timeseries/series/read.h"

namespace timeseries {

struct ColumnRoles {
  Layout layout = Layout::wide;
  std::string time;  ///< empty: rows are counted
  std::string id;    ///< empty but for longform, and the first column of rows
  std::vector<std::string> targets, past, future, statics;
  bool targets_named = false;  ///< by the caller
};

/// Columns as named, the others found. Time: date, datetime, timestamp, ds, ... by name, month,
/// week, year, ... by name where they hold dates, else the first column whose first cells are
/// dates. Id: unique_id, item_id, series_id, ... where a value repeats. Rows: columns named V1, V2,
/// ... Throws Error for a column that is not there or has two roles, UsageError for names that the
/// layout has no use for.
ColumnRoles choose_columns(const attn::io::Table& table, const ReadOptions& options,
                           std::vector<std::string>& notes);

}  // namespace timeseries
