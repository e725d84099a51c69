// Series in memory: what every reader gives and every other room takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "timeseries/series/stamp_format.h"

namespace timeseries {

/// Units of a regular step. `index`: stamps are whole numbers without a calendar.
enum class Unit { index, second, minute, hour, day, business_day, week, month, quarter, year };

/// A regular step of time: `count` units ("15min", "h", "7 day"). Months, quarters and years keep
/// the day of the month, or its end where `month_end`.
struct Frequency {
  Unit unit = Unit::index;
  int64_t count = 1;
  bool month_end = false;
  bool operator==(const Frequency&) const = default;
};

/// Seconds since 1970-01-01 00:00 in the file's own clock (no zone), or the whole number itself for
/// Unit::index.
using Instant = int64_t;

/// One series: C channels on one regular clock. Missing values are NaN.
struct Series {
  std::string id;               ///< empty where the file holds one series
  Instant start = 0;            ///< of row 0
  int64_t rows = 0;             ///< N
  std::vector<double> values;   ///< (N, C) row-major
  std::vector<double> past;     ///< (N, P) covariates known up to now
  std::vector<double> future;   ///< (N + ahead, F) covariates known ahead
  int64_t ahead = 0;            ///< rows of `future` behind the last value
  std::vector<double> statics;  ///< (S)
};

/// All series of a file, with one frequency and the same columns.
struct SeriesSet {
  std::filesystem::path path;  ///< as given; "-" for standard input
  Frequency frequency;
  StampFormat stamps;                     ///< as the file writes them
  std::string time_column;                ///< empty where rows are counted
  std::string id_column;                  ///< empty where the file tells no ids in a column
  std::vector<std::string> channels;      ///< (C)
  std::vector<std::string> past_names;    ///< (P)
  std::vector<std::string> future_names;  ///< (F)
  std::vector<std::string> static_names;  ///< (S)
  std::vector<Series> series;
};

}  // namespace timeseries
