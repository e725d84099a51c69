// Times of lists as places on an axis of dates.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finance {

/// Seconds since 1970-01-01 00:00 without a zone of an ISO 8601 date, "2016-07-01", or date and
/// time, "2016-07-01 13:00", "2016-07-01T13:00:00.25Z"; a zone other than Z, or anything else:
/// none.
std::optional<double> iso_seconds(std::string_view text);

/// Those of all the times, where each has one and none lies before the time above it; else empty.
std::vector<double> ascending_times(const std::vector<std::string>& times);

}  // namespace finance
