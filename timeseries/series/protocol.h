// The literature's named ways to part a file into training, validation and test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// Rows begin ... end - 1 of a series.
struct RowSpan {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  bool operator==(const RowSpan&) const = default;
};

/// What is forecast lies in the rows of its part; the look-back may reach into the rows before, in
/// validation and test as in the published code.
struct ProtocolParts {
  RowSpan train, validation, test;
  bool operator==(const ProtocolParts&) const = default;
};

/// A protocol by its name:
///   ett-hour    8640, 2880 and 2880 rows (12, 4 and 4 months of 30 days), rows behind them unused
///   ett-minute  four times as many
///   70-10-20    of n rows the first floor(0.7 n) train, the last floor(0.2 n) test, the rest
///               between them validates
///   m4-hourly   the test file's 48 rows of each series test, the 48 before validate; season 24
struct Protocol {
  enum class Kind { rows, shares, tail };
  std::string name;
  Kind kind = Kind::rows;
  int64_t train = 0, validation = 0, test = 0;  ///< rows; of `tail` the last two
  int64_t horizon = 0;                          ///< 0: the caller's choice
  int64_t season = 0;                           ///< 0: the frequency's
};

std::vector<std::string> protocol_names();

/// Throws UsageError with the nearest name.
Protocol protocol_of(std::string_view name);

/// The parts of a series of `rows` rows. Throws Error, `where` naming the series, where it is too
/// short to give every part a row.
ProtocolParts parts_of(const Protocol& protocol, int64_t rows, const std::string& where);

/// The series of `train` with those of `test` behind them, matched by id (M4's two files). Throws
/// Error for other channels, covariates, a series that only one of the files has.
SeriesSet joined(SeriesSet train, const SeriesSet& test);

}  // namespace timeseries
