#include "timeseries/plot/training_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "libattn/report/svg.h"
#include "timeseries/plot/curve.h"

namespace timeseries {
namespace {

using attn::report::Series;

Series losses(const std::string& name, const std::vector<double>& values, int color) {
  std::vector<int64_t> epochs(values.size());
  std::iota(epochs.begin(), epochs.end(), int64_t{1});
  return curve(name, epochs, values, color);
}

bool spans_decades(const TrainingPlot& plot) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const auto* values : {&plot.train, &plot.validation}) {
    for (const double v : *values) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  return low > 0 && high > 30 * low;
}

/// Loss at the best epoch: that of validation where there is one.
double best_loss(const TrainingPlot& plot) {
  const auto& values = plot.validation.empty() ? plot.train : plot.validation;
  const bool there = plot.best >= 1 && static_cast<size_t>(plot.best) <= values.size();
  return there ? values[static_cast<size_t>(plot.best - 1)] : NAN;
}

}  // namespace

std::string training_chart(const TrainingPlot& plot) {
  attn::report::ChartOptions options;
  options.title = plot.title;
  options.x_label = "epoch";
  options.y_label = plot.loss_label;
  options.width = kPlotWidth;
  options.height = 320;
  options.x_whole = true;
  options.log_y = spans_decades(plot);
  const size_t epochs = std::max(plot.train.size(), plot.validation.size());
  if (epochs > 1) options.x_range = {1, static_cast<double>(epochs)};
  std::vector<Series> series;
  if (!plot.train.empty()) series.push_back(losses("train", plot.train, 0));
  if (!plot.validation.empty()) series.push_back(losses("validation", plot.validation, 1));
  if (const double loss = best_loss(plot); std::isfinite(loss)) {
    Series best{.name = fmt::format("best: epoch {}", plot.best), .x = {}, .y = {loss}};
    best.x = {static_cast<double>(plot.best)};
    best.color = 2;
    best.draw = attn::report::Draw::dots;
    series.push_back(std::move(best));
    options.rules.push_back({.at = static_cast<double>(plot.best), .vertical = true});
  }
  return attn::report::line_chart(series, options);
}

attn::report::ReportSection training_section(const TrainingPlot& plot) {
  std::string caption;
  if (const double loss = best_loss(plot); std::isfinite(loss))
    caption = fmt::format("Epoch {} was kept, with a {} loss of {}.", plot.best,
                          plot.validation.empty() ? "training" : "validation",
                          attn::report::format_number(loss, 4));
  attn::report::ReportSection section;
  section.chart(training_chart(plot), caption);
  return section;
}

}  // namespace timeseries
