#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/attn-forecast/forecast_args.h"
#include "apps/attn-forecast/levels.h"
#include "apps/attn-forecast/pictures.h"
#include "apps/attn-forecast/reports.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "timeseries/model/outputs.h"
#include "timeseries/model/plots.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownRows = 10;

void declare(ForecastArgs& args, OptionTable& table) {
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add({.name = "out",
             .target = &args.out,
             .help = "the forecast: .csv, .json or .parquet; of a folder, a folder",
             .unit = "FILE"});
  table.add({.name = "levels",
             .target = &args.levels,
             .help = "intervals to hold so many per cent of the values, or none (80,95)",
             .unit = "80,95"});
  table.add({.name = "horizon",
             .target = &args.horizon,
             .help = "rows to forecast, at most as trained (as trained)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "format",
             .target = &args.format,
             .help = "of a folder's forecasts",
             .choices = {"csv", "json", "parquet"}});
  table.group("Picture");
  table.add({.name = "plot",
             .target = &args.plot,
             .help = "past and forecast with intervals: .svg of one channel, .html of more",
             .unit = "FILE"});
  table.add({.name = "series",
             .target = &args.one_series,
             .help = "id of the one to draw (the first; all on a page)",
             .unit = "ID"});
  table.add({.name = "channel", .target = &args.one_channel, .help = "likewise", .unit = "NAME"});
  table.add({.name = "last",
             .target = &args.last,
             .help = "rows of the past to draw; 0: all (three horizons)",
             .unit = "N",
             .min = 0});
  table.group("Options");
  declare_series(args.series, table, "; or a folder of such files");
}

// Before any work.
void check_outputs(const ForecastArgs& args, const Context& context) {
  const fs::path attention = context.common.attention_report.value_or(fs::path());
  const std::vector<fs::path> written{args.out.value_or(fs::path()), args.plot.value_or(fs::path()),
                                      attention};
  timeseries::refuse_overwriting(written, {args.series.data});
  timeseries::refuse_overwriting(written, timeseries::files_of_run(args.run));
  if (args.plot) check_picture(*args.plot, "--plot");
  if (!args.plot && (args.one_series || args.one_channel || args.last))
    throw UsageError(
        "--series, --channel and --last say what --plot draws, which is missing; the forecast is "
        "of "
        "all series");
  if (!attention.empty()) timeseries::require_writable(attention, "--attention-report");
}

void check_file(const ForecastArgs& args, const Context& context) {
  if (context.common.shard.count > 1 || context.common.dry_run)
    throw UsageError("--shard and --dry-run are for a folder of files; " +
                     args.series.data.string() + " is one");
  if (!args.out) return;
  timeseries::require_writable(*args.out, "--out");
  const auto& end = args.out->extension();
  if (end != ".csv" && end != ".json" && end != ".parquet" && end != ".pq")
    throw UsageError("--out " + args.out->string() +
                     ": a forecast is written as .csv, .json or .parquet");
}

// The place of `name` among `names`. Throws Error with the names that there are.
size_t place_of(const std::string& name, const std::vector<std::string>& names,
                const std::string& what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  throw Error(fmt::format("--{} {}: there is none of that name{}; those there are {}", what,
                          io::quote_text(name), io::did_you_mean(name, names),
                          io::list_names(names)));
}

// Only the series and the channel that are asked for.
timeseries::ForecastResult chosen(timeseries::ForecastResult result, const ForecastArgs& args) {
  if (!args.one_series) return result;
  std::vector<std::string> ids;
  for (const auto& series : result.series) ids.push_back(series.id);
  const auto place = place_of(*args.one_series, ids, "series");
  result.series = {result.series[place]};
  return result;
}

void draw(const ForecastArgs& args, const Forecast& forecast) {
  const auto result = chosen(forecast.result, args);
  const int64_t shown = args.last.value_or(3 * result.horizon);
  const size_t channel =
      args.one_channel ? place_of(*args.one_channel, result.channels, "channel") : 0;
  if (is_page(*args.plot) && !args.one_channel) {
    forecast_report(result, forecast.set, shown).write(*args.plot);
    return;
  }
  if (result.series.empty()) return;
  if (result.series.size() > 1 || (result.channels.size() > 1 && !args.one_channel))
    log_info(fmt::format(
        "{} draws {}{} alone; --series and --channel choose others, a page (.html) without them "
        "holds all",
        args.plot->string(), result.series[0].id.empty() ? "" : result.series[0].id + ", ",
        result.channels[channel]));
  const auto plot =
      timeseries::forecast_plot(result, 0, static_cast<int64_t>(channel), forecast.set, shown);
  if (is_page(*args.plot)) {
    report::Report page("attn-forecast: forecast", plot.title);
    page.columns({timeseries::forecast_section(plot)});
    page.write(*args.plot);
  } else {
    write_svg(*args.plot, timeseries::forecast_chart(plot));
  }
}

// The first rows, for a look.
std::string short_table(const timeseries::ForecastTable& table, const timeseries::SeriesSet& set,
                        const fs::path& out) {
  const bool ids =
      std::any_of(table.ids.begin(), table.ids.end(), [](const auto& id) { return !id.empty(); });
  std::vector<std::vector<std::string>> rows(1);
  if (ids) rows[0].push_back("id");
  rows[0].insert(rows[0].end(), {"channel", set.time_column.empty() ? "row" : set.time_column});
  rows[0].insert(rows[0].end(), table.names.begin(), table.names.end());
  const size_t shown = std::min<size_t>(table.instants.size(), kShownRows);
  for (size_t i = 0; i < shown; ++i) {
    auto& row = rows.emplace_back();
    if (ids) row.push_back(table.ids[i]);
    row.push_back(table.channels[i]);
    row.push_back(stamp_text(table.instants[i], set));
    for (size_t k = 0; k < table.names.size(); ++k)
      row.push_back(figure(table.values[i * table.names.size() + k]));
  }
  std::string text = text_table(rows);
  if (table.instants.size() > shown)
    text += fmt::format("... {} more rows\n",
                        number_words(std::ssize(table.instants) - static_cast<int64_t>(shown)));
  return text + out.string() + "\n";
}

nlohmann::json document_of(const ForecastArgs& args, const Forecast& forecast,
                           const timeseries::ForecastTable& table) {
  auto failures = nlohmann::json::array();
  for (const auto& one : forecast.result.failures)
    failures.push_back({{"id", one.id}, {"reason", one.sentence}});
  return {{"run", args.run.string()},
          {"data", timeseries::name_of(forecast.set)},
          {"horizon", forecast.result.horizon},
          {"levels", forecast.result.levels},
          {"series", forecast.result.series.size()},
          {"out", args.out ? nlohmann::json(args.out->string()) : nlohmann::json()},
          {"failures", failures},
          {"forecasts", nlohmann::json::parse(timeseries::forecast_json(table, forecast.set))}};
}

int forecast_one(const ForecastArgs& args, const timeseries::ForecastModel& model,
                 const Context& context) {
  check_file(args, context);
  context.if_interrupted = "a forecast keeps nothing that is not finished";
  const auto forecast = forecast_file(args, model, context);
  context.progress.finish();
  const auto& failures = forecast.result.failures;
  if (forecast.result.series.empty() && !failures.empty()) throw Error(failures.front().sentence);
  const auto table = timeseries::forecast_table(forecast.result);
  if (args.out) {
    timeseries::write_forecast(*args.out, table, forecast.set);
    timeseries::write_failures(args.out->string() + ".failures.csv", failures);
  }
  for (size_t i = 0; i < std::min<size_t>(failures.size(), 3); ++i)
    log_warning(failures[i].sentence);
  if (failures.size() > 3)
    log_warning(fmt::format("{} series in all could not be forecast", failures.size()));
  if (args.plot) draw(args, forecast);
  if (context.common.json)
    print_json(document_of(args, forecast, table));
  else
    print(args.out ? short_table(table, forecast.set, *args.out)
                   : timeseries::forecast_csv(table, forecast.set));
  return failures.empty() ? kDone : kFailed;
}

int run(const ForecastArgs& args, const Context& context) {
  check_outputs(args, context);
  const auto model = timeseries::load_forecast_model(timeseries::model_path_of(args.run));
  levels_for(model, args.levels);  // what is wrong with them is told before the work
  warn_of_few_residuals(model, args.levels);
  const AttentionReport attention(context);
  const int code = fs::is_directory(args.series.data) ? forecast_folder(args, model, context)
                                                      : forecast_one(args, model, context);
  attention.write(args.run.string() + ", " + args.series.data.string());
  return code;
}

}  // namespace

Verb forecast_verb() {
  return bind(
      Verb{.name = "forecast",
           .summary = "what comes after the last row, in the units of the data, with intervals",
           .example = "attn-forecast forecast --run RUN --data series.csv --levels 80,95 --out "
                      "future.csv --plot future.svg",
           .details = "Without --out the whole forecast goes to stdout, as CSV.",
           .batch = true,
           .attention = true},
      declare, run);
}

}  // namespace attn::app
