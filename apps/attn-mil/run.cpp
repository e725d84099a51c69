#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/chain.h"
#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "pathology/chain/labels.h"
#include "pathology/chain/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

void declare_validation(RunArgs& args, OptionTable& table) {
  table.group("Cross-validation and final model (by patient)");
  table.add({.name = "compare-aem",
             .target = &args.compare_aem,
             .help = "cross-validate with --aem and with 0"});
  declare_folds(args.cv, table);
  table.add({.name = "test",
             .target = &args.split.test,
             .help = "share of patients the final model is tested on",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
}

void declare(RunArgs& args, OptionTable& table) {
  args.model.aem = 0.1;
  args.model.config.optimisation.patience = 10;
  args.cv.folds = 5;
  args.cv.repeats = 1;
  args.cv.stratified = true;
  args.cv.validation = 0.2;
  args.split.test = 0;
  declare_slides(args.slides, table);
  declare_max_unreadable(args.slides.max_unreadable, table);
  table.add({.name = "labels",
             .target = &args.labels,
             .help = "CSV: slide_id,label and optionally case_id; or columns label and case_id of "
                     "the manifest",
             .unit = "FILE.csv"});
  table.add({.name = "out",
             .target = &args.out,
             .help = "folder for everything; report.html tells it",
             .unit = "DIR",
             .required = true});
  declare_columns(args.columns, "--labels, or without it of the manifest", table);
  table.add({.name = "heatmaps",
             .target = &args.heatmaps,
             .help = "slides drawn with heat map and top tiles, classes in turn",
             .unit = "N",
             .min = 0});
  declare_truth(args.truth, table);
  declare_tiles(args.tile, table);
  declare_encoder(args.encoder, table);
  declare_tissue(args.tissue, table);
  declare_model(args.model, table);
  declare_validation(args, table);
}

void tell(const RunArgs& args, const nlohmann::json& results, const Context& context) {
  if (context.common.json) {
    print_json(results);
    return;
  }
  print(text_table(results.at("table").get<std::vector<std::vector<std::string>>>()));
  print((args.out / "report.html").string() + "\n");
}

// Refuses what cannot be asked for together, before any work.
void check_options(const RunArgs& args, const pathology::MilConfig& config,
                   const Context& context) {
  if (context.common.shard.count > 1)
    throw UsageError(
        "--shard: the chain ends in one model; run tile and features with --shard first, then "
        "run "
        "without");
  if (args.compare_aem && config.aem.weight == 0)
    throw UsageError("--compare-aem has no effect: the weight to compare with 0 is 0; raise --aem");
}

// What the chain reads is none of what it writes by a name of its own.
void check_outputs(const RunArgs& args, const std::vector<pathology::SlideItem>& slides,
                   const Context& context) {
  auto read = pathology::files_of_slides(args.slides.inputs, slides);
  read.push_back(args.labels.value_or(fs::path()));
  std::vector<fs::path> written{context.common.attention_report.value_or(fs::path()),
                                args.out / "tiles" / "tiles.csv",
                                args.out / "model" / pathology::kChainLabels};
  for (const auto& folder :
       {args.out, args.out / "tiles", args.out / "features", args.out / "heatmaps"})
    written.push_back(folder / "failures.csv");
  for (const auto& folder : {args.out, args.out / "model"})
    for (auto& file : pathology::own_files_of_run(folder)) written.push_back(std::move(file));
  for (const auto& slide : slides) {
    const auto pictures = pathology::attention_files(args.out / "heatmaps" / (slide.id + ".png"));
    written.insert(written.end(), {pictures.overlay, pictures.top_tiles, pictures.geojson,
                                   args.out / "heatmaps" / (slide.id + ".json")});
    if (args.truth) read.push_back(pathology::truth_place(*args.truth, slide.id));
  }
  pathology::refuse_overwriting(written, read);
  if (context.common.attention_report && !context.common.dry_run)
    pathology::require_writable(*context.common.attention_report, "--attention-report");
}

int run(const RunArgs& args, const Context& context) {
  Chain chain{.args = args, .context = context};
  chain.config = args.model.resolve(context, args.cv.validation > 0);
  check_options(args, chain.config, context);
  const auto slides = args.slides.find(args.labels ? pathology::LabelOptions{} : args.columns);
  check_outputs(args, slides, context);
  if (context.common.dry_run) {
    const auto plan =
        tile_stage(args.slides, slides,
                   {args.tissue.options(), args.tile.options(), args.slides.max_unreadable},
                   args.out / "tiles", context);
    if (context.common.json) print_json(to_json(plan));
    return plan.exit_code();
  }
  const AttentionReport attention(context);
  nlohmann::json results;
  try {
    results = run_chain(chain, slides);
  } catch (const std::exception&) {
    try {
      if (!chain.failures.empty()) write_failures(chain.failures_csv(), chain.failures);
    } catch (const std::exception& error) {
      log_warning(sentence_of(error));  // what ended the chain is told by the caller
    }
    throw;
  }
  write_failures(chain.failures_csv(), chain.failures);
  if (attention)
    attention.write(args.model.model, read_entropies(args.out / "model" / "predictions.csv"));
  context.progress.finish();
  tell(args, results, context);
  return chain.exit_code();
}

}  // namespace

Verb run_verb() {
  return bind(Verb{.name = "run",
                   .summary = "the whole chain: slides and labels to cross-validated model, "
                              "predictions, heat maps and report",
                   .example = "attn-mil run W/data/slides --labels W/data/labels.csv --mpp 1.0 "
                              "--compare-aem --out W/chain",
                   .details = "--dry-run tells of the tiles only: all else depends on them.",
                   .batch = true,
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
