#include "attn/error.h"
#include "libattn/io/text.h"
#include "timeseries/series/assemble.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/read.h"

namespace timeseries {

namespace {

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

Layout parse_layout(std::string_view text) {
  if (text == "auto") return Layout::automatic;
  if (text == "wide") return Layout::wide;
  if (text == "long") return Layout::longform;
  if (text == "rows") return Layout::rows;
  throw attn::UsageError("unknown layout " + attn::io::quote_text(text) +
                         "; expected wide, long, rows or auto");
}

Fill parse_fill(std::string_view text) {
  if (text == "none") return Fill::none;
  if (text == "missing") return Fill::missing;
  if (text == "linear") return Fill::linear;
  if (text == "forward") return Fill::forward;
  throw attn::UsageError("unknown fill " + attn::io::quote_text(text) +
                         "; expected none, missing, linear or forward");
}

std::vector<std::string> ReadReport::sentences(const SeriesSet& set) const {
  const std::string name = name_of(set);
  std::vector<std::string> out = notes;
  if (backwards > 0)
    out.push_back(name + ": " +
                  (series == 1 ? "its rows run" : counted(backwards, "series runs", "series run")) +
                  " from the latest to the earliest and were turned round");
  if (inserted_rows > 0)
    out.push_back(name + ": " + counted(inserted_rows, "absent row was", "absent rows were") +
                  " filled in " + counted(gaps, "gap", "gaps") + ", the first before " + first_gap);
  if (missing_values > 0)
    out.push_back(name + ": " + counted(missing_values, "value is", "values are") + " missing");
  return out;
}

std::string name_of(const SeriesSet& set) {
  return set.path == "-" ? "standard input" : set.path.string();
}

std::string name_of(const SeriesSet& set, const Series& series) {
  return series.id.empty() ? name_of(set)
                           : name_of(set) + ": series " + attn::io::quote_text(series.id);
}

void require_ahead(const SeriesSet& set, int64_t horizon) {
  if (set.future_names.empty()) return;
  constexpr size_t kShown = 5;
  std::vector<std::string> absent;
  int64_t count = 0;
  for (const Series& series : set.series) {
    for (int64_t h = series.ahead; h < horizon; ++h) {
      if (count++ >= static_cast<int64_t>(kShown)) continue;
      const Instant at = advance(series.start, set.frequency, series.rows + h);
      absent.push_back((series.id.empty() ? "" : attn::io::quote_text(series.id) + " at ") + "'" +
                       format_stamp(at, set.stamps) + "'");
    }
  }
  if (count == 0) return;
  throw attn::Error(
      name_of(set) + ": covariates known ahead must reach " + counted(horizon, "step", "steps") +
      " behind the last value; absent: " + first_of(absent, count) + "; add those rows");
}

}  // namespace timeseries
