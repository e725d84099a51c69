#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/tables.h"
#include "timeseries/model/describe.h"

namespace attn::app {
namespace {

struct InfoArgs {
  std::filesystem::path file;
  SeriesArgs series;
};

void declare(InfoArgs& args, OptionTable& table) {
  table.add({.name = "FILE",
             .target = &args.file,
             .help = "a table of series, a forecast, a model file, or a run directory",
             .required = true,
             .positional = true});
  declare_columns(args.series, table);
}

int run(const InfoArgs& args, const Context& context) {
  const auto facts = timeseries::describe(args.file, args.series.options(), context.hooks);
  if (context.common.json)
    print_json(facts);
  else
    print(fact_lines(facts));
  return kDone;
}

}  // namespace

Verb info_verb() {
  return bind(
      Verb{.name = "info",
           .summary = "tell what a file is and what is in it: rows, columns, frequency, gaps",
           .example = "attn-forecast info series.csv"},
      declare, run);
}

}  // namespace attn::app
