#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/verbs.h"
#include "pathology/mil/mil_run.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct EvaluateArgs {
  fs::path run;
  std::optional<fs::path> bags, labels, out;
  pathology::EvaluateOptions options;
};

void declare(EvaluateArgs& args, OptionTable& table) {
  auto& columns = args.options.label_options;
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory",
             .unit = "DIR",
             .required = true});
  table.add({.name = "bags",
             .target = &args.bags,
             .help = "test on these instead of the run's own test part",
             .unit = "PATH"});
  table.add({.name = "labels", .target = &args.labels, .help = "their labels", .unit = "FILE.csv"});
  table.add({.name = "id-column",
             .target = &columns.id_column,
             .help = "of --labels, if not slide_id, slide, bag or filename",
             .unit = "NAME"});
  table.add({.name = "label-column",
             .target = &columns.label_column,
             .help = "of --labels, if not label",
             .unit = "NAME"});
  table.add({.name = "patient-column",
             .target = &columns.patient_column,
             .help = "of --labels, if not case_id, patient or patient_id",
             .unit = "NAME"});
  table.add({.name = "bootstrap",
             .target = &args.options.bootstrap,
             .help = "resamples of the intervals",
             .unit = "N",
             .min = 0});
  table.add({.name = "out",
             .target = &args.out,
             .help = "also write the predictions here",
             .unit = "FILE.csv"});
}

int run(const EvaluateArgs& args, const Context& context) {
  auto options = args.options;
  options.bags = args.bags.value_or(fs::path());
  options.labels = args.labels.value_or(fs::path());
  options.seed = static_cast<uint64_t>(context.common.seed);
  const auto result = pathology::evaluate_run(args.run, options, context.hooks);
  context.progress.finish();
  if (args.out)
    pathology::write_predictions(*args.out, result.set, result.classes, result.predictions,
                                 result.part);
  if (context.common.attention_report)
    write_attention_report(*context.common.attention_report, args.run.string(),
                           entropies_of(result.set, result.predictions));
  if (context.common.json) {
    // The test part's measures at the top, so that `.auc` is what it seems to be.
    nlohmann::json document = result.metrics.value("test", nlohmann::json::object());
    document["run"] = args.run.string();
    document["part"] = "test";
    if (result.metrics.contains("validation"))
      document["validation"] = result.metrics["validation"];
    print_json(document);
  } else {
    print(metrics_table(result.metrics));
  }
  return kDone;
}

}  // namespace

Verb evaluate_verb() {
  return bind(Verb{.name = "evaluate",
                   .summary = "measure a trained model on its test bags, with bootstrap intervals",
                   .example = "attn-mil evaluate --run W/run --json",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
