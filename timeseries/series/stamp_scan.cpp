#include "timeseries/series/stamp_scan.h"

#include "timeseries/series/stamp_cursor.h"

namespace timeseries {
namespace {

using namespace scan;

/// Where the date ends and the time of day begins; both npos without one.
struct TimePlace {
  size_t date_end = std::string_view::npos, time = std::string_view::npos;
};

TimePlace find_time(std::string_view text) {
  size_t hour = text.find(':');
  if (hour != std::string_view::npos) {
    while (hour > 0 && is_digit(text[hour - 1])) --hour;
  } else {
    hour = text.find_first_of("Tt");
    if (hour == std::string_view::npos || hour == 0 || !is_digit(text[hour - 1]) ||
        hour + 1 >= text.size() || !is_digit(text[hour + 1]))
      return {};
    ++hour;
  }
  size_t end = hour;
  if (end > 0 && (text[end - 1] == 'T' || text[end - 1] == 't')) --end;
  while (end > 0 && text[end - 1] == ' ') --end;
  return {end, hour};
}

/// "2016-07-01 13": a lone hour behind a date of three numbers.
TimePlace find_lone_hour(std::string_view text) {
  const size_t blank = text.rfind(' ');
  if (blank == std::string_view::npos || text.size() - blank > 3 ||
      text.find_first_of("-/.") == std::string_view::npos ||
      text.find_first_not_of("0123456789-/. ") != std::string_view::npos)
    return {};
  return {blank, blank + 1};
}

bool scan_number(std::string_view text, ScannedStamp& out) {
  const bool sign = text[0] == '-' || text[0] == '+';
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(sign ? 1 : 0, dot - (sign ? 1 : 0));
  const std::string_view rest = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  if (whole.empty() || whole.find_first_not_of("0123456789") != std::string_view::npos ||
      rest.find_first_not_of('0') != std::string_view::npos || whole.size() > 18)
    return false;
  out.date = "#";
  out.number = text[0] == '-' ? -value_of(whole) : value_of(whole);
  out.digits = text[0] == '-' ? 0 : static_cast<int>(whole.size());
  return true;
}

}  // namespace

ScannedStamp scan_stamp(std::string_view text) {
  ScannedStamp out;
  if (text.empty()) {
    out.fault = ScanFault::empty;
    return out;
  }
  if (scan_number(text, out)) return out;
  TimePlace place = find_time(text);
  if (place.time == std::string_view::npos) place = find_lone_hour(text);
  bool good = scan_date(text.substr(0, place.date_end), out);
  if (good && place.time != std::string_view::npos)
    good = out.date.find_first_of("dw") != std::string::npos &&  // a time is of a day
           scan_time(text.substr(place.time),
                     text.substr(place.date_end, place.time - place.date_end), out);
  if (!good && out.fault == ScanFault::none) out.fault = ScanFault::unknown;
  return out;
}

}  // namespace timeseries
