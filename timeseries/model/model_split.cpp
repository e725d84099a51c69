#include "timeseries/model/model_split.h"

#include <algorithm>
#include <stdexcept>

#include "attn/error.h"

namespace timeseries {
namespace {

/// Rows that validate, of `rows` before the test part; 0: all of them train.
int64_t validation_rows(int64_t rows, int64_t horizon, double share) {
  if (share <= 0) return 0;
  const auto wanted =
      std::max(2 * horizon, static_cast<int64_t>(share * static_cast<double>(rows)));
  const int64_t taken = std::max(horizon, std::min(wanted, rows / 3));
  return rows - taken > horizon ? taken : 0;
}

template <class T>
void keep_rows(std::vector<T>& matrix, int64_t rows, size_t width) {
  matrix.resize(static_cast<size_t>(rows) * width);
}

}  // namespace

Split tail_split(const SeriesSet& set, int64_t horizon, const SplitOptions& o) {
  if (!(o.validation >= 0 && o.test >= 0 && o.validation + o.test < 1))
    throw attn::UsageError(
        "the shares of validation and test must not be negative, and less than 1 together");
  Split split;
  for (const Series& s : set.series) {
    int64_t test = 0;
    if (o.test > 0)
      test = std::max(horizon, static_cast<int64_t>(o.test * static_cast<double>(s.rows)));
    if (s.rows - test <= horizon) test = 0;
    const int64_t before = s.rows - test;
    const int64_t validation = validation_rows(before, horizon, o.validation);
    const int64_t train = before - validation;
    split.train.push_back({0, train});
    split.validation.push_back({train, before});
    split.test.push_back({before, s.rows});
  }
  return split;
}

SeriesSet first_rows(const SeriesSet& set, std::span<const int64_t> rows, int64_t ahead) {
  if (rows.size() != set.series.size())
    throw std::logic_error("first_rows: one number of rows per series");
  SeriesSet out = set;
  for (size_t i = 0; i < rows.size(); ++i) {
    Series& s = out.series[i];
    const int64_t known = s.rows + s.ahead;
    s.rows = std::min(s.rows, rows[i]);
    s.ahead = set.future_names.empty() ? 0 : std::min(known - s.rows, ahead);
    keep_rows(s.values, s.rows, set.channels.size());
    keep_rows(s.past, s.rows, set.past_names.size());
    keep_rows(s.future, s.rows + s.ahead, set.future_names.size());
  }
  return out;
}

}  // namespace timeseries
