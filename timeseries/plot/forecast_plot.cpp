#include "timeseries/plot/forecast_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>

#include "libattn/report/thin.h"
#include "timeseries/plot/curve.h"

namespace timeseries {
namespace {

using attn::report::Series;

void check(const ForecastPlot& plot) {
  const size_t n = plot.stamps.size();
  bool good = plot.past_stamps.size() == plot.past.size() && plot.forecast.size() == n &&
              (plot.actual.empty() || plot.actual.size() == n) && plot.past_shown >= 0;
  for (const ForecastBand& band : plot.bands)
    good = good && band.low.size() == n && band.high.size() == n;
  if (!good) throw std::logic_error("forecast_chart: lengths of stamps and values differ");
}

/// The last of the past that are shown.
template <class T>
std::span<const T> shown(const std::vector<T>& past, int64_t count) {
  const std::span<const T> all(past);
  return count > 0 && static_cast<size_t>(count) < past.size()
             ? all.last(static_cast<size_t>(count))
             : all;
}

std::vector<ForecastBand> widest_first(std::vector<ForecastBand> bands) {
  std::stable_sort(bands.begin(), bands.end(),
                   [](const auto& a, const auto& b) { return a.level > b.level; });
  return bands;
}

Series forecast_curve(const ForecastPlot& plot) {
  Series out = curve("forecast", plot.stamps, plot.forecast, 1);
  const std::vector<size_t> places = attn::report::thinned(plot.forecast, kMostPoints);
  for (const ForecastBand& band : widest_first(plot.bands))
    out.bands.push_back({percent(band.level), attn::report::picked(band.low, places),
                         attn::report::picked(band.high, places)});
  return out;
}

/// The actual values go on from the last one of the past.
Series actual_curve(const ForecastPlot& plot) {
  Series out = curve("actual", plot.stamps, plot.actual, 2);
  if (!plot.past.empty() && std::isfinite(plot.past.back())) {
    out.x.insert(out.x.begin(), static_cast<double>(plot.past_stamps.back()));
    out.y.insert(out.y.begin(), plot.past.back());
  }
  out.width = 1.5;
  return out;
}

}  // namespace

std::string forecast_chart(const ForecastPlot& plot) {
  check(plot);
  attn::report::ChartOptions options;
  options.title = plot.title;
  options.y_label = plot.value_label;
  options.width = kPlotWidth;
  options.height = 380;
  const auto past_stamps = shown(plot.past_stamps, plot.past_shown);
  std::vector<int64_t> stamps(past_stamps.begin(), past_stamps.end());
  stamps.insert(stamps.end(), plot.stamps.begin(), plot.stamps.end());
  set_x_axis(options, plot.dates, stamps);
  std::vector<Series> series;
  Series past = curve("past", past_stamps, shown(plot.past, plot.past_shown), 0);
  past.width = 1.5;
  series.push_back(std::move(past));
  series.push_back(forecast_curve(plot));
  if (!plot.actual.empty()) series.push_back(actual_curve(plot));
  if (!plot.past.empty())
    options.rules.push_back({.at = static_cast<double>(plot.past_stamps.back()), .vertical = true});
  return attn::report::line_chart(series, options);
}

attn::report::ReportSection forecast_section(const ForecastPlot& plot) {
  std::string caption = counted(static_cast<int64_t>(plot.forecast.size()), "step", "steps");
  caption = "Forecast of " + caption;
  std::string levels;
  const std::vector<ForecastBand> bands = widest_first(plot.bands);
  for (size_t i = bands.size(); i > 0; --i)
    levels += (levels.empty() ? "" : i == 1 ? " and " : ", ") + percent(bands[i - 1].level);
  if (!levels.empty()) caption += "; the bands are to hold " + levels + " of the values";
  caption += ".";
  if (!any_known(shown(plot.past, plot.past_shown))) caption += " No value of the past is known.";
  if (!any_known(plot.forecast)) caption += " There is no forecast.";
  attn::report::ReportSection section;
  section.chart(forecast_chart(plot), caption);
  return section;
}

}  // namespace timeseries
