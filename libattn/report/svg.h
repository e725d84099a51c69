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
};

/// One curve or cloud of points. `low` and `high`, when given, have the length of y: a shaded band
/// or error bars.
struct Series {
  std::string name;  ///< in the legend; an empty name stays out of it
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low = {};
  std::vector<double> high = {};
  bool dashed = false;
};

/// Bars of one colour, a value per category. `low` and `high`, when given, are the ends of the
/// error bars.
struct BarSeries {
  std::string name;
  std::vector<double> value;
  std::vector<double> low = {};
  std::vector<double> high = {};
};

/// Curves, each with an optional band (training curves, forecasts with quantiles). Throws
/// attn::Error when the lengths of x and y differ.
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
