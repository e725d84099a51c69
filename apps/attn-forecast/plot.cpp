#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/pictures.h"
#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "timeseries/model/forecast_file.h"
#include "timeseries/model/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPictures = 12;  // on a page

struct PlotArgs {
  SeriesArgs series;
  std::optional<fs::path> data, forecast;
  fs::path out;
  timeseries::DrawOptions draw;
  std::optional<std::string> one_series, one_channel;
};

void declare(PlotArgs& args, OptionTable& table) {
  table.add({.name = "data", .target = &args.data, .help = "table of series", .unit = "FILE"});
  table.add({.name = "forecast",
             .target = &args.forecast,
             .help = "what the verb forecast wrote of it; the series' own rows at the same stamps "
                     "are drawn as what came",
             .unit = "FILE"});
  table.add({.name = "out",
             .target = &args.out,
             .help = ".svg of one channel, .html of more",
             .unit = "FILE",
             .required = true});
  table.add({.name = "series",
             .target = &args.one_series,
             .help = "id of the one to draw (the first; all on a page)",
             .unit = "ID"});
  table.add({.name = "channel", .target = &args.one_channel, .help = "likewise", .unit = "NAME"});
  table.add({.name = "last",
             .target = &args.draw.last,
             .help = "rows of the past to draw; 0: all",
             .unit = "N",
             .min = 0});
  declare_columns(args.series, table);
}

// Before any work.
void check_arguments(const PlotArgs& args) {
  if (!args.data && !args.forecast)
    throw UsageError("--data or --forecast is missing: what is to be drawn");
  timeseries::refuse_overwriting(
      {args.out}, {args.data.value_or(fs::path()), args.forecast.value_or(fs::path())});
  check_picture(args.out, "--out");
}

int run(const PlotArgs& args, const Context& context) {
  check_arguments(args);
  std::optional<timeseries::SeriesSet> set;
  if (args.data) set = read_told(*args.data, args.series.options()).set;
  std::optional<timeseries::ForecastFile> forecast;
  if (args.forecast) forecast = timeseries::read_forecast(*args.forecast);
  auto options = args.draw;
  options.series = args.one_series;
  options.channel = args.one_channel;
  options.most = is_page(args.out) ? kPictures : 1;
  const auto plots =
      timeseries::plots_of(set ? &*set : nullptr, forecast ? &*forecast : nullptr, options);
  if (is_page(args.out)) {
    report::Report page("attn-forecast: plot", plots.size() == 1 ? plots.front().title : "");
    for (const auto& plot : plots) page.columns({timeseries::forecast_section(plot)});
    page.write(args.out);
  } else {
    write_svg(args.out, timeseries::forecast_chart(plots.front()));
  }
  if (context.common.json)
    print_json({{"out", args.out.string()}, {"pictures", plots.size()}});
  else
    print(fmt::format("{}: {}\n", counted(std::ssize(plots), "picture", "pictures"),
                      args.out.string()));
  return kDone;
}

}  // namespace

Verb plot_verb() {
  return bind(
      Verb{.name = "plot",
           .summary = "draw series, and forecasts that were written to files",
           .example = "attn-forecast plot --data series.csv --forecast future.csv --last 200 "
                      "--out picture.svg"},
      declare, run);
}

}  // namespace attn::app
