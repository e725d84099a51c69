#include "apps/attn-mil/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/stages.h"
#include "apps/common/console.h"
#include "apps/common/run_directory.h"
#include "apps/common/timed_hooks.h"
#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "libattn/io/run_json.h"
#include "libattn/io/text.h"
#include "pathology/chain/labels.h"
#include "pathology/chain/outputs.h"
#include "pathology/chain/slides_of_run.h"
#include "pathology/simulate/simulate.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

// Notes the failures of a stage. A slide that another process has in work is neither failed nor
// there: a model without it would be another model.
void note_failures(Chain& chain, const BatchResult& result) {
  chain.failures.insert(chain.failures.end(), result.failures.begin(), result.failures.end());
  if (result.busy > 0)
    throw Error(
        fmt::format("{} of {} slides are in work by another process; call again when it has ended",
                    result.busy, result.total));
}

// The slides that have tiles, as inputs of the next stage.
std::vector<pathology::SlideItem> cut_tiles(Chain& chain,
                                            const std::vector<pathology::SlideItem>& slides,
                                            std::vector<pathology::FeatureInput>& inputs) {
  const auto& args = chain.args;
  const fs::path folder = args.out / "tiles";
  log_info("tiles");
  const auto result = tile_stage(
      args.slides, slides, {args.tissue.options(), args.tile.options(), args.slides.max_unreadable},
      folder, chain.context);
  note_failures(chain, result);
  std::vector<pathology::SlideItem> tiled;
  for (size_t i = 0; i < slides.size(); ++i) {
    if (!result.good[i]) continue;
    const fs::path file = pathology::tile_files(folder, slides[i].id).tiles;
    const auto cut = pathology::read_tiles(file);
    if (cut.coords.empty()) {
      chain.failures.push_back({slides[i].id, "no tiles: " + cut.reason});
      continue;
    }
    inputs.push_back({file, slides[i].path});
    tiled.push_back(slides[i]);
  }
  if (tiled.empty())
    throw Error(fmt::format("none of the {} slides could be cut into tiles; see {}", slides.size(),
                            chain.failures_csv().string()));
  return tiled;
}

// Slides to features; keeps in chain.slides those that came through.
void make_features(Chain& chain, const std::vector<pathology::SlideItem>& slides) {
  std::vector<pathology::FeatureInput> inputs;
  const auto tiled = cut_tiles(chain, slides, inputs);
  log_info("features");
  const auto encoder = pathology::make_encoder(chain.args.encoder);
  const pathology::FeatureJob job{*encoder, {}, {}, chain.args.slides.max_unreadable};
  const auto features = features_stage(inputs, job, chain.args.out / "features", chain.context);
  note_failures(chain, features);
  for (size_t i = 0; i < tiled.size(); ++i)
    if (features.good[i]) chain.slides.push_back(tiled[i]);
  if (chain.slides.empty())
    throw Error(fmt::format("none of the {} slides has features; see {}", slides.size(),
                            chain.failures_csv().string()));
}

// The AEM weights that are cross-validated.
std::vector<double> weights_of(const Chain& chain) {
  std::vector<double> weights{chain.config.aem.weight};
  if (chain.args.compare_aem) weights.push_back(0);
  return weights;
}

fs::path cv_folder(const Chain& chain, double weight) {
  return chain.args.out / "cv" / fmt::format("aem-{}", weight);
}

std::vector<CvEntry> cross_validate_all(const Chain& chain) {
  std::vector<CvEntry> entries;
  for (const double weight : weights_of(chain)) {
    auto options = chain.args.cv;
    options.config = chain.config;
    options.config.aem.weight = weight;
    options.threads = chain.context.common.threads;
    log_info(fmt::format("cross-validation with AEM weight {}; {} of memory at most", weight,
                         io::size_text(cross_validation_bytes(chain.set, options))));
    const fs::path folder = cv_folder(chain, weight);
    options.cache = folder / "folds";
    if (chain.context.common.overwrite) fs::remove_all(options.cache);
    const TimedHooks timed(chain.context.hooks, "folds");
    const ProbeLayer name(fmt::format("cross-validation, AEM {}", weight));
    entries.push_back({weight, pathology::cross_validate(chain.set, options, timed.hooks())});
    pathology::write_cv_predictions(folder / "predictions.csv", chain.set, entries.back().result);
    io::write_json(folder / "metrics.json",
                   pathology::to_json(entries.back().result, chain.set, options));
  }
  return entries;
}

pathology::TrainRunOptions final_options(const Chain& chain) {
  pathology::TrainRunOptions options;
  options.config = chain.config;
  options.split = chain.args.split;
  options.split.validation = chain.args.cv.validation;
  options.split.stratified = chain.args.cv.stratified;
  return options;
}

// Labels, classes and folds that no training can use are told before the slides are worked on.
void check_labels(const Chain& chain, const pathology::LabelTable& labels,
                  const std::vector<pathology::SlideItem>& slides) {
  const auto planned =
      pathology::planned_bags(labels, slides, chain.args.labels.value_or(fs::path()));
  log_info(pathology::classes_text(planned));
  pathology::warn_of_single_patients(planned, chain.context.hooks);
  auto cv = chain.args.cv;
  cv.config = chain.config;
  if (cv.stratified) {
    pathology::check_cross_validation(planned, cv);
    pathology::split_for(planned, final_options(chain));
  } else {  // who is in which fold depends on the slides that come through
    pathology::require_two_classes(planned, pathology::all_bags(planned));
    pathology::k_folds(planned, cv.folds, cv.stratified, 0);
  }
}

pathology::TrainRunResult train_final(const Chain& chain) {
  log_info("final model");
  const auto options = final_options(chain);
  const auto directory = RunDirectory::open(chain.args.out / "model", chain.context, true);
  directory.begin(chain.context);
  const TimedHooks timed(chain.context.hooks, "epochs");
  const ProbeLayer name("final model");
  auto result = pathology::train_run(chain.set, options, directory.path(), timed.hooks());
  training_report(result, chain.set, chain.context).write(directory.report());
  directory.end(chain.context, result.metrics);
  return result;
}

std::vector<SlidePictures> draw_heatmaps(Chain& chain, const pathology::Split& split) {
  const auto slides = pathology::slides_to_draw(chain.set, chain.slides, chain.args.heatmaps);
  if (slides.empty()) return {};
  log_info("heat maps");
  const ProbeLayer name("heat maps");
  const fs::path folder = chain.args.out / "heatmaps";
  const auto model = pathology::load_trained_model(chain.args.out / "model");
  pathology::HeatmapJob job{.model = model,
                            .pipeline = model.pipeline(chain.args.slides.max_unreadable),
                            .store = {chain.args.out / "features", false},
                            .truth = chain.args.truth,
                            .heatmap = {},
                            .top = {}};
  job.heatmap.max_side = 1200;
  job.top.count = 10;
  const auto outcome = heatmap_stage(
      job, {.args = chain.args.slides, .slides = slides, .out = folder}, chain.context);
  note_failures(chain, outcome.batch);
  std::map<std::string, std::string> labels;
  for (const auto& bag : chain.set.bags)
    labels[bag.id] = chain.set.classes[static_cast<size_t>(bag.label)];
  const auto parts = pathology::parts_of(chain.set, split);
  std::vector<SlidePictures> pictures;
  for (size_t i = 0; i < slides.size(); ++i) {
    if (!outcome.batch.good[i]) continue;
    const auto& facts = facts_of(outcome, slides[i].id);
    const auto files = pathology::attention_files(folder / (slides[i].id + ".png"));
    const auto part = parts.find(slides[i].id);
    pictures.push_back(
        {slides[i].id,
         caption_of(facts, labels[slides[i].id], part == parts.end() ? "" : part->second),
         files.overlay, files.top_tiles, facts.value("localisation", nlohmann::json())});
  }
  return pictures;
}

// What decides whether anything has to be done at all: bags, slides without a label and outlines as
// they are now.
nlohmann::json state_of(const Chain& chain) {
  return {{"bags_digest", chain.set.digest},
          {"slides", chain.slides.size()},
          {"unlabelled_digest",
           pathology::unlabelled_digest(chain.set, chain.slides, chain.args.out / "features",
                                        chain.context.hooks)},
          {"truth", pathology::truth_digest(chain.args.truth, chain.slides)}};
}

// Whether all that a finished run leaves is there, and its model whole.
bool outputs_stand(const RunDirectory& directory, const Chain& chain) {
  const fs::path& out = chain.args.out;
  std::vector<fs::path> files{directory.report(), out / "predictions.csv",
                              out / "model" / "report.html"};
  for (const double weight : weights_of(chain)) {
    const fs::path folder = cv_folder(chain, weight);
    files.insert(files.end(), {folder / "predictions.csv", folder / "metrics.json"});
  }
  for (const auto& slide :
       pathology::slides_to_draw(chain.set, chain.slides, chain.args.heatmaps)) {
    const auto pictures = pathology::attention_files(out / "heatmaps" / (slide.id + ".png"));
    files.insert(files.end(), {pictures.overlay, pictures.top_tiles, pictures.geojson,
                               out / "heatmaps" / (slide.id + ".json")});
  }
  return std::all_of(files.begin(), files.end(),
                     [](const fs::path& file) { return fs::exists(file); }) &&
         pathology::training_stands(out / "model");
}

// An earlier run's results must not stand while others are made; what is new replaces them.
void set_results_aside(const RunDirectory& directory) {
  for (const auto& file : {directory.report(), directory.path() / "predictions.csv"})
    if (fs::exists(file)) set_aside(file);
}

void remove_older_results(const RunDirectory& directory) {
  std::error_code ignored;
  for (const auto& file : {directory.report(), directory.path() / "predictions.csv"})
    fs::remove(set_aside_path(file), ignored);
}

// The results of a finished run of the same call on the same bags, or null. A failure that came
// after the features (a picture) is not among those of now, so that such a run goes on.
nlohmann::json finished_results(const RunDirectory& directory, const Chain& chain) {
  if (chain.context.common.overwrite || !directory.finished(chain.context)) return {};
  auto results = io::read_run_json(directory.path()).value("metrics", nlohmann::json());
  if (!results.is_object() || results.value("state", nlohmann::json()) != state_of(chain) ||
      results.value("failures", nlohmann::json()) != to_json(chain.failures))
    return {};
  return outputs_stand(directory, chain) ? results : nlohmann::json();
}

nlohmann::json results_of(const Chain& chain, const std::vector<CvEntry>& cv,
                          const pathology::TrainRunResult& trained,
                          const std::vector<SlidePictures>& pictures, const fs::path& report) {
  nlohmann::json results{{"state", state_of(chain)}, {"failures", to_json(chain.failures)},
                         {"table", cv_rows(cv)},     {"report", report.string()},
                         {"model", trained.metrics}, {"localisation", nlohmann::json::object()}};
  for (const auto& entry : cv) {
    auto options = chain.args.cv;
    options.config = chain.config;
    options.config.aem.weight = entry.aem;
    results["cv"].push_back(pathology::to_json(entry.result, chain.set, options));
    results["cv"].back()["aem"] = entry.aem;
  }
  for (const auto& one : pictures)
    if (!one.localisation.is_null()) results["localisation"][one.slide] = one.localisation;
  return results;
}

}  // namespace

nlohmann::json run_chain(Chain& chain, const std::vector<pathology::SlideItem>& slides) {
  const fs::path& out = chain.args.out;
  const Context& context = chain.context;
  const auto labels = pathology::labels_of(slides, chain.args.labels.value_or(fs::path()),
                                           chain.args.columns, context.hooks);
  check_labels(chain, labels, slides);
  const auto directory = RunDirectory::open(out, context);
  make_features(chain, slides);
  const fs::path table = out / "model" / pathology::kChainLabels;
  io::make_directories(table.parent_path());
  pathology::write_labels(table, labels, chain.slides);
  chain.set = pathology::load_bags(out / "features", table, {}, context.hooks);
  auto results = finished_results(directory, chain);
  if (!results.is_null()) {
    log_info(fmt::format("{} is finished; --overwrite redoes it", out.string()));
    return results;
  }
  directory.begin(context);
  set_results_aside(directory);
  const auto cv = cross_validate_all(chain);
  const auto trained = train_final(chain);
  for (const auto& [slide, reason] :
       pathology::write_all_predictions(out / "predictions.csv", trained, chain.set, chain.slides,
                                        out / "features", context.hooks))
    chain.failures.push_back({slide, reason});
  SlidesOfReport told{
      .pictures = draw_heatmaps(chain, trained.split),
      .failures = chain.failures,
      .simulated = std::all_of(chain.slides.begin(), chain.slides.end(), [](const auto& slide) {
        return pathology::is_simulated(slide.path);
      })};
  chain_report(cv, trained, chain.set, told, context).write(directory.report());
  results = results_of(chain, cv, trained, told.pictures, directory.report());
  directory.end(context, results);
  remove_older_results(directory);
  return results;
}

}  // namespace attn::app
