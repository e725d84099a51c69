#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/stages.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/console.h"
#include "apps/common/run_directory.h"
#include "attn/error.h"
#include "libattn/io/json.h"
#include "pathology/chain/bag_inputs.h"
#include "pathology/chain/labels.h"
#include "pathology/chain/pipeline.h"
#include "pathology/mil/cross_validation.h"
#include "pathology/mil/mil_run.h"
#include "pathology/slide/encoder.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct RunArgs {
  SlideArgs slides;
  TissueArgs tissue;
  TileArgs tile;
  ModelArgs model;
  std::optional<fs::path> labels;
  pathology::LabelOptions columns;
  std::string encoder = pathology::encoder_names().front();
  fs::path out;
  bool compare_aem = false;
  pathology::CrossValidationOptions cv;
  pathology::SplitOptions split;
  int64_t heatmaps = 6;
  std::optional<fs::path> truth;
};

void declare_validation(RunArgs& args, OptionTable& table) {
  table.group("Cross-validation and final model (by patient)");
  table.add({.name = "compare-aem",
             .target = &args.compare_aem,
             .help = "cross-validate with --aem and with 0"});
  table.add({.name = "folds",
             .target = &args.cv.folds,
             .help = "parts; each is tested by a model of the others",
             .unit = "N",
             .min = 2});
  table.add({.name = "repeats",
             .target = &args.cv.repeats,
             .help = "times over, each cut anew",
             .unit = "N",
             .min = 1});
  table.add({.name = "stratified",
             .target = &args.cv.stratified,
             .help = "the same mix of classes in every part"});
  table.add({.name = "validation",
             .target = &args.cv.validation,
             .help = "share of training patients to choose the epoch by; 0: the last epoch",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
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
  table.add({.name = "id-column",
             .target = &args.columns.id_column,
             .help = "of --labels, if not slide_id, slide, bag or filename",
             .unit = "NAME"});
  table.add({.name = "label-column",
             .target = &args.columns.label_column,
             .help = "of --labels, if not label",
             .unit = "NAME"});
  table.add({.name = "patient-column",
             .target = &args.columns.patient_column,
             .help = "of --labels, if not case_id, patient or patient_id",
             .unit = "NAME"});
  table.add({.name = "heatmaps",
             .target = &args.heatmaps,
             .help = "slides drawn with heat map and top tiles, classes in turn",
             .unit = "N",
             .min = 0});
  declare_truth(args.truth, table);
  declare_tiles(args.tile, table);
  table.add({.name = "encoder",
             .target = &args.encoder,
             .help = "what turns a tile into a vector",
             .choices = pathology::encoder_names()});
  declare_tissue(args.tissue, table);
  declare_model(args.model, table);
  declare_validation(args, table);
}

// What the stages hand on.
struct Chain {
  const RunArgs& args;
  const Context& context;
  std::vector<pathology::SlideItem> slides;  // whose features stand
  std::vector<BatchResult::Failure> failures;
  pathology::BagSet set;

  fs::path failures_csv() const { return args.out / "failures.csv"; }
  int exit_code() const { return failures.empty() ? kDone : kFailed; }
};

// Notes the failures of a stage. A slide that another process has in work is neither failed nor
// there: a model without it would be another model.
void note_failures(Chain& chain, const BatchResult& result) {
  chain.failures.insert(chain.failures.end(), result.failures.begin(), result.failures.end());
  if (result.busy > 0)
    throw Error(
        fmt::format("{} of {} slides are in work by another process; call again when it has ended",
                    result.busy, result.total));
}

// Slides to features; keeps in chain.slides those that came through.
void make_features(Chain& chain, std::vector<pathology::SlideItem> slides) {
  const auto& args = chain.args;
  const fs::path tiles_folder = args.out / "tiles";
  log_info("tiles");
  const auto tiles = tile_stage(args.slides, slides, args.tissue.options(), args.tile.options(),
                                tiles_folder, chain.context);
  note_failures(chain, tiles);
  std::vector<fs::path> tile_files;
  std::vector<pathology::SlideItem> tiled;
  for (size_t i = 0; i < slides.size(); ++i) {
    if (!tiles.good[i]) continue;
    const fs::path file = tiles_folder / "patches" / (slides[i].id + ".h5");
    const auto cut = pathology::read_tiles(file);
    if (cut.coords.empty()) {
      chain.failures.push_back({slides[i].id, "no tiles: " + cut.reason});
      continue;
    }
    tile_files.push_back(file);
    tiled.push_back(slides[i]);
  }
  if (tiled.empty())
    throw Error(fmt::format("none of the {} slides could be cut into tiles; see {}", slides.size(),
                            chain.failures_csv().string()));
  log_info("features");
  FeaturesInputs inputs{tile_files, {}, {}};
  for (const auto& slide : tiled) inputs.slides.push_back(slide.path);
  const auto features = features_stage(inputs, args.encoder, args.out / "features", chain.context);
  note_failures(chain, features);
  for (size_t i = 0; i < tiled.size(); ++i)
    if (features.good[i]) chain.slides.push_back(tiled[i]);
  if (chain.slides.empty())
    throw Error(fmt::format("none of the {} slides has features; see {}", slides.size(),
                            chain.failures_csv().string()));
}

std::vector<CvEntry> cross_validate_all(const Chain& chain) {
  std::vector<double> weights{chain.args.model.aem};
  if (chain.args.compare_aem && chain.args.model.aem > 0) weights.push_back(0);
  std::vector<CvEntry> entries;
  for (const double weight : weights) {
    log_info(fmt::format("cross-validation with AEM weight {}", weight));
    auto options = chain.args.cv;
    options.config = chain.args.model.resolve(chain.context.common.seed);
    options.config.aem.weight = weight;
    options.threads = chain.context.common.threads;
    const fs::path folder = chain.args.out / "cv" / fmt::format("aem-{}", weight);
    options.cache = folder / "folds";
    if (chain.context.common.overwrite) fs::remove_all(options.cache);
    entries.push_back({weight, pathology::cross_validate(chain.set, options, chain.context.hooks)});
    pathology::write_cv_predictions(folder / "predictions.csv", chain.set, entries.back().result);
    io::write_json(folder / "metrics.json",
                   pathology::to_json(entries.back().result, chain.set, options));
  }
  return entries;
}

pathology::TrainRunResult train_final(const Chain& chain) {
  log_info("final model");
  pathology::TrainRunOptions options;
  options.config = chain.args.model.resolve(chain.context.common.seed);
  options.split = chain.args.split;
  options.split.validation = chain.args.cv.validation;
  options.split.stratified = chain.args.cv.stratified;
  options.split.seed = options.config.optimisation.seed;
  const auto directory = RunDirectory::open(chain.args.out / "model", chain.context);
  directory.begin(chain.context);
  auto result = pathology::train_run(chain.set, options, directory.path(), chain.context.hooks);
  training_report(result, chain.set, chain.context).write(directory.report());
  directory.end(chain.context, result.metrics);
  return result;
}

// Predictions of the final model for every slide, the unlabelled too.
void predict_all(Chain& chain, const pathology::TrainRunResult& run) {
  pathology::BagSet set = chain.set;
  std::vector<pathology::BagPrediction> predictions = run.predictions;
  std::vector<std::string> part = run.part;
  std::map<std::string, bool> known;
  for (const auto& bag : set.bags) known[bag.id] = true;
  for (const auto& slide : chain.slides) {
    if (known.contains(slide.id)) continue;
    try {
      auto one = pathology::read_one_bag(
          {slide.id, chain.args.out / "features" / (slide.id + ".h5")}, chain.context.hooks);
      auto prediction = pathology::predict_bag(run.model.fitted, one, 0);
      prediction.bag = set.size();
      set.bags.push_back(std::move(one.bags.front()));
      predictions.push_back(std::move(prediction));
      part.emplace_back("unlabelled");
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      chain.failures.push_back({slide.id, sentence_of(error)});
      log_warning(fmt::format("slide {} has no prediction: {}", slide.id, error.what()));
    }
  }
  pathology::write_predictions(chain.args.out / "predictions.csv", set, run.model.classes,
                               predictions, part);
}

// Labelled slides, classes in turn, in the order of their ids.
std::vector<pathology::SlideItem> slides_to_draw(const Chain& chain) {
  std::map<int64_t, std::vector<std::string>> by_class;
  for (const auto& bag : chain.set.bags) by_class[bag.label].push_back(bag.id);
  std::map<std::string, const pathology::SlideItem*> items;
  for (const auto& slide : chain.slides) items[slide.id] = &slide;
  std::vector<pathology::SlideItem> chosen;
  for (size_t turn = 0;
       static_cast<int64_t>(chosen.size()) < chain.args.heatmaps && turn < chain.set.bags.size();
       ++turn)
    for (const auto& [label, ids] : by_class)
      if (turn < ids.size() && static_cast<int64_t>(chosen.size()) < chain.args.heatmaps &&
          items.contains(ids[turn]))
        chosen.push_back(*items[ids[turn]]);
  return chosen;
}

std::vector<SlidePictures> draw_heatmaps(Chain& chain, const pathology::MilModelFile& model) {
  const auto slides = slides_to_draw(chain);
  if (slides.empty()) return {};
  log_info("heat maps");
  const fs::path folder = chain.args.out / "heatmaps";
  HeatmapInputs inputs{.args = chain.args.slides,
                       .slides = slides,
                       .features = chain.args.out / "features",
                       .out = folder,
                       .truth = chain.args.truth,
                       .heatmap = {},
                       .top = {}};
  inputs.heatmap.max_side = 1200;
  inputs.top.count = 10;
  const auto outcome =
      heatmap_stage(model, chain.args.out / "model" / "model.safetensors", inputs, chain.context);
  note_failures(chain, outcome.batch);
  std::map<std::string, std::string> labels;
  for (const auto& bag : chain.set.bags)
    labels[bag.id] = chain.set.classes[static_cast<size_t>(bag.label)];
  std::vector<SlidePictures> pictures;
  for (size_t i = 0; i < slides.size(); ++i) {
    if (!outcome.batch.good[i]) continue;
    const auto& id = slides[i].id;
    const auto facts = facts_of(outcome, id);
    const auto predicted = facts.at("predicted").get<std::string>();
    pictures.push_back(
        {id,
         fmt::format("True class {}, predicted {} (probability {:.2f}); {} tiles, normalised "
                     "attention entropy {}.{}",
                     labels[id], predicted, facts.at("probability").at(predicted).get<double>(),
                     facts.at("tiles").get<int64_t>(),
                     metric_text(facts.at("attention_entropy_normalised")),
                     localisation_sentence(facts)),
         folder / (id + ".png"), folder / (id + "-top-tiles.png"),
         facts.value("localisation", nlohmann::json())});
  }
  return pictures;
}

// What decides whether anything has to be done at all: the bags as they are now.
nlohmann::json state_of(const Chain& chain) {
  return {{"bags_digest", chain.set.digest}, {"slides", chain.slides.size()}};
}

void tell(const RunArgs& args, const nlohmann::json& results, const Context& context) {
  if (context.common.json) {
    print_json(results);
    return;
  }
  print(text_table(results.at("table").get<std::vector<std::vector<std::string>>>()));
  print((args.out / "report.html").string() + "\n");
}

// The results of a finished run of the same call on the same bags, or null. A failure that came
// after the features (a picture) is not among those of now, so that such a run goes on.
nlohmann::json finished_results(const RunDirectory& directory, const Chain& chain) {
  if (chain.context.common.overwrite || !directory.finished(chain.context) ||
      !fs::exists(directory.report()))
    return {};
  const auto results = io::read_json(directory.run_json()).at("metrics");
  if (results.value("state", nlohmann::json()) != state_of(chain) ||
      results.value("failures", nlohmann::json()) != to_json(chain.failures))
    return {};
  pathology::load_mil_model(chain.args.out / "model" / "model.safetensors");  // whole?
  return results;
}

nlohmann::json results_of(const Chain& chain, const std::vector<CvEntry>& cv,
                          const pathology::TrainRunResult& trained, const fs::path& report) {
  nlohmann::json results{{"state", state_of(chain)},
                         {"failures", to_json(chain.failures)},
                         {"table", cv_rows(cv)},
                         {"report", report.string()},
                         {"model", trained.metrics}};
  for (const auto& entry : cv) {
    auto options = chain.args.cv;
    options.config = chain.args.model.resolve(chain.context.common.seed);
    results["cv"].push_back(pathology::to_json(entry.result, chain.set, options));
    results["cv"].back()["aem"] = entry.aem;
  }
  return results;
}

void tell_attention(const Chain& chain) {
  if (chain.context.common.attention_report)
    write_attention_report(*chain.context.common.attention_report, chain.args.model.model,
                           read_entropies(chain.args.out / "model" / "predictions.csv"));
}

// From the slides to the report. The failures of all stages are in chain.failures, also when a
// later step throws.
void make_chain(Chain& chain, const RunDirectory& directory,
                const std::vector<pathology::SlideItem>& slides,
                const pathology::LabelTable& labels) {
  const RunArgs& args = chain.args;
  const Context& context = chain.context;
  make_features(chain, slides);
  pathology::write_labels(args.out / "labels.csv", labels, chain.slides);
  chain.set =
      pathology::load_bags(args.out / "features", args.out / "labels.csv", {}, context.hooks);
  auto results = finished_results(directory, chain);
  if (!results.is_null()) {
    log_info(fmt::format("{} is finished; --overwrite redoes it", args.out.string()));
  } else {
    directory.begin(context);
    const auto cv = cross_validate_all(chain);
    const auto trained = train_final(chain);
    predict_all(chain, trained);
    const auto pictures = draw_heatmaps(chain, trained.model);
    std::vector<std::pair<std::string, std::string>> failed;
    for (const auto& failure : chain.failures) failed.emplace_back(failure.item, failure.reason);
    chain_report(cv, trained, chain.set, pictures, failed, context).write(directory.report());
    results = results_of(chain, cv, trained, directory.report());
    results["localisation"] = nlohmann::json::object();
    for (const auto& one : pictures)
      if (!one.localisation.is_null()) results["localisation"][one.slide] = one.localisation;
    directory.end(context, results);
  }
  write_failures(chain.failures_csv(), chain.failures);
  tell_attention(chain);
  context.progress.finish();
  tell(args, results, context);
}

int run(const RunArgs& args, const Context& context) {
  if (context.common.shard.count > 1)
    throw UsageError(
        "--shard: the chain ends in one model; run tile and features with --shard first, then run "
        "without");
  const auto slides = args.slides.find();
  const auto labels = pathology::labels_of(slides, args.labels.value_or(fs::path()), args.columns);
  if (context.common.dry_run)
    return tile_stage(args.slides, slides, args.tissue.options(), args.tile.options(),
                      args.out / "tiles", context)
        .exit_code();
  Chain chain{args, context, {}, {}, {}};
  const auto directory = RunDirectory::open(args.out, context);
  try {
    make_chain(chain, directory, slides, labels);
  } catch (const std::exception&) {
    try {
      if (!chain.failures.empty()) write_failures(chain.failures_csv(), chain.failures);
    } catch (const std::exception& error) {
      log_warning(sentence_of(error));  // what ended the chain is told by the caller
    }
    throw;
  }
  return chain.exit_code();
}

}  // namespace

Verb run_verb() {
  return bind(Verb{.name = "run",
                   .summary = "the whole chain: slides and labels to cross-validated model, "
                              "predictions, heat maps and report",
                   .example = "attn-mil run W/data/slides --labels W/data/labels.csv --mpp 1.0 "
                              "--compare-aem --out W/chain",
                   .batch = true,
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
