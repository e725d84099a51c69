// What a backtest tells, and what a model has seen.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/table_write.h"
#include "timeseries/model/backtest_model.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/stamp_column.h"

namespace timeseries {
namespace {

using attn::io::Column;
using nlohmann::json;

json number(double v) {
  return std::isfinite(v) ? json(v) : json();
}

std::string level_key(double level) {
  return fmt::format("{:.6g}", 100 * level);
}

json errors_json(const HorizonErrors& errors) {
  json out;
  const ErrorSums all = errors.overall();
  for (const Metric metric : kMetrics) {
    const std::string name(name_of(metric));
    out[name] = number(all.value(metric));
    for (const ErrorSums& step : errors.steps)
      out["by_step"][name].push_back(number(step.value(metric)));
  }
  out["windows"] = errors.windows;
  out["values"] = all.count;
  return out;
}

void add_intervals(const HorizonIntervals& intervals, json& out) {
  for (size_t k = 0; k < intervals.levels.size(); ++k) {
    const std::string key = level_key(intervals.levels[k]);
    const IntervalSums all = intervals.overall(k);
    out["coverage"][key] = number(all.coverage());
    out["width"][key] = number(all.mean_width());
    out["interval_score"][key] = number(all.mean_score());
    for (int64_t t = 0; t < intervals.horizon; ++t) {
      out["by_step"]["coverage"][key].push_back(number(intervals.at(k, t).coverage()));
      out["by_step"]["width"][key].push_back(number(intervals.at(k, t).mean_width()));
    }
  }
}

/// The columns of write_backtest_forecasts, row by row.
struct Table {
  std::vector<std::string> ids, channels;
  std::vector<Instant> origins, stamps;
  std::vector<int64_t> steps;
  std::vector<double> targets, forecasts;
  std::vector<std::vector<double>> low, high;
};

void add_rows(const BacktestForecast& f, const SeriesSet& set, Table& to) {
  const Series& series = set.series.at(static_cast<size_t>(f.series));
  const size_t steps = f.target.size();
  const Instant origin = advance(series.start, set.frequency, f.origin - 1);
  for (size_t t = 0; t < steps; ++t) {
    to.ids.push_back(series.id);
    to.channels.push_back(set.channels.at(static_cast<size_t>(f.channel)));
    to.origins.push_back(origin);
    to.stamps.push_back(advance(series.start, set.frequency, f.origin + static_cast<int64_t>(t)));
    to.steps.push_back(static_cast<int64_t>(t) + 1);
    to.targets.push_back(f.target[t]);
    to.forecasts.push_back(f.forecast[t]);
    for (size_t k = 0; k < to.low.size(); ++k) {
      to.low[k].push_back(f.low[k * steps + t]);
      to.high[k].push_back(f.high[k * steps + t]);
    }
  }
}

/// Rows of a series before an instant, which need not be on its clock.
int64_t rows_before(const Series& s, const Frequency& frequency, Instant end) {
  int64_t low = 0, high = s.rows;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (advance(s.start, frequency, middle) < end) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Where training and validation of a model's series ended, by id.
using Ends = std::map<std::string, std::pair<Instant, Instant>>;

/// Those of the series `id`. A series without a name (a wide file) may be any of the model's, and
/// any may be the one that the model knows without a name: the latest ends then.
std::pair<Instant, Instant> end_of(const Ends& ends, const std::string& id) {
  constexpr Instant kNever = std::numeric_limits<Instant>::min();
  std::pair out(kNever, kNever);
  if (const auto own = ends.find(id); own != ends.end()) return own->second;
  for (const auto& [name, end] : ends) {
    if (!id.empty() && !name.empty()) continue;
    out.first = std::max(out.first, end.first);
    out.second = std::max(out.second, end.second);
  }
  return out;
}

}  // namespace

json to_json(const BacktestResult& r) {
  json methods = json::object();
  json order = json::array();
  for (const MethodScores& method : r.methods) {
    json one = errors_json(method.errors);
    add_intervals(method.intervals, one);
    methods[method.method] = std::move(one);
    order.push_back(method.method);
  }
  return {{"horizon", r.horizon},
          {"stride", r.stride},
          {"season", r.season},
          {"levels", r.levels},
          {"windows", r.windows},
          {"refits", r.refits},
          {"knows_targets", r.knows_targets},
          {"series_left_out", r.short_series},
          {"windows_left_out", r.empty_lookbacks},
          {"method_order", order},
          {"methods", methods}};
}

void write_backtest_forecasts(const std::filesystem::path& path, const BacktestResult& result,
                              const SeriesSet& set) {
  Table t;
  t.low.resize(result.levels.size());
  t.high.resize(result.levels.size());
  for (const BacktestForecast& f : result.forecasts) add_rows(f, set, t);
  const bool typed = is_parquet_name(path);
  std::vector<Column> columns{{"series", std::move(t.ids)},
                              {"channel", std::move(t.channels)},
                              stamp_column("origin", std::move(t.origins), set, typed),
                              {"step", std::move(t.steps)},
                              stamp_column("stamp", std::move(t.stamps), set, typed),
                              {"target", std::move(t.targets)},
                              {"forecast", std::move(t.forecasts)}};
  for (size_t k = 0; k < result.levels.size(); ++k) {
    columns.push_back({"lower-" + level_key(result.levels[k]), std::move(t.low[k])});
    columns.push_back({"upper-" + level_key(result.levels[k]), std::move(t.high[k])});
  }
  attn::io::write_table(path, columns);
}

std::vector<RowsSeen> rows_seen(const ForecastModel& model, const SeriesSet& set) {
  Ends ends;
  const auto seen =
      attn::io::get_or<json>(model.training, "seen", "the model's training", json::array());
  for (const json& one : seen)
    if (one.is_array() && one.size() == 3 && one[0].is_string() && one[1].is_number_integer() &&
        one[2].is_number_integer())
      ends.emplace(one[0].get<std::string>(),
                   std::pair(one[1].get<Instant>(), one[2].get<Instant>()));
  std::vector<RowsSeen> out;
  for (const Series& s : set.series) {
    const auto [trained, seen_end] = end_of(ends, s.id);
    out.push_back(
        {rows_before(s, set.frequency, trained), rows_before(s, set.frequency, seen_end)});
  }
  return out;
}

}  // namespace timeseries
