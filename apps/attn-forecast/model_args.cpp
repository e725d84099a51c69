#include "apps/attn-forecast/model_args.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace attn::app {
namespace {

template <class T, class U>
void take(const std::optional<T>& given, U& target) {
  if (given) target = *given;
}

void declare_training(ModelArgs& args, OptionTable& table) {
  table.group("Training");
  table.add({.name = "max-epochs",
             .target = &args.epochs,
             .help = "passes over the training windows at most (entrope 5, more where these are "
                     "few steps; others 10)",
             .unit = "N",
             .min = 1});
  table.add({.name = "batch",
             .target = &args.batch,
             .help = "windows of one channel in a step (entrope 224)",
             .unit = "N",
             .min = 1});
  table.add({.name = "lr",
             .target = &args.lr,
             .help = "peak learning rate (entrope 0.004)",
             .unit = "X",
             .min = 1e-12});
  table.add({.name = "patience",
             .target = &args.patience,
             .help = "stop after so many epochs without a better validation error; 0: never "
                     "(entrope 0)",
             .unit = "N",
             .min = 0});
  table.add({.name = "stride",
             .target = &args.stride,
             .help = "rows between training windows (1)",
             .unit = "N",
             .min = 1});
}

void declare_patches(ModelArgs& args, OptionTable& table) {
  table.group("Patches (of entrope)");
  table.add({.name = "cut",
             .target = &args.cut,
             .help = "where a patch begins: entropy above a threshold, risen by another, both, "
                     "among the highest of its window; fixed lengths; none (both)",
             .choices = {"both", "threshold", "rise", "quantile", "fixed", "none"}});
  table.add({.name = "mean-patch",
             .target = &args.mean_patch,
             .help = "mean length of the training windows' patches, to which thresholds are "
                     "fitted, or the fixed length (8)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "threshold",
             .target = &args.threshold,
             .help = "a threshold of its own instead of a fitted one",
             .unit = "nats"});
  table.add(
      {.name = "rise", .target = &args.rise, .help = "likewise, of the rise", .unit = "nats"});
  table.add({.name = "max-patch",
             .target = &args.max_patch,
             .help = "longest patch; 0: no limit (24)",
             .unit = "STEPS",
             .min = 0});
  table.add({.name = "min-patch",
             .target = &args.min_patch,
             .help = "shortest patch (1)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "vocabulary",
             .target = &args.vocabulary,
             .help = "tokens of the entropy model (256)",
             .unit = "N",
             .min = 8,
             .max = 65536});
  table.add({.name = "entropy-width",
             .target = &args.entropy_width,
             .help = "width of the entropy model (32)",
             .unit = "N",
             .min = 1});
  table.add({.name = "entropy-depth",
             .target = &args.entropy_depth,
             .help = "blocks of the entropy model (2)",
             .unit = "N",
             .min = 1});
  table.add({.name = "entropy-epochs",
             .target = &args.entropy_epochs,
             .help = "epochs of the entropy model at most",
             .unit = "N",
             .min = 1});
}

// Whether any of the options about patches is given.
const char* first_of_patches(const ModelArgs& args) {
  if (args.cut) return "--cut";
  if (args.mean_patch) return "--mean-patch";
  if (args.threshold) return "--threshold";
  if (args.rise) return "--rise";
  if (args.max_patch) return "--max-patch";
  if (args.min_patch) return "--min-patch";
  if (args.vocabulary) return "--vocabulary";
  if (args.entropy_width) return "--entropy-width";
  if (args.entropy_depth) return "--entropy-depth";
  if (args.entropy_epochs) return "--entropy-epochs";
  return nullptr;
}

}  // namespace

void declare_model(ModelArgs& args, OptionTable& table) {
  table.group("Model (in brackets: where the option is not given)");
  table.add({.name = "network",
             .target = &args.network,
             .help = "what forecasts (entrope)",
             .choices = timeseries::network_names()});
  table.add({.name = "lookback",
             .target = &args.lookback,
             .help =
                 "rows that are looked at (two weeks where a season is a day of hours, else 96 or "
                 "two seasons where these are longer, 512 at most; fewer where the series are "
                 "short)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "cycle",
             .target = &args.cycle,
             .help = "steps of the season that is learned; 0: none (entrope: --season)",
             .unit = "STEPS",
             .min = 0});
  table.add({.name = "calendar",
             .target = &args.calendar,
             .help = "hour, day, month and the like as covariates known ahead"});
  table.add({.name = "scale",
             .target = &args.scale,
             .help = "one mean and deviation for a channel, or for each series of it (channel for "
                     "one series, series for more)",
             .choices = {"channel", "series"}});
  table.add({.name = "width",
             .target = &args.width,
             .help = "of the network's tokens (entrope 8, patchtst 16)",
             .unit = "N",
             .min = 1});
  table.add({.name = "dropout",
             .target = &args.dropout,
             .help = "in training (entrope 0.1, patchtst 0.3)",
             .unit = "0..1",
             .min = 0,
             .max = 0.99});
  table.add({.name = "settings",
             .target = &args.settings,
             .help = "every other option of the model, as info --json shows them",
             .unit = "FILE.json"});
  declare_patches(args, table);
  declare_training(args, table);
}

void ModelArgs::set_training(timeseries::ModelOptions& out) const {
  auto& training = out.fit.optimisation;
  take(epochs, training.epochs);
  if (epochs) out.least_steps = 0;
  take(batch, training.batch);
  take(patience, training.patience);
  take(lr, training.lr);
  take(stride, out.stride);
  const bool wide =
      out.network == timeseries::Network::entrope || out.network == timeseries::Network::patchtst;
  if (!wide && (width || dropout))
    throw UsageError("--width and --dropout have no effect on " +
                     timeseries::to_string(out.network));
  take(width,
       out.network == timeseries::Network::patchtst ? out.patchtst.width : out.entrope.width);
  take(dropout,
       out.network == timeseries::Network::patchtst ? out.patchtst.dropout : out.entrope.dropout);
}

void ModelArgs::set_patching(timeseries::ModelOptions& out) const {
  const char* given = first_of_patches(*this);
  if (out.network != timeseries::Network::entrope && given != nullptr)
    throw UsageError(std::string(given) + " has no effect: only entrope cuts patches, and the " +
                     "network is " + timeseries::to_string(out.network));
  auto& patching = out.patching;
  if (cut) patching.boundaries.rule = timeseries::parse_cut_rule(*cut);
  const auto rule = patching.boundaries.rule;
  if ((rule == timeseries::CutRule::fixed || rule == timeseries::CutRule::none) &&
      (threshold || rise))
    throw UsageError("--threshold and --rise have no effect where --cut is fixed or none");
  take(max_patch, patching.boundaries.max_length);
  take(min_patch, patching.boundaries.min_length);
  take(threshold, patching.boundaries.threshold);
  take(rise, patching.boundaries.rise);
  if (threshold || rise) patching.mean_length = 0;
  if (mean_patch && (threshold || rise))
    throw UsageError(
        "--mean-patch fits the thresholds, and --threshold and --rise give them; "
        "leave one of the two out");
  if (mean_patch) patching.mean_length = *mean_patch;
  take(vocabulary, patching.entropy_model.vocabulary);
  take(entropy_width, patching.entropy_model.width);
  take(entropy_depth, patching.entropy_model.depth);
  take(entropy_epochs, patching.entropy_training.train.epochs);
}

timeseries::ModelOptions ModelArgs::resolve(int64_t channels, const std::optional<int64_t>& season,
                                            const Context& context) const {
  const auto given = settings ? io::read_json(*settings) : nlohmann::json::object();
  const auto word = network.value_or(io::get_or<std::string>(
      given, "network", settings.value_or("").string(), timeseries::network_names().front()));
  auto out = timeseries::default_options(timeseries::parse_network(word), channels);
  if (settings) out = timeseries::read_model_options(given, out, settings->string());
  out.network = timeseries::parse_network(word);
  take(lookback, out.lookback);
  take(cycle, out.cycle);
  if (season) out.season = season;
  if (calendar) out.calendar = true;
  if (scale)
    out.scale = *scale == "series" ? timeseries::ScaleBy::series : timeseries::ScaleBy::channel;
  set_training(out);
  set_patching(out);
  out.seed = static_cast<uint64_t>(context.common.seed);
  if (given.is_object() && given.contains("seed") && given["seed"] != out.seed)
    throw UsageError(settings->string() + ": the key seed has no effect; give --seed");
  timeseries::check(out);
  return out;
}

std::string title_of(timeseries::Network network) {
  switch (network) {
    case timeseries::Network::entrope:
      return "EntroPE";
    case timeseries::Network::patchtst:
      return "PatchTST";
    case timeseries::Network::dlinear:
      return "DLinear";
    case timeseries::Network::seasonal_naive:
      break;
  }
  return "seasonal naive";
}

}  // namespace attn::app
