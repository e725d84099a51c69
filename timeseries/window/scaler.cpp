#include "timeseries/window/scaler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace timeseries {
namespace {

constexpr Moments kFlat{0, 1, 0, 1, true};

/// Calls a function with each value of a column.
using Column = std::function<void(const std::function<void(double)>&)>;

/// How a column of values is bent: not at all, or by the magnitude of its first `values` known
/// ones that are not 0.
struct Bending {
  Transform transform = Transform::none;
  int64_t values = std::numeric_limits<int64_t>::max();
};

double bend_of(const Column& column, const Bending& how) {
  if (how.transform == Transform::none) return 0;
  double sum = 0;
  int64_t taken = 0;
  column([&](double x) {
    if (!std::isnan(x) && x != 0 && taken < how.values) sum += std::abs(x), ++taken;
  });
  return timeseries::bend_of(taken > 0 ? sum / static_cast<double>(taken) : 0);
}

/// Mean and population sd of the known values, in two passes.
Moments plain_moments(const Column& column, int64_t& known) {
  double sum = 0, squares = 0;
  known = 0;
  column([&](double x) {
    if (!std::isnan(x)) sum += x, ++known;
  });
  if (known == 0) return {};
  const double mean = sum / static_cast<double>(known);
  column([&](double x) {
    if (!std::isnan(x)) squares += (x - mean) * (x - mean);
  });
  return {mean, std::sqrt(squares / static_cast<double>(known))};
}

Moments moments_of(const Column& column, const std::string& name, std::vector<std::string>& notes,
                   const Bending& how = {}) {
  int64_t known = 0;
  const Moments plain = plain_moments(column, known);
  if (known == 0) {
    notes.push_back(name + " has no known value in the training rows and is left as it is");
    return kFlat;
  }
  if (plain.sd <= constant_below(plain.mean, known)) {
    notes.push_back(name + " is constant in the training rows (" +
                    attn::io::number_text(plain.mean) + ") and is only centred");
    return {plain.mean, 1, 0, 1, true};
  }
  const double bend = bend_of(column, how);
  if (!(bend > 0)) return plain;
  const Column bent = [&](const std::function<void(double)>& take) {
    column([&](double x) { take(std::asinh(x / bend)); });
  };
  Moments out = plain_moments(bent, known);
  out.bend = bend;
  out.spread = plain.sd;
  return out;
}

/// Column c of a row-major matrix (rows, width), rows of `range`.
void visit(const std::vector<double>& matrix, int64_t width, int64_t c, RowSpan range,
           const std::function<void(double)>& take) {
  for (int64_t r = range.begin; r < range.end; ++r)
    take(matrix[static_cast<size_t>(r * width + c)]);
}

/// Moments of each column of one matrix member of Series over all series.
std::vector<Moments> over_all(const SeriesSet& set, std::span<const RowSpan> rows,
                              std::vector<double> Series::*member,
                              const std::vector<std::string>& names, const std::string& what,
                              std::vector<std::string>& notes, const Bending& how = {}) {
  std::vector<Moments> out;
  const auto width = static_cast<int64_t>(names.size());
  for (int64_t c = 0; c < width; ++c) {
    const Column column = [&](const std::function<void(double)>& take) {
      for (size_t s = 0; s < set.series.size(); ++s)
        visit(set.series[s].*member, width, c, rows[s], take);
    };
    out.push_back(moments_of(
        column, what + " " + attn::io::quote_text(names[static_cast<size_t>(c)]), notes, how));
  }
  return out;
}

std::vector<Moments> of_series(const SeriesSet& set, size_t s, RowSpan range,
                               std::vector<std::string>& notes, const Bending& how) {
  std::vector<Moments> out;
  const auto width = static_cast<int64_t>(set.channels.size());
  for (int64_t c = 0; c < width; ++c) {
    const Column column = [&](const std::function<void(double)>& take) {
      visit(set.series[s].values, width, c, range, take);
    };
    std::string name = "channel " + attn::io::quote_text(set.channels[static_cast<size_t>(c)]);
    if (!set.series[s].id.empty())
      name.insert(0, "series " + attn::io::quote_text(set.series[s].id) + ", ");
    out.push_back(moments_of(column, name, notes, how));
  }
  return out;
}

void require_columns(const SeriesSet& set, const std::string& what,
                     const std::vector<std::string>& found,
                     const std::vector<std::string>& wanted) {
  if (found == wanted) return;
  const auto list = [](const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
      text += (text.empty() ? "" : ", ") + attn::io::quote_text(name);
    return text.empty() ? std::string("none") : text;
  };
  throw attn::Error(set.path.string() + ": its " + what + " are " + list(found) +
                    ", the model was trained on " + list(wanted) +
                    "; give a file with the same columns");
}

}  // namespace

const Moments& Scaler::of(int64_t series_index, int64_t channel) const {
  const auto width = static_cast<int64_t>(channels.size());
  return values.at(
      static_cast<size_t>((by == ScaleBy::series ? series_index * width : 0) + channel));
}

double constant_below(double mean, int64_t values) {
  return (1e-10 + 2.3e-16 * static_cast<double>(values)) * std::abs(mean);
}

double bend_of(double mean_magnitude) {
  return 0.1 * mean_magnitude;
}

std::string to_string(Transform transform) {
  return transform == Transform::asinh ? "asinh" : "none";
}

Transform transform_of(const std::string& word, const std::string& where) {
  for (const Transform transform : {Transform::none, Transform::asinh})
    if (word == to_string(transform)) return transform;
  throw attn::Error(where + ": key transform: expected none or asinh, found " +
                    attn::io::quote_text(word));
}

Scaler fit_scaler(const SeriesSet& set, std::span<const RowSpan> rows, ScaleBy by,
                  Transform transform) {
  if (rows.size() != set.series.size())
    throw std::logic_error("fit_scaler: one range of rows per series");
  Scaler out;
  out.by = by;
  out.transform = transform;
  const Bending how{transform};
  out.channels = set.channels;
  out.past_names = set.past_names;
  out.future_names = set.future_names;
  out.static_names = set.static_names;
  if (by == ScaleBy::channel) {
    out.values = over_all(set, rows, &Series::values, set.channels, "channel", out.notes, how);
  } else {
    for (size_t s = 0; s < set.series.size(); ++s) {
      out.series.push_back(set.series[s].id);
      const std::vector<Moments> own = of_series(set, s, rows[s], out.notes, how);
      out.values.insert(out.values.end(), own.begin(), own.end());
    }
  }
  out.past = over_all(set, rows, &Series::past, set.past_names, "covariate", out.notes);
  out.future = over_all(set, rows, &Series::future, set.future_names, "covariate", out.notes);
  const std::vector<RowSpan> one(set.series.size(), RowSpan{0, 1});
  out.statics =
      over_all(set, one, &Series::statics, set.static_names, "static covariate", out.notes);
  return out;
}

Scaler scaler_for(const Scaler& fitted, const SeriesSet& set, std::span<const RowSpan> rows) {
  require_columns(set, "columns of values", set.channels, fitted.channels);
  require_columns(set, "past covariates", set.past_names, fitted.past_names);
  require_columns(set, "future covariates", set.future_names, fitted.future_names);
  require_columns(set, "static covariates", set.static_names, fitted.static_names);
  if (fitted.by == ScaleBy::channel) return fitted;
  std::map<std::string, size_t> known;
  for (size_t s = 0; s < fitted.series.size(); ++s) known.emplace(fitted.series[s], s);
  Scaler out = fitted;
  out.series.clear();
  out.values.clear();
  out.notes.clear();
  const auto width = static_cast<int64_t>(fitted.channels.size());
  for (size_t s = 0; s < set.series.size(); ++s) {
    out.series.push_back(set.series[s].id);
    const auto found = known.find(set.series[s].id);
    std::vector<Moments> own;
    if (found == known.end()) {
      own = of_series(set, s, rows[s], out.notes, {fitted.transform, kBendValues});
    } else {
      const auto first = fitted.values.begin() + static_cast<int64_t>(found->second) * width;
      own.assign(first, first + width);
    }
    out.values.insert(out.values.end(), own.begin(), own.end());
  }
  return out;
}

}  // namespace timeseries
