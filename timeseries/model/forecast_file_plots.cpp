// Pictures of forecasts that were read back, and of series.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "timeseries/model/forecast_file.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/read.h"

namespace timeseries {
namespace {

/// One picture to be: a channel of a series.
struct Subject {
  std::string id, channel;
  bool operator==(const Subject&) const = default;
};

std::vector<Subject> subjects_of(const SeriesSet* set, const ForecastFile* forecast) {
  std::vector<Subject> out;
  if (forecast != nullptr) {
    const ForecastTable& t = forecast->table;
    for (size_t r = 0; r < t.instants.size(); ++r)
      if (out.empty() || out.back().id != t.ids[r] || out.back().channel != t.channels[r])
        if (const Subject subject{t.ids[r], t.channels[r]};
            std::find(out.begin(), out.end(), subject) == out.end())
          out.push_back(subject);
    return out;
  }
  for (const Series& s : set->series)
    for (const std::string& channel : set->channels) out.push_back({s.id, channel});
  return out;
}

/// Keeps the subjects of which `part` is `wanted`.
void keep(std::vector<Subject>& subjects, std::string Subject::*part,
          const std::optional<std::string>& wanted, const char* option) {
  if (!wanted) return;
  std::vector<std::string> names;
  for (const Subject& subject : subjects)
    if (names.empty() || names.back() != subject.*part) names.push_back(subject.*part);
  if (names == std::vector<std::string>{""})
    throw attn::Error(std::string(option) + " " + attn::io::quote_text(*wanted) +
                      ": the file holds one series without an id; leave " + option + " out");
  std::erase_if(subjects, [&](const Subject& subject) { return subject.*part != *wanted; });
  if (subjects.empty())
    throw attn::Error(std::string(option) + " " + attn::io::quote_text(*wanted) +
                      ": there is none of that name" + attn::io::did_you_mean(*wanted, names) +
                      "; those there are " + attn::io::list_names(names));
}

/// One channel of one series with its stamps.
struct Curve {
  std::vector<Instant> stamps;
  std::vector<double> values;
};

std::optional<Curve> curve_of(const SeriesSet& set, const Subject& subject) {
  const auto channel = std::find(set.channels.begin(), set.channels.end(), subject.channel);
  const auto series = std::find_if(set.series.begin(), set.series.end(),
                                   [&](const Series& s) { return s.id == subject.id; });
  if (channel == set.channels.end() || series == set.series.end()) return {};
  const auto c = static_cast<size_t>(channel - set.channels.begin());
  Curve out;
  for (int64_t r = 0; r < series->rows; ++r) {
    out.stamps.push_back(advance(series->start, set.frequency, r));
    out.values.push_back(series->values[static_cast<size_t>(r) * set.channels.size() + c]);
  }
  return out;
}

/// The rows of one subject, into a picture.
void add_forecast(ForecastPlot& plot, const ForecastFile& file, const Subject& subject) {
  const ForecastTable& t = file.table;
  for (const BandColumns& band : file.bands) plot.bands.push_back({band.level, {}, {}});
  const auto point =
      static_cast<size_t>(std::find(t.names.begin(), t.names.end(), "forecast") - t.names.begin());
  for (size_t r = 0; r < t.instants.size(); ++r) {
    if (t.ids[r] != subject.id || t.channels[r] != subject.channel) continue;
    const double* row = t.values.data() + r * t.names.size();
    plot.stamps.push_back(t.instants[r]);
    plot.forecast.push_back(row[point]);
    for (size_t k = 0; k < file.bands.size(); ++k) {
      plot.bands[k].low.push_back(row[file.bands[k].low]);
      plot.bands[k].high.push_back(row[file.bands[k].high]);
    }
  }
}

/// Values before the forecast are its past, those at its stamps what came.
void add_past(ForecastPlot& plot, const Curve& curve) {
  const Instant first = plot.stamps.empty() ? std::numeric_limits<Instant>::max() : plot.stamps[0];
  std::map<Instant, double> came;
  for (size_t r = 0; r < curve.stamps.size(); ++r) {
    if (curve.stamps[r] >= first) {
      came[curve.stamps[r]] = curve.values[r];
      continue;
    }
    plot.past_stamps.push_back(curve.stamps[r]);
    plot.past.push_back(curve.values[r]);
  }
  if (came.empty()) return;
  for (const Instant stamp : plot.stamps) {
    const auto found = came.find(stamp);
    plot.actual.push_back(found == came.end() ? std::numeric_limits<double>::quiet_NaN()
                                              : found->second);
  }
}

}  // namespace

std::vector<ForecastPlot> plots_of(const SeriesSet* set, const ForecastFile* forecast,
                                   const DrawOptions& options) {
  std::vector<Subject> subjects = subjects_of(set, forecast);
  keep(subjects, &Subject::id, options.series, "--series");
  keep(subjects, &Subject::channel, options.channel, "--channel");
  if (subjects.size() > options.most) subjects.resize(options.most);
  std::vector<ForecastPlot> out;
  for (const Subject& subject : subjects) {
    ForecastPlot plot;
    plot.title = subject.id.empty() ? subject.channel : subject.id + ", " + subject.channel;
    plot.value_label = subject.channel;
    plot.dates = forecast != nullptr ? forecast->calendar : set->frequency.unit != Unit::index;
    plot.past_shown = options.last;
    if (forecast != nullptr) add_forecast(plot, *forecast, subject);
    if (set != nullptr) {
      const std::optional<Curve> curve = curve_of(*set, subject);
      if (!curve)
        throw attn::Error(name_of(*set) + ": holds nothing of " + plot.title + ", which " +
                          forecast->path.string() + " forecasts; give the file that was forecast");
      add_past(plot, *curve);
    }
    out.push_back(std::move(plot));
  }
  return out;
}

}  // namespace timeseries
