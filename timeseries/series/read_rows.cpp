#include "timeseries/series/read_rows.h"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace timeseries {
namespace {

using attn::io::quote_text;

void add_ids(const attn::io::Table& table, const std::string& column, SeriesSet& set) {
  std::unordered_map<std::string, int64_t> seen;
  for (std::string& id : table.strings(column)) {
    const auto row = static_cast<int64_t>(set.series.size());
    if (id.empty()) throw attn::Error(table.locate(row, column) + ": the series has no id");
    const auto [found, fresh] = seen.emplace(id, row);
    if (!fresh) {
      throw attn::Error(table.locate(row, column) + ": the series " + quote_text(id) +
                        " is there already in " + table.locate(found->second) +
                        "; keep one row of each");
    }
    Series series;
    series.id = std::move(id);
    series.start = 1;
    set.series.push_back(std::move(series));
  }
}

}  // namespace

void read_rows(const attn::io::Table& table, const ColumnRoles& roles, Reading& reading) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  SeriesSet& set = reading.set;
  set.channels = {"value"};
  add_ids(table, roles.id, set);
  // Empty cells that a value follows are missing values; those at the end are padding.
  std::vector<size_t> pending(set.series.size(), 0);
  for (const std::string& column : roles.targets) {
    const std::vector<double> cells = table.doubles(column, {.allow_missing = true});
    for (size_t s = 0; s < cells.size(); ++s) {
      if (std::isnan(cells[s])) {
        ++pending[s];
        continue;
      }
      std::vector<double>& values = set.series[s].values;
      values.insert(values.end(), pending[s], kNaN);
      reading.report.missing_values += static_cast<int64_t>(pending[s]);
      pending[s] = 0;
      values.push_back(cells[s]);
    }
  }
  for (size_t s = 0; s < set.series.size(); ++s) {
    Series& series = set.series[s];
    if (series.values.empty())
      throw attn::Error(table.locate(static_cast<int64_t>(s)) + ": the series " +
                        quote_text(series.id) + " holds no value; leave it out");
    series.values.shrink_to_fit();
    series.rows = static_cast<int64_t>(series.values.size());
  }
}

}  // namespace timeseries
