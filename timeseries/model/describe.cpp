#include "timeseries/model/describe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/run_json.h"
#include "libattn/io/table.h"
#include "timeseries/model/forecast_file.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/series_digest.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const char* word_of(Layout layout) {
  switch (layout) {
    case Layout::longform:
      return "long";
    case Layout::rows:
      return "rows";
    default:
      return "wide";
  }
}

json stamp_json(Instant instant, const SeriesSet& set) {
  return set.frequency.unit == Unit::index ? json(instant)
                                           : json(format_stamp(instant, set.stamps));
}

json series_facts(const fs::path& path, ReadOptions options, const attn::Hooks& hooks) {
  hooks.check();
  if (options.fill == Fill::none) options.fill = Fill::missing;
  const Reading reading = read_series(path, options);
  const SeriesSet& set = reading.set;
  int64_t shortest = set.series.front().rows, longest = 0, rows = 0;
  Instant first = set.series.front().start, last = first;
  for (const Series& s : set.series) {
    shortest = std::min(shortest, s.rows);
    longest = std::max(longest, s.rows);
    rows += s.rows;
    first = std::min(first, s.start);
    if (s.rows > 0) last = std::max(last, advance(s.start, set.frequency, s.rows - 1));
  }
  const ReadReport& r = reading.report;
  return {{"kind", "series"},
          {"layout", word_of(r.layout)},
          {"series", set.series.size()},
          {"rows", rows},
          {"shortest", shortest},
          {"longest", longest},
          {"time_column", set.time_column},
          {"id_column", set.id_column},
          {"channels", set.channels},
          {"past_covariates", set.past_names},
          {"future_covariates", set.future_names},
          {"static_covariates", set.static_names},
          {"frequency", frequency_text(set.frequency)},
          {"season", season_length(set.frequency)},
          {"first", stamp_json(first, set)},
          {"last", stamp_json(last, set)},
          {"missing_values", r.missing_values},
          {"gaps", r.gaps},
          {"first_gap", r.first_gap},
          {"absent_rows", r.inserted_rows},
          {"notes", r.sentences(set)},
          {"digest", digest_of(set)}};
}

/// A table that the forecast verb wrote.
bool holds_forecast(const attn::io::Table& table) {
  return table.has("channel") && table.has("forecast");
}

json forecast_facts(const ForecastFile& file) {
  const ForecastTable& t = file.table;
  json levels = json::array();
  for (const BandColumns& band : file.bands) levels.push_back(t.names[band.low].substr(6));
  return {{"kind", "forecast"},
          {"rows", t.instants.size()},
          {"columns", t.names},
          {"channels", std::set<std::string>(t.channels.begin(), t.channels.end())},
          {"series", std::set<std::string>(t.ids.begin(), t.ids.end()).size()},
          {"levels", levels}};
}

/// Of an unfinished run: what run.json tells.
json run_facts(const fs::path& run) {
  json out = {{"kind", "run directory"}};
  const bool told = fs::exists(run / "run.json");
  if (told) out["run"] = attn::io::read_run_json(run);
  if (!told || fs::exists(run / "model.safetensors"))
    out["model"] = describe(load_forecast_model(model_path_of(run)));
  return out;
}

}  // namespace

json describe(const fs::path& path, const ReadOptions& options, const attn::Hooks& hooks) {
  if (fs::is_directory(path)) return run_facts(path);
  if (path != "-") {
    if (!fs::exists(path))
      throw attn::Error(path.string() +
                        ": there is no such file; name a table of series, a model "
                        "file or a run directory");
    if (attn::io::file_kind_of(path) == attn::io::FileKind::safetensors)
      return describe(load_forecast_model(path));
    if (path.extension() == ".json") return forecast_facts(read_forecast(path));
    const attn::io::Table table = attn::io::Table::read(path);
    if (holds_forecast(table)) return forecast_facts(read_forecast(path));
  }
  return series_facts(path, options, hooks);
}

}  // namespace timeseries
