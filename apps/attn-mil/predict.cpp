#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "pathology/chain/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct PredictArgs {
  SlideArgs slides;
  fs::path run, out;
  std::optional<fs::path> features;
};

void declare(PredictArgs& args, OptionTable& table) {
  table.add({.name = "SLIDES",
             .target = &args.slides.inputs,
             .help =
                 "slides, folders of slides, manifests; or feature files (.h5), folders of them, "
                 "tables of bags (CSV: bag,f0,f1,...)",
             .required = true,
             .positional = true});
  declare_slide_mpp(args.slides.slide_mpp, table);
  declare_max_unreadable(args.slides.max_unreadable, table);
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add(
      {.name = "out",
       .target = &args.out,
       .help = "the predictions; failures go beside it to FILE.failures.csv, and what is finished "
               "is kept in FILE.parts/; with --shard I/N tables are FILE.I-of-N",
       .unit = "FILE.csv",
       .required = true});
  table.add({.name = "features",
             .target = &args.features,
             .help = "keep the slides' features here, and take from here what is finished",
             .unit = "DIR"});
}

int run(const PredictArgs& args, const Context& context) {
  const fs::path report = context.common.attention_report.value_or(fs::path());
  const auto& shard = context.common.shard;
  const fs::path out = shard.count == 1
                           ? args.out
                           : args.out.parent_path() /
                                 fmt::format("{}.{}-of-{}{}", args.out.stem().string(), shard.index,
                                             shard.count, args.out.extension().string());
  std::vector<fs::path> written{out, report};
  if (out != args.out) written.push_back(args.out);
  pathology::refuse_overwriting(written, args.slides.inputs);
  pathology::refuse_overwriting(written, pathology::files_of_run(args.run));
  if (!context.common.dry_run) {
    pathology::require_writable(args.out, "--out");
    if (!report.empty()) pathology::require_writable(report, "--attention-report");
  }
  const auto model = pathology::load_trained_model(args.run);
  const AttentionReport attention(context);
  const auto outcome = predict_stage(
      model, {args.slides, args.features.value_or(fs::path()), args.out, written}, context);
  if (context.common.dry_run) {
    if (context.common.json) print_json(to_json(outcome.batch));
    return outcome.batch.exit_code();
  }
  const auto& [set, predictions] = outcome.table;
  pathology::write_predictions(out, set, set.classes, predictions);
  if (attention) attention.write(model.file.string(), entropies_of(set, predictions));
  if (context.common.json) {
    auto document = to_json(outcome.batch);
    document["predictions"] = nlohmann::json::array();
    for (const auto& p : predictions)
      document["predictions"].push_back(
          describe_prediction(set.bags[static_cast<size_t>(p.bag)], p, set.classes));
    print_json(document);
  } else {
    print(fmt::format("{} predictions: {}\n", predictions.size(), out.string()));
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
