#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/pictures.h"
#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/tables.h"
#include "libattn/io/atomic_file.h"
#include "timeseries/model/outputs.h"
#include "timeseries/model/patch_json.h"
#include "timeseries/model/plots.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct PatchArgs {
  fs::path run;
  SeriesArgs series;
  timeseries::PatchViewOptions view;
  std::optional<std::string> one_series, one_channel;
  std::optional<fs::path> out, plot;
};

void declare(PatchArgs& args, OptionTable& table) {
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add({.name = "series",
             .target = &args.one_series,
             .help = "id of the series (the first)",
             .unit = "ID"});
  table.add({.name = "channel",
             .target = &args.one_channel,
             .help = "channel (the first)",
             .unit = "NAME"});
  table.add({.name = "windows",
             .target = &args.view.windows,
             .help = "look-backs side by side, the last one ends with the series; 0: all",
             .unit = "N",
             .min = 0});
  table.add({.name = "out",
             .target = &args.out,
             .help = "a row for each patch, instead of to stdout",
             .unit = "FILE.csv"});
  table.add({.name = "plot",
             .target = &args.plot,
             .help = "patches over the series, with the entropy below: .svg of the last look-back, "
                     ".html of all",
             .unit = "FILE"});
  declare_series(args.series, table);
}

// Before any work.
void check_outputs(const PatchArgs& args, const Context& context) {
  const fs::path attention = context.common.attention_report.value_or(fs::path());
  const std::vector<fs::path> written{args.out.value_or(fs::path()), args.plot.value_or(fs::path()),
                                      attention};
  timeseries::refuse_overwriting(written, {args.series.data});
  timeseries::refuse_overwriting(written, timeseries::files_of_run(args.run));
  if (args.plot) check_picture(*args.plot, "--plot");
  if (args.out) timeseries::require_writable(*args.out, "--out");
  if (!attention.empty()) timeseries::require_writable(attention, "--attention-report");
}

void draw(const fs::path& file, const timeseries::PatchViews& views,
          const timeseries::SeriesSet& set) {
  if (!is_page(file)) {
    const auto plot = timeseries::patch_plot(views, views.windows.size() - 1, set);
    write_svg(file, timeseries::patch_chart(plot));
    return;
  }
  report::Report page("attn-forecast: patches", set_text(set));
  for (size_t i = 0; i < views.windows.size(); ++i)
    page.columns({timeseries::patch_section(timeseries::patch_plot(views, i, set))});
  page.write(file);
}

int64_t patches_of(const timeseries::PatchViews& views) {
  int64_t patches = 0;
  for (const auto& window : views.windows) patches += std::ssize(window.begins);
  return patches;
}

int run(const PatchArgs& args, const Context& context) {
  context.if_interrupted = "nothing is kept";
  check_outputs(args, context);
  const auto model = timeseries::load_forecast_model(timeseries::model_path_of(args.run));
  const auto set = args.series.read_for(model);
  auto options = args.view;
  options.series = args.one_series.value_or("");
  options.channel = args.one_channel.value_or("");
  const AttentionReport attention(context);
  const auto views = timeseries::view_patches(model, set, options, context.hooks);
  context.progress.finish();
  if (args.out) io::write_file(*args.out, timeseries::patch_csv(views, set));
  if (args.plot) draw(*args.plot, views, set);
  attention.write(args.run.string() + ", " + timeseries::name_of(set));
  log_info(fmt::format("{} of {} steps on average, in {}",
                       counted(patches_of(views), "patch", "patches"), figure(views.mean_length),
                       counted(std::ssize(views.windows), "look-back", "look-backs")));
  if (context.common.json)
    print_json(timeseries::to_json(views, set));
  else if (!args.out)
    print(timeseries::patch_csv(views, set));
  return kDone;
}

}  // namespace

Verb patch_verb() {
  return bind(Verb{.name = "patch",
                   .summary = "where a model cuts a series: boundaries, lengths, entropies",
                   .example = "attn-forecast patch --run RUN --data series.csv --plot patches.svg",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
