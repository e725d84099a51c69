#include "timeseries/series/simulate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "timeseries/model/outputs.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/side_by_side.h"
#include "timeseries/series/stamp.h"
#include "timeseries/series/write_series.h"

namespace attn::app {
namespace {

struct SimulateArgs {
  std::filesystem::path out;
  timeseries::SimulateOptions options;
  std::string frequency = "h", layout = "long", start = "2020-01-01";
};

void declare_shape(timeseries::SimulateOptions& o, OptionTable& table) {
  table.group("What the series are made of");
  table.add({.name = "level", .target = &o.level, .help = "where they start"});
  table.add({.name = "trend", .target = &o.trend, .help = "rise from the first row to the last"});
  table.add({.name = "daily", .target = &o.daily, .help = "amplitude of the day", .min = 0});
  table.add({.name = "weekly", .target = &o.weekly, .help = "amplitude of the week", .min = 0});
  table.add({.name = "yearly",
             .target = &o.yearly,
             .help = "amplitude of the year, where a row is a day or more",
             .min = 0});
  table.add({.name = "shifts",
             .target = &o.level_shifts,
             .help = "expected number of level shifts",
             .min = 0});
  table.add({.name = "shift-size", .target = &o.shift_size, .help = "sd of a shift", .min = 0});
  table.add({.name = "noise", .target = &o.noise, .help = "sd of the noise", .min = 0});
  table.add({.name = "heteroscedastic",
             .target = &o.heteroscedastic,
             .help = "how much louder the noise is at the height of the day",
             .min = 0});
  table.add({.name = "missing",
             .target = &o.missing,
             .help = "share of rows whose value is missing, in stretches",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "covariates",
             .target = &o.covariates,
             .help = "with weather (known up to now), promotion (known ahead) and size (static)"});
  table.add({.name = "ahead",
             .target = &o.ahead,
             .help = "rows of promotion behind the last value",
             .unit = "N",
             .min = 0});
}

void declare(SimulateArgs& args, OptionTable& table) {
  auto& o = args.options;
  table.add({.name = "out",
             .target = &args.out,
             .help = "the table: .csv, .csv.gz or .parquet",
             .unit = "FILE",
             .required = true});
  table.add({.name = "series",
             .target = &o.series,
             .help = "how many",
             .unit = "N",
             .min = 1,
             .max = 1000000});
  table.add({.name = "rows",
             .target = &o.rows,
             .help = "of each",
             .unit = "N",
             .min = 1,
             .max = 100000000});
  table.add({.name = "freq",
             .target = &args.frequency,
             .help = "distance of rows, such as h, 15min, D, B, W, M",
             .unit = "FREQ"});
  table.add({.name = "start", .target = &args.start, .help = "first stamp", .unit = "DATE"});
  table.add({.name = "layout",
             .target = &args.layout,
             .help = "several series below each other, or as columns side by side",
             .choices = {"long", "wide"}});
  declare_shape(o, table);
}

timeseries::SimulateOptions options_of(const SimulateArgs& args, const Context& context) {
  auto options = args.options;
  options.frequency = timeseries::parse_frequency(args.frequency);
  options.start = timeseries::parse_stamps(std::vector<std::string>{args.start},
                                           {.locate = [](size_t) { return "--start"; }})
                      .instants.front();
  options.seed = static_cast<uint64_t>(context.common.seed);
  if (args.layout == "wide" && options.series > 1 && options.covariates)
    throw UsageError(
        "--covariates are columns of each series, for which --layout wide has no "
        "room; use long");
  return options;
}

int run(const SimulateArgs& args, const Context& context) {
  context.if_interrupted = "nothing is kept";
  const auto options = options_of(args, context);
  timeseries::require_writable(args.out, "--out");
  auto set = timeseries::simulate(options);
  if (args.layout == "wide") set = timeseries::side_by_side(std::move(set));
  timeseries::write_series(args.out, set);
  set.path = args.out;
  if (context.common.json)
    print_json({{"out", args.out.string()},
                {"series", options.series},
                {"rows", options.rows},
                {"frequency", timeseries::frequency_text(options.frequency)},
                {"seed", options.seed}});
  else
    print(set_text(set) + "\n");
  return kDone;
}

}  // namespace

Verb simulate_verb() {
  return bind(Verb{.name = "simulate",
                   .summary = "make series of known seasons, trend and noise",
                   .example = "attn-forecast simulate --out series.csv --rows 2000 --seed 7"},
              declare, run);
}

}  // namespace attn::app
