#include "timeseries/series/write_forecast.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/table_write.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/stamp_column.h"

namespace timeseries {
namespace {

using attn::io::Column;

void check(const ForecastTable& t) {
  const size_t rows = t.instants.size();
  if (t.ids.size() != rows || t.channels.size() != rows || t.values.size() != rows * t.names.size())
    throw std::logic_error("write_forecast: lengths that do not match");
}

/// All columns in their order; stamps as text, or typed.
std::vector<Column> columns_of(const ForecastTable& t, const SeriesSet& like, bool typed) {
  check(t);
  std::vector<Column> out;
  if (std::any_of(t.ids.begin(), t.ids.end(), [](const std::string& id) { return !id.empty(); }))
    out.push_back({like.id_column.empty() ? "id" : like.id_column, t.ids});
  out.push_back({"channel", t.channels});
  out.push_back(
      stamp_column(like.time_column.empty() ? "row" : like.time_column, t.instants, like, typed));
  for (size_t k = 0; k < t.names.size(); ++k) {
    std::vector<double> values(t.instants.size());
    for (size_t r = 0; r < values.size(); ++r) values[r] = t.values[r * t.names.size() + k];
    out.push_back({t.names[k], std::move(values)});
  }
  return out;
}

nlohmann::ordered_json item(const Column& column, size_t row) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values))
    return (*texts)[row];
  if (const auto* wholes = std::get_if<std::vector<int64_t>>(&column.values)) return (*wholes)[row];
  const double value = std::get<std::vector<double>>(column.values)[row];
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::vector<Instant> future_stamps(const Series& series, const Frequency& frequency,
                                   int64_t horizon) {
  std::vector<Instant> out;
  for (int64_t h = 0; h < horizon; ++h)
    out.push_back(advance(series.start, frequency, series.rows + h));
  return out;
}

std::string forecast_csv(const ForecastTable& table, const SeriesSet& like) {
  return attn::io::csv_of(columns_of(table, like, false));
}

std::string forecast_json(const ForecastTable& table, const SeriesSet& like) {
  const std::vector<Column> columns = columns_of(table, like, false);
  std::string text = "[";
  for (size_t r = 0; r < table.instants.size(); ++r) {
    nlohmann::ordered_json row;
    for (const Column& column : columns) row[column.name] = item(column, r);
    text += (r == 0 ? "\n  " : ",\n  ") +
            row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return text + "\n]\n";
}

void write_forecast(const std::filesystem::path& path, const ForecastTable& table,
                    const SeriesSet& like) {
  if (extension_of(path) == ".json") {
    attn::io::write_file(path, forecast_json(table, like));
  } else if (extension_of(path) == ".csv" || is_parquet_name(path)) {
    attn::io::write_table(path, columns_of(table, like, is_parquet_name(path)));
  } else {
    throw attn::UsageError("cannot write " + path.string() +
                           ": expected a name ending in .csv, .parquet or .json, found " +
                           attn::io::quote_text(path.extension().string()));
  }
}

}  // namespace timeseries
