#include "timeseries/series/stamp.h"

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"
#include "timeseries/series/stamp_scan.h"

namespace timeseries {
namespace {

using attn::io::quote_text;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// What a column's stamps have in common so far.
class ColumnReader {
 public:
  ColumnReader(std::span<const std::string> texts, const StampOptions& options)
      : texts_(texts), options_(options) {}

  StampColumn read() {
    stamps_.reserve(texts_.size());
    for (size_t i = 0; i < texts_.size(); ++i) add(i);
    StampColumn out;
    if (stamps_.empty()) return out;
    if (date_ == "#") {
      read_numbers(out);
    } else {
      read_dates(out);
    }
    return out;
  }

 private:
  /// What is kept of each stamp.
  struct Kept {
    Civil civil;
    int64_t first = 0, second = 0, number = 0;
  };

  attn::Error fault(size_t i, const std::string& expected) const {
    return attn::Error(options_.locate(i) + ": " + expected + ", found " + quote_text(texts_[i]));
  }

  void add(size_t i) {
    const ScannedStamp s = scan_stamp(trimmed(texts_[i]));
    if (s.fault != ScanFault::none) throw explained(i, s.fault);
    if (i == 0) {
      date_ = s.date;
      zone_ = s.zone;
      min_digits_ = max_digits_ = s.digits;
    }
    if (s.date != date_) {
      throw fault(i, "expected a time stamp of the form of the first, " + quote_text(texts_[0]));
    }
    if (s.zone != zone_ || (!s.time.empty() && !time_.empty() && s.time != time_)) mismatch(i, s);
    if (time_.empty()) time_ = s.time;
    min_digits_ = std::min(min_digits_, s.digits);
    max_digits_ = std::max(max_digits_, s.digits);
    note_widths(s);
    stamps_.push_back({s.civil, s.first, s.second, s.number});
  }

  attn::Error explained(size_t i, ScanFault fault_found) const {
    switch (fault_found) {
      case ScanFault::empty:
        return attn::Error(options_.locate(i) +
                           ": the time stamp is missing; give one, or leave the row out");
      case ScanFault::short_year:
        return fault(i, "expected a date with a year of four digits");
      case ScanFault::fraction:
        return fault(i, "expected whole seconds");
      case ScanFault::zone:
        return fault(i, "expected a time with no zone or one such as Z or +02:00");
      default:
        return fault(i,
                     "expected a date or time such as 2016-07-01 13:00, 2016-07, 2016Q3 or "
                     "2016, or a whole number");
    }
  }

  [[noreturn]] void mismatch(size_t i, const ScannedStamp& s) const {
    if (s.zone != zone_) {
      throw attn::Error(options_.locate(i) + ": its time zone is not that of the first stamp, " +
                        quote_text(texts_[0]) + ", found " + quote_text(texts_[i]) +
                        "; write all stamps in one zone, such as UTC");
    }
    throw fault(i, "expected a time of the form of the earlier rows");
  }

  void note_widths(const ScannedStamp& s) {
    short_month_ |= s.short_month, short_day_ |= s.short_day, short_hour_ |= s.short_hour;
    padded_month_ |= s.padded_month, padded_day_ |= s.padded_day, padded_hour_ |= s.padded_hour;
    full_names_ |= s.full_name, upper_names_ |= s.upper_name;
  }

  /// Whether a field that was never seen below 10 would be padded, is what the others do.
  bool pads(bool padded, bool single) const {
    return padded || !(single || ((short_month_ || short_day_ || short_hour_) && !padded_month_ &&
                                  !padded_day_ && !padded_hour_));
  }

  void read_dates(StampColumn& out) {
    const bool day_first = resolve_order();
    out.format.pattern = date_ + time_ + zone_;
    for (char& c : out.format.pattern) {
      if (c == 'x') c = day_first ? 'd' : 'm';
      if (c == 'w') c = day_first ? 'm' : 'd';
    }
    // x and w were noted as month and day: with the day first the widths change places.
    if (day_first && date_.find('x') != std::string::npos) {
      std::swap(short_month_, short_day_);
      std::swap(padded_month_, padded_day_);
    }
    out.format.pad_month = pads(padded_month_, short_month_);
    out.format.pad_day = pads(padded_day_, short_day_);
    out.format.pad_hour = pads(padded_hour_, short_hour_);
    out.format.full_names = full_names_;
    out.format.upper_names = upper_names_;
    out.instants.reserve(stamps_.size());
    for (size_t i = 0; i < stamps_.size(); ++i) out.instants.push_back(instant(i, day_first));
  }

  Instant instant(size_t i, bool day_first) const {
    Civil c = stamps_[i].civil;
    if (date_.find('x') != std::string::npos) {
      c.day = day_first ? stamps_[i].first : stamps_[i].second;
      c.month = day_first ? stamps_[i].second : stamps_[i].first;
    }
    if (!is_valid(c)) {
      throw attn::Error(options_.locate(i) + ": there is no such date or time as " +
                        quote_text(texts_[i]) +
                        (date_.find('x') == std::string::npos ? ""
                         : day_first ? ", read with the day first; see --date-order"
                                     : ", read with the month first; see --date-order"));
    }
    return instant_of(c);
  }

  bool resolve_order() const {
    if (date_.find('x') == std::string::npos) return false;
    if (options_.order != DateOrder::automatic) return options_.order == DateOrder::day_first;
    const auto first_day =
        std::find_if(stamps_.begin(), stamps_.end(), [](const Kept& k) { return k.first > 12; });
    const auto first_month =
        std::find_if(stamps_.begin(), stamps_.end(), [](const Kept& k) { return k.second > 12; });
    if (first_day != stamps_.end() && first_month != stamps_.end()) {
      const auto i = static_cast<size_t>(first_day - stamps_.begin());
      const auto j = static_cast<size_t>(first_month - stamps_.begin());
      const size_t later = std::max(i, j), earlier = std::min(i, j);
      throw fault(later,
                  "expected day and month in the same order as in " + quote_text(texts_[earlier]));
    }
    if (first_day != stamps_.end()) return true;
    if (first_month != stamps_.end()) return false;
    const auto unlike = std::find_if(stamps_.begin(), stamps_.end(),
                                     [](const Kept& k) { return k.first != k.second; });
    if (unlike == stamps_.end()) return false;  // either order gives the same
    const auto i = static_cast<size_t>(unlike - stamps_.begin());
    throw attn::Error(options_.locate(i) + ": whether the day or the month comes first in " +
                      quote_text(texts_[i]) +
                      " cannot be told; say --date-order day-first or --date-order month-first");
  }

  /// Numbers that are all dates, or seconds since 1970: the pattern's code; "#" else.
  std::string number_pattern() const {
    const auto all = [&](const auto& holds) {
      return min_digits_ == max_digits_ &&
             std::all_of(stamps_.begin(), stamps_.end(),
                         [&](const Kept& k) { return holds(k.number); });
    };
    const auto is_year = [](int64_t year) { return year >= 1500 && year <= 2200; };
    const auto is_date = [&](int64_t date) {
      return is_year(date / 10000) && is_valid({date / 10000, date / 100 % 100, date % 100});
    };
    constexpr int64_t kFrom1980 = 315532800, kTo2100 = 4102444800;
    const auto is_epoch = [](int64_t s) { return s >= kFrom1980 && s < kTo2100; };
    const auto is_milliseconds = [&](int64_t ms) { return ms % 1000 == 0 && is_epoch(ms / 1000); };
    const auto is_microseconds = [&](int64_t us) {
      return us % 1000 == 0 && is_milliseconds(us / 1000);
    };
    if (max_digits_ == 4 && all(is_year)) return "Y";
    if (max_digits_ == 6 && all([&](int64_t m) { return is_date(100 * m + 1); })) return "Ym";
    if (max_digits_ == 8 && all(is_date)) return "Ymd";
    if (max_digits_ == 10 && all(is_epoch)) return "E";
    if (max_digits_ == 13 && all(is_milliseconds)) return "L";
    if (max_digits_ == 16 && all(is_microseconds)) return "U";
    return "#";
  }

  void read_numbers(StampColumn& out) const {
    out.format.pattern = number_pattern();
    const std::string& pattern = out.format.pattern;
    for (size_t i = 0; i < stamps_.size(); ++i) {
      const int64_t n = stamps_[i].number;
      if (std::abs(n) > (int64_t{1} << 53)) throw fault(i, "expected a whole number up to 2^53");
      out.instants.push_back(pattern == "Y"     ? instant_of({n})
                             : pattern == "Ym"  ? instant_of({n / 100, n % 100})
                             : pattern == "Ymd" ? instant_of({n / 10000, n / 100 % 100, n % 100})
                             : pattern == "L"   ? n / 1000
                             : pattern == "U"   ? n / 1'000'000
                                                : n);
    }
  }

  std::span<const std::string> texts_;
  const StampOptions& options_;
  std::vector<Kept> stamps_;
  std::string date_, time_, zone_;
  int min_digits_ = 0, max_digits_ = 0;
  bool short_month_ = false, short_day_ = false, short_hour_ = false;
  bool padded_month_ = false, padded_day_ = false, padded_hour_ = false;
  bool full_names_ = false, upper_names_ = false;
};

}  // namespace

DateOrder parse_date_order(std::string_view text) {
  if (text == "auto") return DateOrder::automatic;
  if (text == "day-first") return DateOrder::day_first;
  if (text == "month-first") return DateOrder::month_first;
  throw attn::UsageError("unknown date order " + quote_text(text) +
                         "; expected day-first, month-first or auto");
}

StampColumn parse_stamps(std::span<const std::string> texts, const StampOptions& options) {
  return ColumnReader(texts, options).read();
}

bool looks_like_stamp(std::string_view text) {
  const ScannedStamp s = scan_stamp(trimmed(text));
  if (s.fault != ScanFault::none) return false;
  return s.date != "#" || (s.digits == 4 && s.number >= 1500 && s.number <= 2200);
}

}  // namespace timeseries
