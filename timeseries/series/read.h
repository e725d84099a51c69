// Files into series.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/series/stamp.h"

namespace timeseries {

/// How a table holds series: `wide`, one row an instant, one column a channel; `longform`, the same
/// with a column of ids, many series one below the other; `rows`, one row a series (the M4
/// competition's form), its id first, then its values, shorter ones padded with empty cells.
enum class Layout { automatic, wide, longform, rows };

/// What to do about rows that are absent from the clock: nothing (an error names the first gap);
/// rows of missing values; the straight line between the neighbours; the last value again.
enum class Fill { none, missing, linear, forward };

/// "auto", "wide", "long", "rows". Throws UsageError.
Layout parse_layout(std::string_view text);
/// "none", "missing", "linear", "forward". Throws UsageError.
Fill parse_fill(std::string_view text);

struct ReadOptions {
  Layout layout = Layout::automatic;
  std::string time_column = {};  ///< empty: found by name, else by content
  std::string id_column = {};    ///< empty: found by name
  std::vector<std::string> targets =
      {};                                ///< the channels; empty: all columns that are nothing else
  std::vector<std::string> past = {};    ///< covariates known up to now
  std::vector<std::string> future = {};  ///< covariates known ahead
  std::vector<std::string> statics = {};  ///< one value a series
  std::optional<Frequency> frequency =
      {};  ///< empty: found; `index` counts rows and leaves stamps alone
  Fill fill = Fill::none;
  DateOrder date_order = DateOrder::automatic;
};

/// What was found in the file and what was done to it.
struct ReadReport {
  Layout layout = Layout::wide;
  int64_t series = 0;
  int64_t table_rows = 0;
  int64_t missing_values = 0;  ///< empty cells among the channels, padding not counted
  int64_t inserted_rows = 0;   ///< by `fill`
  int64_t gaps = 0;
  std::string first_gap;  ///< "milk.csv: row 21, column Month"
  int64_t backwards = 0;  ///< series that ran from the latest row to the earliest
  std::vector<std::string> notes;

  /// What a person must know, one sentence each; empty where the file was taken as it is.
  std::vector<std::string> sentences(const SeriesSet& set) const;
};

struct Reading {
  SeriesSet set;
  ReadReport report;
};

/// Reads CSV, TSV and Parquet, plain or gzip, or standard input ("-"). In time and memory linear in
/// the file's size. Missing cells are NaN. Rows behind the last value of a series that hold
/// covariates known ahead become its `ahead`. Throws Error in one sentence naming file, row and
/// column: a header alone, text where a value belongs, a column that is not there, stamps that are
/// unsorted, twice, off the clock or not readable, a gap where fill is none, a covariate known
/// ahead that is missing behind the last value, a static covariate that changes, a frequency that
/// cannot be told.
Reading read_series(const std::filesystem::path& path, const ReadOptions& options = {});

/// The file's name for sentences: its path, or "standard input".
std::string name_of(const SeriesSet& set);
/// "FILE" or "FILE: series 'H1'".
std::string name_of(const SeriesSet& set, const Series& series);

/// Throws Error listing the first (series, stamp) of which covariates known ahead are not there for
/// `horizon` steps behind the last value; nothing where the set has none.
void require_ahead(const SeriesSet& set, int64_t horizon);

}  // namespace timeseries
