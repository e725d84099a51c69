#include "libattn/report/svg_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attn/error.h"

namespace attn::report {
namespace {

constexpr double kBandOpacity = 0.18;

/// A colour of the palette, or that of the text.
std::string color_of(int color) {
  return color < 0 ? "currentColor" : series_color(static_cast<size_t>(color));
}

LegendItem::Sign sign_of(const Series& s) {
  if (s.draw == Draw::dots) return LegendItem::Sign::dot;
  return s.dashed && s.color != -1 ? LegendItem::Sign::dashes : LegendItem::Sign::line;
}

bool drawn(const Frame& f, const Series& s, size_t i) {
  return f.x.shows(s.x[i]) && f.y.shows(s.y[i]);
}

bool alone(const Frame& f, const Series& s, size_t i) {
  return drawn(f, s, i) && (i == 0 || !drawn(f, s, i - 1)) &&
         (i + 1 == s.x.size() || !drawn(f, s, i + 1));
}

std::string dot(const Frame& f, const Series& s, size_t i, double radius,
                const std::string& color) {
  return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{:g}\" fill=\"{}\"/>", pixel(f.x(s.x[i])),
                     pixel(f.y(s.y[i])), radius, color);
}

// "x y" pairs of each unbroken stretch.
std::string line_path(const Frame& f, const Series& s) {
  std::string path;
  bool open = false;
  for (size_t i = 0; i < s.x.size(); ++i) {
    if (!drawn(f, s, i)) {
      open = false;
      continue;
    }
    const std::string x = pixel(f.x(s.x[i])), y = pixel(f.y(s.y[i]));
    if (s.draw == Draw::steps && open)
      path += fmt::format("H{}V{}", x, y);
    else
      path += fmt::format("{}{} {}", open ? "L" : "M", x, y);
    open = true;
  }
  return path;
}

/// Outlines of stretches; a gap ends one, or, where `bridged`, is left out of it.
std::string band_path(const Frame& f, const Series& s, const std::vector<double>& low,
                      const std::vector<double>& high, bool bridged) {
  std::string path;
  std::vector<size_t> stretch;
  const auto close = [&] {
    for (const size_t i : stretch)
      path += fmt::format("{}{} {}", i == stretch.front() ? "M" : "L", pixel(f.x(s.x[i])),
                          pixel(f.y(high[i])));
    for (size_t k = stretch.size(); k > 0; --k)
      path +=
          fmt::format("L{} {}", pixel(f.x(s.x[stretch[k - 1]])), pixel(f.y(low[stretch[k - 1]])));
    if (!stretch.empty()) path += "Z";
    stretch.clear();
  };
  for (size_t i = 0; i < low.size(); ++i) {
    if (f.x.shows(s.x[i]) && f.y.shows(low[i]) && f.y.shows(high[i]))
      stretch.push_back(i);
    else if (!bridged)
      close();
  }
  close();
  return path;
}

/// The band of a single point would have no width.
std::string band_bar(const Frame& f, const Series& s, const Band& band, const std::string& color) {
  const double high = f.y(band.high[0]);
  return fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"8\" height=\"{}\" fill=\"{}\" fill-opacity=\"{}\"/>",
      pixel(f.x(s.x[0]) - 4), pixel(high), pixel(f.y(band.low[0]) - high), color, kBandOpacity);
}

std::string draw_band(const Frame& f, const Series& s, const Band& band, const std::string& color) {
  const std::string path = band_path(f, s, band.low, band.high, false);
  if (path.empty()) return "";
  if (s.x.size() == 1) return band_bar(f, s, band, color);
  return fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\".18\"/>", path, color);
}

std::string draw_rug(const Frame& f, const Series& s, const std::string& color) {
  std::string path;
  for (const double x : s.x)
    if (f.x.shows(x)) path += fmt::format("M{} {}v-8", pixel(f.x(x)), pixel(f.bottom));
  return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1\"/>", path,
                     color);
}

std::string draw_one(const Frame& f, const Series& s, const std::string& color) {
  std::string out;
  if (s.draw == Draw::rug) return draw_rug(f, s, color);
  for (const Band& band : s.bands) out += draw_band(f, s, band, color);
  if (!s.low.empty()) {
    const std::string band = band_path(f, s, s.low, s.high, true);
    if (!band.empty())
      out += fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\".18\"/>", band, color);
  }
  if (s.draw == Draw::dots) {
    for (size_t i = 0; i < s.x.size(); ++i)
      if (drawn(f, s, i)) out += dot(f, s, i, 1.5 * s.width, color);
    return out;
  }
  out += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:g}\" "
      "stroke-linejoin=\"round\"{}/>",
      line_path(f, s), color, s.width, s.dashed ? " stroke-dasharray=\"5 4\"" : "");
  // A line of one point would not be seen.
  if (s.x.size() == 1 && drawn(f, s, 0)) return out + dot(f, s, 0, 3, color);
  for (size_t i = 0; s.lone_dots && i < s.x.size(); ++i)
    if (alone(f, s, i)) out += dot(f, s, i, 0.8 * s.width, color);
  return out;
}

/// Regions of one look side by side are one path.
std::string draw_regions(const Frame& f, const std::vector<Region>& regions) {
  std::string out, path;
  for (size_t i = 0; i < regions.size(); ++i) {
    const Region& r = regions[i];
    const double from = std::clamp(r.from, f.x.low, f.x.high);
    const double to = std::clamp(r.to, f.x.low, f.x.high);
    if (f.x.shows(from) && from < to)
      path += fmt::format("M{} {}H{}V{}H{}Z", pixel(f.x(from)), pixel(f.top), pixel(f.x(to)),
                          pixel(f.bottom), pixel(f.x(from)));
    const bool last = i + 1 == regions.size() || regions[i + 1].color != r.color ||
                      regions[i + 1].opacity != r.opacity;
    if (!last || path.empty()) continue;
    out += fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\"{:g}\"/>", path,
                       color_of(r.color), r.opacity);
    path.clear();
  }
  return out;
}

std::string draw_rules(const Frame& f, const std::vector<Rule>& rules) {
  std::string out;
  for (const Rule& rule : rules) {
    const Axis& axis = rule.vertical ? f.x : f.y;
    if (!axis.shows(rule.at) || rule.at < axis.low || rule.at > axis.high) continue;
    const std::string at = pixel(axis(rule.at));
    const std::string path = rule.vertical
                                 ? fmt::format("M{} {}V{}", at, pixel(f.top), pixel(f.bottom))
                                 : fmt::format("M{} {}H{}", pixel(f.left), at, pixel(f.right));
    out += fmt::format("<path d=\"{}\" stroke=\"{}\" stroke-opacity=\"{:g}\"{}/>", path,
                       color_of(rule.color), rule.opacity,
                       rule.dashed ? " stroke-dasharray=\"4 4\"" : "");
  }
  return out;
}

}  // namespace

void check(const Series& s) {
  const size_t n = s.y.size();
  const bool good =
      s.x.size() == n && (s.low.empty() || s.low.size() == n) && s.low.size() == s.high.size();
  if (!good)
    throw Error(fmt::format(
        "chart: series '{}' has {} x, {} y, {} low and {} high values; expected as many of each",
        s.name, s.x.size(), n, s.low.size(), s.high.size()));
  for (const Band& band : s.bands)
    if (band.low.size() != n || band.high.size() != n)
      throw Error(fmt::format(
          "chart: band '{}' of series '{}' has {} low and {} high values; expected {} of each",
          band.name, s.name, band.low.size(), band.high.size(), n));
}

std::string color_of(const Series& s, size_t place) {
  return s.color == -1 ? series_color(place) : color_of(s.color);
}

void add_x_values(const std::vector<Series>& series, std::vector<double>& xs) {
  for (const Series& s : series) xs.insert(xs.end(), s.x.begin(), s.x.end());
}

std::vector<double> y_values(const std::vector<Series>& series, const ChartOptions& options) {
  std::vector<double> ys;
  const auto add = [&](const std::vector<double>& values) {
    ys.insert(ys.end(), values.begin(), values.end());
  };
  for (const Series& s : series) {
    if (s.draw == Draw::rug) continue;
    for (const auto* values : {&s.y, &s.low, &s.high}) add(*values);
    for (const Band& band : s.bands) add(band.low), add(band.high);
  }
  for (const Rule& rule : options.rules)
    if (!rule.vertical) ys.push_back(rule.at);
  return ys;
}

std::vector<LegendItem> legend_of(const std::vector<Series>& series, const ChartOptions& options) {
  std::vector<LegendItem> items;
  for (size_t k = 0; k < series.size(); ++k) {
    const Series& s = series[k];
    const std::string color = color_of(s, k);
    items.push_back({s.name, color, sign_of(s)});
    double clear = 1;  // what the bands so far let through
    for (const Band& band : s.bands) {
      clear *= 1 - kBandOpacity;
      items.push_back({band.name, color, LegendItem::Sign::area, 1 - clear});
    }
  }
  for (const Rule& rule : options.rules)
    items.push_back({rule.name, color_of(rule.color),
                     rule.dashed ? LegendItem::Sign::dashes : LegendItem::Sign::line,
                     rule.opacity});
  return items;
}

Frame frame_of(const std::vector<Series>& series, const ChartOptions& options) {
  std::vector<double> xs;
  for (const Series& s : series) check(s);
  add_x_values(series, xs);
  return make_frame(options, make_x_axis(xs, options),
                    make_axis(y_values(series, options), options.y_range, options.log_y, false, 6),
                    legend_of(series, options), false);
}

void draw_series(Frame& f, const std::vector<Series>& series, const ChartOptions& options) {
  std::string inside = draw_regions(f, options.regions);
  for (size_t k = 0; k < series.size(); ++k)
    inside += draw_one(f, series[k], color_of(series[k], k));
  inside += draw_rules(f, options.rules);
  f.body += clip(f, inside);
}

std::string clip(const Frame& f, const std::string& inside) {
  // A nested viewport clips without an id, which would have to be unique in the page.
  return fmt::format(
      "<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">{4}</svg>",
      pixel(f.left - 4), pixel(f.top - 4), pixel(f.right - f.left + 8), pixel(f.bottom - f.top + 8),
      inside);
}

}  // namespace attn::report
