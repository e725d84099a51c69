#include "timeseries/window/split.h"

#include "attn/error.h"
#include "timeseries/series/read.h"

namespace timeseries {
namespace {

void add(Split& split, int64_t train, int64_t validation, int64_t test) {
  split.train.push_back({0, train});
  split.validation.push_back({train, train + validation});
  split.test.push_back({train + validation, train + validation + test});
}

}  // namespace

Split split_by(const SeriesSet& set, const Protocol& protocol) {
  Split split;
  for (const Series& s : set.series) {
    const ProtocolParts parts = parts_of(protocol, s.rows, name_of(set, s));
    split.train.push_back(parts.train);
    split.validation.push_back(parts.validation);
    split.test.push_back(parts.test);
  }
  return split;
}

Split split_by_share(const SeriesSet& set, double train, double test) {
  if (!(train > 0 && test >= 0 && train + test <= 1)) {
    throw attn::UsageError(
        "the share of training must be positive, that of testing not negative, and both together "
        "at "
        "most 1");
  }
  Split split;
  for (const Series& s : set.series) {
    const auto n = static_cast<double>(s.rows);
    const auto first = static_cast<int64_t>(train * n), last = static_cast<int64_t>(test * n);
    add(split, first, s.rows - first - last, last);
  }
  return split;
}

Split split_tail(const SeriesSet& set, int64_t validation, int64_t test) {
  if (validation < 0 || test < 0)
    throw attn::UsageError("the rows of validation and test must not be negative");
  Split split;
  for (const Series& s : set.series) {
    const int64_t train = s.rows - validation - test;
    if (train > 0) {
      add(split, train, validation, test);
    } else {
      add(split, s.rows, 0, 0);
    }
  }
  return split;
}

std::vector<RowSpan> all_rows(const SeriesSet& set) {
  std::vector<RowSpan> out;
  for (const Series& s : set.series) out.push_back({0, s.rows});
  return out;
}

}  // namespace timeseries
