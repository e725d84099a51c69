// The stages that run a trained model over slides: predictions and heat maps.
#include <fmt/format.h>

#include "apps/attn-mil/stages.h"
#include "apps/common/console.h"
#include "attn/error.h"
#include "libattn/io/json.h"
#include "pathology/chain/outputs.h"

namespace attn::app {
namespace fs = std::filesystem;
namespace {

// One input of `predict`: how it is done, and whether it was.
struct PredictItem {
  std::string id;
  std::function<nlohmann::json()> config, work;
};

std::vector<PredictItem> bag_items(const pathology::TrainedModel& model, const fs::path& input,
                                   const Context& context) {
  std::vector<PredictItem> items;
  for (const auto& bag : pathology::list_bags(input))
    items.push_back(
        {bag.id, [&model, bag] { return pathology::prediction_config(model, bag); },
         [&model, bag, &context] { return predict_bag_file(model, bag, context.hooks); }});
  return items;
}

}  // namespace

PredictOutcome predict_stage(const pathology::TrainedModel& model, const PredictInputs& inputs,
                             const Context& context) {
  std::vector<PredictItem> items;
  std::vector<fs::path> read{model.file};
  SlideArgs slides = inputs.slides;
  slides.inputs.clear();
  for (const auto& input : inputs.slides.inputs) {
    if (!pathology::holds_bags(input)) {
      slides.inputs.push_back(input);
      continue;
    }
    const auto files = pathology::files_of_bags(input, {});
    read.insert(read.end(), files.begin(), files.end());
    if (const auto pictures = pathology::pictures_beside_bags(input); pictures > 0)
      log_warning(
          fmt::format("{}: its feature files (.h5) are read, and the pictures beside them, {}, are "
                      "not; name those one by one if they are slides",
                      input.string(), pictures));
    for (auto& item : bag_items(model, input, context)) items.push_back(std::move(item));
  }
  pathology::SlidePipeline pipeline;
  if (!slides.inputs.empty()) pipeline = model.pipeline(slides.max_unreadable);
  const pathology::FeatureStore store{inputs.features, context.common.overwrite};
  const auto found = slides.find();
  const auto slide_files = pathology::files_of_slides(slides.inputs, found);
  read.insert(read.end(), slide_files.begin(), slide_files.end());
  for (const auto& slide : found) read.push_back(store.file_of(slide.id));
  pathology::refuse_overwriting(inputs.outputs, read);
  for (const auto& slide : found)
    items.push_back({slide.id,
                     [&, slide] { return prediction_config(model, pipeline, slides.open(slide)); },
                     [&, slide] {
                       return predict_slide(model, pipeline, store, slides.open(slide),
                                            context.common.threads, context.hooks);
                     }});
  const fs::path base = fs::path(inputs.table).replace_extension();
  Batch batch{.noun = "item",
              .folder = base.has_parent_path() ? base.parent_path() : ".",
              .failures = base.filename().string() + ".failures",
              .items = {},
              .current = {},
              .work = {}};
  for (const auto& item : items)
    batch.items.push_back({item.id, fs::path(base.string() + ".parts") / (item.id + ".json")});
  batch.current = [&](size_t i) {
    return pathology::predictions_current(batch.items[i].output, items[i].config(),
                                          slides.max_unreadable);
  };
  batch.work = [&](size_t i) { io::write_json(batch.items[i].output, items[i].work()); };
  PredictOutcome outcome{run_batch(batch, context), {}};
  std::vector<fs::path> files;
  for (size_t i = 0; i < items.size() && !context.common.dry_run; ++i)
    if (outcome.batch.good[i]) files.push_back(batch.items[i].output);
  outcome.table = pathology::read_predictions(files, model.model.classes);
  return outcome;
}

namespace {

void refuse_overwriting(const pathology::HeatmapJob& job, const HeatmapInputs& inputs,
                        const std::vector<pathology::AttentionFiles>& files, const Batch& batch) {
  std::vector<fs::path> read = pathology::files_of_slides(inputs.args.inputs, inputs.slides);
  std::vector<fs::path> written = inputs.outputs;
  read.push_back(job.model.file);
  for (size_t i = 0; i < files.size(); ++i) {
    read.push_back(job.store.file_of(inputs.slides[i].id));
    if (job.truth) read.push_back(pathology::truth_place(*job.truth, inputs.slides[i].id));
    written.insert(written.end(),
                   {files[i].overlay, files[i].top_tiles, files[i].geojson, batch.items[i].output});
  }
  pathology::refuse_overwriting(written, read);
}

}  // namespace

HeatmapOutcome heatmap_stage(const pathology::HeatmapJob& job, const HeatmapInputs& inputs,
                             const Context& context) {
  HeatmapOutcome outcome;
  std::vector<nlohmann::json> facts(inputs.slides.size());
  std::vector<pathology::AttentionFiles> files;
  Batch batch{.folder = inputs.out, .items = {}, .current = {}, .work = {}};
  for (const auto& item : inputs.slides) {
    files.push_back(
        pathology::attention_files(inputs.one_file ? inputs.out : inputs.out / (item.id + ".png")));
    batch.items.push_back({item.id,
                           inputs.one_file ? fs::path() : inputs.out / (item.id + ".json"),
                           {files.back().overlay, files.back().top_tiles, files.back().geojson}});
  }
  refuse_overwriting(job, inputs, files, batch);
  batch.current = [&](size_t i) {
    auto before = io::read_json(batch.items[i].output);
    if (!heatmap_current(job, inputs.args.open(inputs.slides[i]), files[i], before)) return false;
    facts[i] = std::move(before);
    return true;
  };
  batch.work = [&](size_t i) {
    facts[i] = make_heatmap(job, inputs.args.open(inputs.slides[i]), files[i],
                            context.common.threads, context.hooks);
    if (!inputs.one_file) io::write_json(batch.items[i].output, facts[i]);
  };
  if (inputs.one_file && !context.common.dry_run) {
    batch.work(0);  // its failure is the verb's
    outcome.batch.done = outcome.batch.total = 1;
  } else {
    outcome.batch = run_batch(batch, context);
  }
  for (size_t i = 0; i < facts.size(); ++i)
    if (!facts[i].is_null() && (inputs.one_file || outcome.batch.good[i]))
      outcome.facts.push_back(std::move(facts[i]));
  return outcome;
}

const nlohmann::json& facts_of(const HeatmapOutcome& outcome, const std::string& slide) {
  for (const auto& facts : outcome.facts)
    if (facts.at("slide") == slide) return facts;
  throw Error("slide " + slide + " has no heat map");
}

}  // namespace attn::app
