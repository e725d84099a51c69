// The clock of a series, found from its stamps and held against them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// Words for errors about the stamp of row `i` of one series: `locate` gives "FILE: row 17, column
/// date", `text` the stamp as the file writes it, `write` another instant in the same form.
struct StampWords {
  std::function<std::string(size_t i)> locate;
  std::function<std::string(size_t i)> text;
  std::function<std::string(Instant)> write;
};

/// Whether the stamps run from the latest to the earliest. Throws Error naming the first row that
/// is against the direction of the rest, or the first stamp that is there twice, with both stamps.
bool runs_backwards(std::span<const Instant> stamps, const StampWords& words);

/// The frequency of ascending stamps; none for fewer than two. It is the most frequent distance in
/// its largest unit (of equally frequent ones that with the fewest stamps beside its clock and rows
/// absent from it, three quarters of the stamps being on it, else the least): neither gaps nor
/// stamps beside the clock make it finer. With a calendar it is months, quarters or years where as
/// many neighbours are so far apart, on the usual day of the month (as far as the month has one) or
/// on month ends; and business days where days leave out Saturdays and Sundays, or more neighbours
/// are one business day apart than one day.
std::optional<Frequency> infer_frequency(std::span<const Instant> ascending, bool has_calendar);

/// A month, quarter or year frequency that was named goes from month end to month end where most
/// stamps, of two or more, are such and no more keep a day of the month.
Frequency settled(Frequency frequency, std::span<const Instant> ascending);

/// Number of steps from the first stamp to each. Throws Error naming the first row that is off the
/// clock: the first stamp's own where the next two are a step apart.
std::vector<int64_t> positions_of(std::span<const Instant> ascending, const Frequency& frequency,
                                  const StampWords& words);

/// The error about the gap before row `i`, whose position is not one behind that of row i - 1.
std::string gap_sentence(std::span<const Instant> ascending, std::span<const int64_t> positions,
                         size_t i, const Frequency& frequency, const StampWords& words);

}  // namespace timeseries
