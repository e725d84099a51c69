#include "pathology/mil/predict.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/slide_args.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "pathology/mil/mil_run.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct PredictArgs {
  SlideArgs slides;
  fs::path run, out;
  std::optional<fs::path> features;
};

void declare(PredictArgs& args, OptionTable& table) {
  declare_slides(args.slides, table);
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add({.name = "out",
             .target = &args.out,
             .help =
                 "the predictions; failures go beside it to FILE.failures.csv; with --shard I/N "
                 "both are FILE.I-of-N",
             .unit = "FILE.csv",
             .required = true});
  table.add({.name = "features",
             .target = &args.features,
             .help = "keep the slides' features here, and take from here what is finished",
             .unit = "DIR"});
}

nlohmann::json json_of(const pathology::BagSet& set, const std::vector<std::string>& classes,
                       const pathology::BagPrediction& p) {
  auto probability = nlohmann::json::object();
  for (size_t c = 0; c < classes.size(); ++c) probability[classes[c]] = p.probability[c];
  return {{"bag", set.bags[static_cast<size_t>(p.bag)].id},
          {"predicted", classes[static_cast<size_t>(p.predicted)]},
          {"probability", probability},
          {"instances", p.instances},
          {"attention_entropy", p.entropy},
          {"attention_entropy_normalised", p.normalised_entropy}};
}

int run(const PredictArgs& args, const Context& context) {
  const auto model_file = pathology::model_path(args.run);
  const auto model = pathology::load_mil_model(model_file);
  const auto& shard = context.common.shard;
  const fs::path out = shard.count == 1
                           ? args.out
                           : args.out.parent_path() /
                                 fmt::format("{}.{}-of-{}{}", args.out.stem().string(), shard.index,
                                             shard.count, args.out.extension().string());
  const PredictInputs inputs{args.slides, args.features.value_or(fs::path()),
                             args.out.parent_path(), args.out.stem().string() + ".failures"};
  const auto outcome = predict_stage(model, model_file, inputs, context);
  if (context.common.dry_run) return kDone;
  pathology::write_predictions(out, outcome.set, model.classes, outcome.predictions);
  if (context.common.attention_report)
    write_attention_report(*context.common.attention_report, model_file.string(),
                           entropies_of(outcome.set, outcome.predictions));
  if (context.common.json) {
    auto document = to_json(outcome.batch);
    document["predictions"] = nlohmann::json::array();
    for (const auto& p : outcome.predictions)
      document["predictions"].push_back(json_of(outcome.set, model.classes, p));
    print_json(document);
  } else {
    print(fmt::format("{} predictions: {}\n", outcome.predictions.size(), out.string()));
  }
  return outcome.batch.exit_code();
}

}  // namespace

Verb predict_verb() {
  return bind(
      Verb{.name = "predict",
           .summary =
               "diagnose new slides, or bags of features, by a trained model and nothing else",
           .example = "attn-mil predict --run W/run W/data/slides --out W/predictions.csv",
           .batch = true,
           .attention = true},
      declare, run);
}

}  // namespace attn::app
