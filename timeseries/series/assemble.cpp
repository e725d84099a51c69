#include "timeseries/series/assemble.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "attn/error.h"
#include "libattn/io/memory.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/fill.h"

namespace timeseries {
namespace {

using attn::io::quote_text;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kShownAbsent = 5;

/// The rows of `placed`, each `width` wide, at their positions among `length` rows of NaN; rows
/// behind those are left out.
std::vector<double> scatter(const std::vector<double>& source, const std::vector<int64_t>& rows,
                            const std::vector<int64_t>& positions, int64_t length, size_t width) {
  std::vector<double> out(static_cast<size_t>(length) * width, kNaN);
  for (size_t i = 0; i < rows.size() && positions[i] < length; ++i)
    std::copy_n(source.begin() + rows[i] * static_cast<int64_t>(width), width,
                out.begin() + positions[i] * static_cast<int64_t>(width));
  return out;
}

bool any_value(const std::vector<double>& values, int64_t row, size_t width) {
  const auto begin = values.begin() + row * static_cast<int64_t>(width);
  return std::any_of(begin, begin + static_cast<int64_t>(width),
                     [](double v) { return !std::isnan(v); });
}

}  // namespace

std::string first_of(const std::vector<std::string>& items, int64_t count) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : ", ") + items[i];
  const int64_t more = count - static_cast<int64_t>(items.size());
  return more > 0 ? text + " and " + std::to_string(more) + " more" : text;
}

TableValues read_values(const attn::io::Table& table, const ColumnRoles& roles) {
  const attn::io::NumberRule rule{.allow_missing = true};
  TableValues out;
  try {
    out.targets = table.matrix_double(roles.targets, rule);
  } catch (const attn::Error& error) {
    if (roles.targets_named) throw;
    throw attn::Error(error.what() + std::string("; where it is no value, name the columns of "
                                                 "values by --target or that of ids by "
                                                 "--id"));
  }
  out.past = table.matrix_double(roles.past, rule);
  out.future = table.matrix_double(roles.future, rule);
  out.statics = table.matrix_double(roles.statics, rule);
  return out;
}

StampWords Assembler::words(const PlacedRows& placed) const {
  StampWords words;
  words.locate = [this, &placed](size_t i) {
    std::string place = roles_.time.empty() ? table_.locate(placed.rows[i])
                                            : table_.locate(placed.rows[i], roles_.time);
    return placed.id.empty() ? place : place + ", series " + quote_text(placed.id);
  };
  words.text = [this, &placed](size_t i) {
    return format_stamp(placed.stamps[i], reading_.set.stamps);
  };
  words.write = [this](Instant instant) { return format_stamp(instant, reading_.set.stamps); };
  return words;
}

std::vector<int64_t> Assembler::clock_of(const PlacedRows& placed) {
  const Frequency& frequency = reading_.set.frequency;
  const StampWords own = words(placed);
  std::vector<int64_t> positions = positions_of(placed.stamps, frequency, own);
  ReadReport& report = reading_.report;
  for (size_t i = 1; i < positions.size(); ++i) {
    const int64_t absent = positions[i] - positions[i - 1] - 1;
    if (absent == 0) continue;
    if (options_.fill == Fill::none)
      throw attn::Error(gap_sentence(placed.stamps, positions, i, frequency, own));
    if (report.gaps++ == 0) report.first_gap = own.locate(i);
    report.inserted_rows += absent;
  }
  const auto width =
      static_cast<double>(1 + roles_.targets.size() + roles_.past.size() + roles_.future.size());
  const double bytes = 8 * width * static_cast<double>(positions.back() + 1);
  if (bytes > static_cast<double>(attn::io::physical_memory()) / 4) {
    throw attn::Error(own.locate(positions.size() - 1) + ": filling the gaps up to '" +
                      own.text(positions.size() - 1) + "' would take " +
                      attn::io::size_text(bytes) + "; mend that stamp, or leave the row out");
  }
  return positions;
}

void Assembler::set_statics(Series& series, const PlacedRows& placed,
                            const TableValues& values) const {
  const size_t width = roles_.statics.size();
  series.statics.assign(width, kNaN);
  for (const int64_t row : placed.rows) {
    for (size_t j = 0; j < width; ++j) {
      const double value = values.statics[static_cast<size_t>(row) * width + j];
      double& kept = series.statics[j];
      if (std::isnan(kept)) kept = value;
      if (std::isnan(value) || value == kept) continue;
      throw attn::Error(table_.locate(row, roles_.statics[j]) + ": a static covariate is " +
                        attn::io::number_text(value) + " here and " + attn::io::number_text(kept) +
                        " in an earlier row of the series; expected one value, or name it by "
                        "--past or --future");
    }
  }
}

void Assembler::set_future(Series& series, const PlacedRows& placed, const TableValues& values,
                           const std::vector<int64_t>& positions) {
  const size_t width = roles_.future.size();
  if (width == 0) return;
  const int64_t length = positions.back() + 1;
  series.ahead = length - series.rows;
  series.future = scatter(values.future, placed.rows, positions, length, width);
  fill_rows(series.future, width, positions, length, options_.fill);
  for (int64_t row = series.rows; row < length; ++row) {
    for (size_t j = 0; j < width; ++j) {
      if (!std::isnan(series.future[static_cast<size_t>(row) * width + j])) continue;
      if (absent_count_++ >= static_cast<int64_t>(kShownAbsent)) continue;
      const Instant at = advance(series.start, reading_.set.frequency, row);
      absent_.push_back(roles_.future[j] +
                        (series.id.empty() ? "" : " of series " + quote_text(series.id)) + " at '" +
                        format_stamp(at, reading_.set.stamps) + "'");
    }
  }
}

void Assembler::add(const PlacedRows& placed, const TableValues& values) {
  const std::vector<int64_t> positions = clock_of(placed);
  const size_t width = roles_.targets.size();
  Series series;
  series.id = placed.id;
  series.start = placed.stamps[0];
  series.rows = positions.back() + 1;
  if (!roles_.future.empty()) {
    size_t last = placed.rows.size();
    while (last > 0 && !any_value(values.targets, placed.rows[last - 1], width)) --last;
    if (last > 0) series.rows = positions[last - 1] + 1;
  }
  series.values = scatter(values.targets, placed.rows, positions, series.rows, width);
  reading_.report.missing_values += std::count_if(series.values.begin(), series.values.end(),
                                                  [](double v) { return std::isnan(v); });
  const auto present =
      std::lower_bound(positions.begin(), positions.end(), series.rows) - positions.begin();
  reading_.report.missing_values -= (series.rows - present) * static_cast<int64_t>(width);
  fill_rows(series.values, width, positions, series.rows, options_.fill);
  series.past = scatter(values.past, placed.rows, positions, series.rows, roles_.past.size());
  fill_rows(series.past, roles_.past.size(), positions, series.rows, options_.fill);
  set_future(series, placed, values, positions);
  set_statics(series, placed, values);
  reading_.set.series.push_back(std::move(series));
}

void Assembler::finish() const {
  if (absent_count_ == 0) return;
  throw attn::Error(table_.name() + ": covariates known ahead are missing behind the last value: " +
                    first_of(absent_, absent_count_) + "; give them, or leave those rows out");
}

}  // namespace timeseries
