#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/console.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "libattn/io/text.h"
#include "pathology/mil/cross_validation.h"

namespace attn::app {
namespace {

struct CvArgs {
  BagArgs bags;
  ModelArgs model;
  pathology::CrossValidationOptions cv;
  std::optional<std::filesystem::path> out;
};

void declare(CvArgs& args, OptionTable& table) {
  declare_bags(args.bags, table);
  table.add(
      {.name = "out",
       .target = &args.out,
       .help = "keep finished folds, predictions.csv and run.json here; a killed call goes on",
       .unit = "DIR"});
  table.group("Folds (by patient)");
  declare_folds(args.cv, table);
  declare_model(args.model, table);
}

std::vector<std::filesystem::path> files_of(const CvArgs& args) {
  if (!args.out) return {};
  return {*args.out / "run.json", *args.out / "predictions.csv"};
}

int run(const CvArgs& args, const Context& context) {
  pathology::CrossValidationOptions options = args.cv;
  options.config = args.model.resolve(context, args.cv.validation > 0);
  if (!args.out) context.if_interrupted = "nothing is kept without --out";
  args.bags.check_outputs(context, files_of(args));
  const auto set = args.bags.load(context.hooks);
  log_info(pathology::classes_text(set));
  pathology::warn_of_single_patients(set, context.hooks);
  options.threads = context.common.threads;
  std::optional<RunDirectory> directory;
  if (args.out) {
    directory = RunDirectory::open(*args.out, context);
    directory->begin(context);
    options.cache = *args.out / "folds";
  }
  log_info(io::size_text(cross_validation_bytes(set, options)) + " of memory at most");
  const TimedHooks timed(context.hooks, "folds");
  const AttentionReport attention(context);
  const auto result = pathology::cross_validate(set, options, timed.hooks());
  context.progress.finish();
  const auto json = pathology::to_json(result, set, options);
  if (directory) {
    pathology::write_cv_predictions(*args.out / "predictions.csv", set, result);
    directory->end(context, json);
  }
  if (attention)
    attention.write(args.model.model, entropies_of(set, result.repeats.front().predictions));
  if (context.common.json)
    print_json(json);
  else
    print(text_table(cv_rows({{args.model.aem, result}})));
  return kDone;
}

}  // namespace

Verb cv_verb() {
  return bind(
      Verb{.name = "cv",
           .summary = "repeated cross-validation by patient; no model looks at its test fold",
           .example = "attn-mil cv --bags musk1.csv --model abmil --aem 0.1 --folds 10 --repeats 5 "
                      "--seed 1 --json",
           .attention = true},
      declare, run);
}

}  // namespace attn::app
