// Rows of a table put on the clock of their series. Of read_series alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "timeseries/series/columns.h"
#include "timeseries/series/frequency.h"
#include "timeseries/series/read.h"

namespace timeseries {

/// The rows of one series, in ascending order of time.
struct PlacedRows {
  std::string id;
  std::vector<int64_t> rows;    ///< of the table
  std::vector<Instant> stamps;  ///< of those rows
};

/// The numbers of a table by their role, (rows, columns of the role).
struct TableValues {
  std::vector<double> targets, past, future, statics;
};

/// Throws Error naming row and column of a text.
TableValues read_values(const attn::io::Table& table, const ColumnRoles& roles);

/// Puts series of `set`, whose frequency and names are set, together; counts into the report.
class Assembler {
 public:
  Assembler(const attn::io::Table& table, const ColumnRoles& roles, const ReadOptions& options,
            Reading& reading)
      : table_(table), roles_(roles), options_(options), reading_(reading) {}

  /// Throws Error as read_series does.
  void add(const PlacedRows& placed, const TableValues& values);
  /// Throws Error where covariates known ahead were missing.
  void finish() const;
  StampWords words(const PlacedRows& placed) const;

 private:
  std::vector<int64_t> clock_of(const PlacedRows& placed);
  void set_statics(Series& series, const PlacedRows& placed, const TableValues& values) const;
  void set_future(Series& series, const PlacedRows& placed, const TableValues& values,
                  const std::vector<int64_t>& positions);

  const attn::io::Table& table_;
  const ColumnRoles& roles_;
  const ReadOptions& options_;
  Reading& reading_;
  std::vector<std::string> absent_;  // "price of series 'A' at '2020-01-05'"
  int64_t absent_count_ = 0;
};

/// "a, b, c and 12 more".
std::string first_of(const std::vector<std::string>& items, int64_t count);

}  // namespace timeseries
