#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/verbs.h"
#include "pathology/chain/outputs.h"
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
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory",
             .unit = "DIR",
             .required = true});
  table.add(
      {.name = "bags",
       .target = &args.bags,
       .help = "test on these instead of the run's own test part, less those it was trained on",
       .unit = "PATH"});
  table.add({.name = "labels", .target = &args.labels, .help = "their labels", .unit = "FILE.csv"});
  declare_columns(args.options.label_options, "--labels, or of a CSV", table);
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

// Before any work.
void check_outputs(const EvaluateArgs& args, const Context& context) {
  const std::vector<fs::path> written{args.out.value_or(fs::path()),
                                      context.common.attention_report.value_or(fs::path())};
  pathology::refuse_overwriting(written, pathology::files_of_run(args.run));
  pathology::refuse_overwriting(
      written,
      pathology::files_of_bags(args.bags.value_or(fs::path()), args.labels.value_or(fs::path())));
  if (args.out) pathology::require_writable(*args.out, "--out");
  if (context.common.attention_report)
    pathology::require_writable(*context.common.attention_report, "--attention-report");
}

int run(const EvaluateArgs& args, const Context& context) {
  context.if_interrupted = "an evaluation keeps nothing";
  check_outputs(args, context);
  auto options = args.options;
  options.bags = args.bags.value_or(fs::path());
  options.labels = args.labels.value_or(fs::path());
  options.seed = static_cast<uint64_t>(context.common.seed);
  const AttentionReport attention(context);
  const auto result = pathology::evaluate_run(args.run, options, context.hooks);
  context.progress.finish();
  if (args.out)
    pathology::write_predictions(*args.out, result.set, result.classes, result.predictions,
                                 result.part);
  if (attention) attention.write(args.run.string(), entropies_of(result.set, result.predictions));
  if (context.common.json) {
    // The test part's measures at the top, so that `.auc` is what it seems to be; without one those
    // of the validation part, called so.
    const std::string part = result.metrics.contains("test") ? "test" : "validation";
    nlohmann::json document = result.metrics.at(part);
    document["run"] = args.run.string();
    document["part"] = part;
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
