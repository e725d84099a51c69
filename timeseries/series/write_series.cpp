#include "timeseries/series/write_series.h"

#include <limits>

#include "timeseries/series/calendar.h"
#include "timeseries/series/stamp_column.h"

namespace timeseries {
namespace {

using attn::io::Column;

/// Column `j` of a row-major block of `rows` rows, `length` rows long.
void append(std::vector<double>& out, const std::vector<double>& block, size_t width, size_t j,
            int64_t rows, int64_t length) {
  for (int64_t row = 0; row < length; ++row)
    out.push_back(row < rows ? block[static_cast<size_t>(row) * width + j]
                             : std::numeric_limits<double>::quiet_NaN());
}

/// Values of all series one below the other, in the columns of one role.
void add_role(std::vector<Column>& columns, const SeriesSet& set,
              const std::vector<std::string>& names, std::vector<double> Series::*block,
              bool reaches_ahead) {
  for (size_t j = 0; j < names.size(); ++j) {
    std::vector<double> values;
    for (const Series& s : set.series) {
      const int64_t length = s.rows + s.ahead;
      append(values, s.*block, names.size(), j, reaches_ahead ? length : s.rows, length);
    }
    columns.push_back({names[j], std::move(values)});
  }
}

void add_statics(std::vector<Column>& columns, const SeriesSet& set) {
  for (size_t j = 0; j < set.static_names.size(); ++j) {
    std::vector<double> values;
    for (const Series& s : set.series)
      values.insert(values.end(), static_cast<size_t>(s.rows + s.ahead), s.statics[j]);
    columns.push_back({set.static_names[j], std::move(values)});
  }
}

}  // namespace

void write_series(const std::filesystem::path& path, const SeriesSet& set) {
  std::vector<std::string> ids;
  std::vector<Instant> instants;
  for (const Series& s : set.series) {
    for (int64_t row = 0; row < s.rows + s.ahead; ++row) {
      ids.push_back(s.id);
      instants.push_back(advance(s.start, set.frequency, row));
    }
  }
  std::vector<Column> columns;
  if (set.series.size() > 1 || (set.series.size() == 1 && !set.series[0].id.empty()))
    columns.push_back({set.id_column.empty() ? "id" : set.id_column, std::move(ids)});
  columns.push_back(stamp_column(set.time_column.empty() ? "step" : set.time_column,
                                 std::move(instants), set, is_parquet_name(path)));
  add_role(columns, set, set.channels, &Series::values, false);
  add_role(columns, set, set.past_names, &Series::past, false);
  add_role(columns, set, set.future_names, &Series::future, true);
  add_statics(columns, set);
  attn::io::write_table(path, columns);
}

}  // namespace timeseries
