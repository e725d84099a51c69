// Small charts as inline SVG: axes with round ticks, a colour-blind-safe palette, light and dark by
// the page's colours.
//
// Every function returns one self-contained <svg> element. Text and axes take the page's text
// colour (currentColor). Points that are not finite are left out (a line is broken there); texts
// are escaped.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace attn::report {

/// A straight line across the plot: at a value of y, or, where vertical, of x.
struct Rule {
  double at = 0;
  bool vertical = false;
  std::string name = {};  ///< in the legend; an empty name stays out of it
  bool dashed = true;
  int color = -1;  ///< place in the palette; -1: the colour of the text
  double opacity = 0.6;
};

/// A shaded stretch of the x axis, over the plot's whole height.
struct Region {
  double from = 0, to = 0;
  int color = -1;  ///< as in Rule
  double opacity = 0.07;
};

struct ChartOptions {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  int width = 640;
  int height = 360;
  bool log_x = false;  ///< decades; values <= 0 are left out
  bool log_y = false;
  std::optional<std::pair<double, double>> x_range =
      {};  ///< default: from the data, rounded to ticks
  std::optional<std::pair<double, double>> y_range = {};
  bool x_dates = false;  ///< x is in seconds since 1970-01-01 00:00 without a zone; ticks at round
                         ///< dates, the range not rounded to them
  bool x_whole = false;  ///< ticks at whole numbers only (epochs, steps)
  std::vector<Rule> rules = {};      ///< of charts with two axes of numbers
  std::vector<Region> regions = {};  ///< likewise
};

/// Bounds around a curve at one level, as many as the curve has points.
struct Band {
  std::string name;  ///< in the legend; an empty name stays out of it
  std::vector<double> low, high;
};

/// How a series is drawn: joined by straight lines; as steps, each value up to the next x; a dot a
/// point; a short stroke at the foot of the plot for each x.
enum class Draw { line, steps, dots, rug };

/// One curve or cloud of points. `low` and `high`, when given, have the length of y: a shaded band
/// or error bars.
struct Series {
  std::string name;  ///< in the legend; an empty name stays out of it
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low = {};
  std::vector<double> high = {};
  bool dashed = false;
  std::vector<Band> bands = {};  ///< nested, the widest first: the inner ones come out darker
  int color = -1;  ///< place in the palette; -1: the place among the series; -2: that of the text
  Draw draw = Draw::line;  ///< of line_chart and panels
  double width = 2;        ///< of the stroke, pixels
  bool lone_dots = false;  ///< a point between two gaps, which no line shows, is a dot
};

/// Bars of one colour, a value per category. `low` and `high`, when given, are the ends of the
/// error bars.
struct BarSeries {
  std::string name;
  std::vector<double> value;
  std::vector<double> low = {};
  std::vector<double> high = {};
};

/// Curves, each with an optional band or several (training curves, forecasts with quantiles).
/// Throws attn::Error when the lengths of x, y and bands differ.
std::string line_chart(const std::vector<Series>& series, const ChartOptions& options);

/// Points, with vertical error bars where low and high are given.
std::string scatter_chart(const std::vector<Series>& series, const ChartOptions& options);

/// Grouped bars from zero. Throws attn::Error when a series' length is not the number of
/// categories.
std::string bar_chart(const std::vector<std::string>& categories,
                      const std::vector<BarSeries>& series, const ChartOptions& options);

/// Counts of the finite values in bins of equal width; bins = 0 takes Freedman and Diaconis' width
/// (5 to 60 bins).
std::string histogram(const std::vector<double>& values, const ChartOptions& options, int bins = 0);

/// ROC curves (x false positive rate, y true positive rate) in a square with the diagonal.
std::string roc_chart(const std::vector<Series>& curves, const ChartOptions& options);

/// A matrix of numbers with row and column names, shaded by row share (confusion matrix, entropy by
/// layer and head). `decimals` digits behind the point are printed.
std::string matrix_chart(const std::vector<std::string>& rows,
                         const std::vector<std::string>& columns,
                         const std::vector<std::vector<double>>& values,
                         const ChartOptions& options, int decimals = 0);

/// Ticks at 1, 2 or 5 times a power of ten that cover [low, high], about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count);

/// & < > " ' as entities; control characters that XML forbids are dropped.
std::string escape_xml(const std::string& text);

}  // namespace attn::report
