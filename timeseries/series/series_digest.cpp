#include "timeseries/series/series_digest.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "libattn/io/digest.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

class Feed {
 public:
  void number(int64_t value) { digest_.update(&value, sizeof value); }
  /// Its length first, so that neighbours do not run into each other.
  void text(const std::string& value) {
    number(static_cast<int64_t>(value.size()));
    digest_.update(value);
  }
  void texts(const std::vector<std::string>& values) {
    number(static_cast<int64_t>(values.size()));
    for (const std::string& value : values) text(value);
  }
  void values(const std::vector<double>& values) {
    number(static_cast<int64_t>(values.size()));
    std::array<double, 512> piece{};
    for (size_t at = 0; at < values.size();) {
      size_t n = 0;
      for (; n < piece.size() && at < values.size(); ++n, ++at) {
        const double v = values[at];
        // One bit pattern for every NaN, and for both zeros.
        piece[n] = std::isnan(v) ? std::numeric_limits<double>::quiet_NaN() : v == 0 ? 0.0 : v;
      }
      digest_.update(piece.data(), n * sizeof(double));
    }
  }
  std::string hex() const { return digest_.hex(); }

 private:
  attn::io::Digest digest_;
};

}  // namespace

std::string digest_of(const SeriesSet& set) {
  Feed feed;
  feed.text(frequency_text(set.frequency));
  for (const auto* names : {&set.channels, &set.past_names, &set.future_names, &set.static_names})
    feed.texts(*names);
  feed.number(static_cast<int64_t>(set.series.size()));
  for (const Series& s : set.series) {
    feed.text(s.id);
    feed.number(s.start);
    feed.number(s.rows);
    feed.number(s.ahead);
    for (const auto* values : {&s.values, &s.past, &s.future, &s.statics}) feed.values(*values);
  }
  return feed.hex();
}

}  // namespace timeseries
