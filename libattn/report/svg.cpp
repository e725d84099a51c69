#include "libattn/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "libattn/report/svg_axes.h"
#include "libattn/report/svg_lines.h"

namespace attn::report {
namespace {

std::string error_bar(double x, double low, double high) {
  return fmt::format(
      "<path d=\"M{0} {1}V{2}M{3} {1}h8M{3} {2}h8\" stroke=\"currentColor\" stroke-opacity=\".75\" "
      "fill=\"none\"/>",
      pixel(x), pixel(low), pixel(high), pixel(x - 4));
}

// Labels below slots of equal width; slanted where they are long.
void label_slots(Frame& f, const std::vector<std::string>& labels) {
  const double slot = (f.right - f.left) / static_cast<double>(std::max<size_t>(labels.size(), 1));
  size_t longest = 0;
  for (const std::string& label : labels) longest = std::max(longest, label.size());
  const bool slanted = 7.0 * static_cast<double>(longest) > slot;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double x = f.left + (static_cast<double>(i) + 0.5) * slot;
    f.body += slanted ? svg_text(x + 4, f.bottom + 14, labels[i], "end",
                                 fmt::format("transform=\"rotate(-35 {} {})\"", pixel(x + 4),
                                             pixel(f.bottom + 14)))
                      : svg_text(x, f.bottom + 17, labels[i], "middle");
  }
}

double freedman_diaconis(const std::vector<double>& sorted) {
  const size_t n = sorted.size();
  const double spread = sorted[(3 * n) / 4] - sorted[n / 4];
  return 2 * spread / std::cbrt(static_cast<double>(n));
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(high > low) || !std::isfinite(high - low)) return {low};
  const double raw = (high - low) / std::max(count, 1);
  const double decade = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * decade;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * decade >= raw * 0.999) step = factor * decade;
  }
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9);
  for (double k = first; (k - 1) * step < high - 1e-9 * step; ++k) ticks.push_back(k * step);
  return ticks;
}

std::string escape_xml(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 32 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string line_chart(const std::vector<Series>& series, const ChartOptions& options) {
  Frame f = frame_of(series, options);
  draw_series(f, series, options);
  return finish(options, f);
}

std::string scatter_chart(const std::vector<Series>& series, const ChartOptions& options) {
  Frame f = frame_of(series, options);
  std::string inside;
  for (size_t k = 0; k < series.size(); ++k) {
    const Series& s = series[k];
    for (size_t i = 0; i < s.x.size(); ++i) {
      if (!f.x.shows(s.x[i]) || !f.y.shows(s.y[i])) continue;
      const double x = f.x(s.x[i]);
      if (!s.low.empty() && f.y.shows(s.low[i]) && f.y.shows(s.high[i]))
        inside += error_bar(x, f.y(s.low[i]), f.y(s.high[i]));
      inside +=
          fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"3.2\" fill=\"{}\" fill-opacity=\".75\"/>",
                      pixel(x), pixel(f.y(s.y[i])), color_of(s, k));
    }
  }
  draw_series(f, {}, options);  // regions and rules
  f.body += clip(f, inside);
  return finish(options, f);
}

std::string bar_chart(const std::vector<std::string>& categories,
                      const std::vector<BarSeries>& series, const ChartOptions& options) {
  std::vector<double> ys;
  std::vector<std::string> names;
  for (const BarSeries& s : series) {
    const size_t n = categories.size();
    if (s.value.size() != n || s.low.size() != s.high.size() ||
        (!s.low.empty() && s.low.size() != n)) {
      throw Error(fmt::format("chart: bars '{}' have {} values and {} error bars for {} categories",
                              s.name, s.value.size(), s.low.size(), n));
    }
    for (const auto* values : {&s.value, &s.low, &s.high})
      ys.insert(ys.end(), values->begin(), values->end());
    names.push_back(s.name);
  }
  Frame f = make_frame(options, Axis{}, make_axis(ys, options.y_range, false, true, 6),
                       legend_items(names), true);
  label_slots(f, categories);
  const double slot =
      (f.right - f.left) / static_cast<double>(std::max<size_t>(categories.size(), 1));
  const double wide =
      std::min(0.76 * slot / static_cast<double>(std::max<size_t>(series.size(), 1)), 60.0);
  const double zero = f.y(std::clamp(0.0, f.y.low, f.y.high));
  std::string inside;
  for (size_t k = 0; k < series.size(); ++k) {
    for (size_t i = 0; i < categories.size(); ++i) {
      if (!f.y.shows(series[k].value[i])) continue;
      const double offset =
          (static_cast<double>(k) - static_cast<double>(series.size()) / 2) * wide;
      const double x = f.left + (static_cast<double>(i) + 0.5) * slot + offset;
      const double y = f.y(series[k].value[i]);
      inside += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
                            pixel(x + 1), pixel(std::min(y, zero)), pixel(std::max(wide - 2, 1.0)),
                            pixel(std::abs(y - zero)), series_color(k));
      if (series[k].low.empty() || !f.y.shows(series[k].low[i]) || !f.y.shows(series[k].high[i]))
        continue;
      inside += error_bar(x + wide / 2, f.y(series[k].low[i]), f.y(series[k].high[i]));
    }
  }
  f.body += clip(f, inside);
  return finish(options, f);
}

std::string histogram(const std::vector<double>& values, const ChartOptions& options, int bins) {
  std::vector<double> sorted;
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted),
               [](double v) { return std::isfinite(v); });
  std::sort(sorted.begin(), sorted.end());
  double low = sorted.empty() ? 0 : sorted.front();
  double high = sorted.empty() ? 1 : sorted.back();
  if (low == high) {
    low -= 0.5;
    high += 0.5;
  }
  if (bins <= 0) {
    const double width = sorted.size() < 2 ? 0 : freedman_diaconis(sorted);
    bins =
        width > 0 ? static_cast<int>(std::clamp(std::ceil((high - low) / width), 5.0, 60.0)) : 10;
  }
  std::vector<double> counts(static_cast<size_t>(bins), 0.0);
  for (const double v : sorted) {
    const auto bin = static_cast<int>((v - low) / (high - low) * bins);
    ++counts[static_cast<size_t>(std::clamp(bin, 0, bins - 1))];
  }
  Frame f = make_frame(options, make_axis({low, high}, options.x_range, false, false, 8),
                       make_axis(counts, options.y_range, false, true, 6), {}, false);
  std::string inside;
  for (int b = 0; b < bins; ++b) {
    const double x0 = f.x(low + (high - low) * b / bins);
    const double x1 = f.x(low + (high - low) * (b + 1) / bins);
    const double y = f.y(counts[static_cast<size_t>(b)]);
    inside += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
                          pixel(x0 + 0.5), pixel(y), pixel(std::max(x1 - x0 - 1, 0.5)),
                          pixel(f.bottom - y), series_color(0));
  }
  f.body += clip(f, inside);
  return finish(options, f);
}

std::string roc_chart(const std::vector<Series>& curves, const ChartOptions& options) {
  ChartOptions square = options;
  square.x_range = square.y_range = {0.0, 1.0};
  if (square.x_label.empty()) square.x_label = "false positive rate";
  if (square.y_label.empty()) square.y_label = "true positive rate";
  if (square.width == ChartOptions{}.width) square.width = square.height + 40;
  Frame f = frame_of(curves, square);
  f.body += fmt::format(
      "<path d=\"M{} {}L{} {}\" stroke=\"currentColor\" stroke-opacity=\".4\" stroke-dasharray=\"4 "
      "4\"/>",
      pixel(f.left), pixel(f.bottom), pixel(f.right), pixel(f.top));
  draw_series(f, curves, square);
  return finish(square, f);
}

std::string matrix_chart(const std::vector<std::string>& rows,
                         const std::vector<std::string>& columns,
                         const std::vector<std::vector<double>>& values,
                         const ChartOptions& options, int decimals) {
  const bool fits = values.size() == rows.size() &&
                    std::all_of(values.begin(), values.end(),
                                [&](const auto& row) { return row.size() == columns.size(); });
  if (!fits)
    throw Error(
        fmt::format("chart: the matrix is not {} rows of {} values", rows.size(), columns.size()));
  Frame f{{}, {}, 0, 0, 0, 0, {}};
  size_t longest = 0;
  for (const std::string& row : rows) longest = std::max(longest, row.size());
  f.left = 24 + 7.0 * static_cast<double>(longest) + (options.y_label.empty() ? 0 : 16);
  f.right = options.width - 12.0;
  f.top = options.title.empty() ? 28 : 50;
  f.bottom = options.height - (options.x_label.empty() ? 10.0 : 30.0);
  if (!options.title.empty())
    f.body += svg_text(f.left, 18, options.title, "start", "class=\"title\"");
  const double w = (f.right - f.left) / static_cast<double>(std::max<size_t>(columns.size(), 1));
  const double h = (f.bottom - f.top) / static_cast<double>(std::max<size_t>(rows.size(), 1));
  for (size_t j = 0; j < columns.size(); ++j)
    f.body +=
        svg_text(f.left + (static_cast<double>(j) + 0.5) * w, f.top - 8, columns[j], "middle");
  for (size_t i = 0; i < rows.size(); ++i) {
    const double y = f.top + static_cast<double>(i) * h;
    double sum = 0;
    for (const double v : values[i]) sum += std::isfinite(v) ? std::max(v, 0.0) : 0;
    f.body += svg_text(f.left - 8, y + h / 2 + 4, rows[i], "end");
    for (size_t j = 0; j < columns.size(); ++j) {
      const double x = f.left + static_cast<double>(j) * w;
      const double v = values[i][j];
      const double share = sum > 0 && std::isfinite(v) ? std::max(v, 0.0) / sum : 0;
      f.body += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" fill-opacity=\"{:.2f}\" "
          "stroke=\"currentColor\" stroke-opacity=\".2\"/>",
          pixel(x), pixel(y), pixel(w), pixel(h), series_color(0), 0.04 + 0.56 * share);
      f.body += svg_text(x + w / 2, y + h / 2 + 4,
                         std::isfinite(v) ? fmt::format("{:.{}f}", v, decimals) : "-", "middle");
    }
  }
  if (!options.x_label.empty())
    f.body += svg_text((f.left + f.right) / 2, options.height - 8.0, options.x_label, "middle");
  if (!options.y_label.empty()) {
    const double middle = (f.top + f.bottom) / 2;
    f.body += svg_text(14, middle, options.y_label, "middle",
                       fmt::format("transform=\"rotate(-90 14 {})\"", pixel(middle)));
  }
  return finish(options, f);
}

}  // namespace attn::report
