// The stages that run a trained model over slides: predictions and heat maps.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/stages.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "pathology/chain/attention_map.h"
#include "pathology/chain/bag_inputs.h"
#include "pathology/chain/pipeline.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/slide/features.h"

namespace attn::app {
namespace fs = std::filesystem;
namespace {

using pathology::Features;
using pathology::MilModelFile;
using pathology::Slide;
using pathology::SlidePipeline;

nlohmann::json features_config_of(const Slide& slide, const SlidePipeline& pipeline) {
  pathology::Tiles tiles;
  tiles.config = pathology::tiles_config(slide, pipeline.tissue, pipeline.tile);
  return pathology::features_config(tiles, *pipeline.encoder);
}

// Features as the model was trained on; taken from and kept in `folder` unless that is empty.
Features features_of(const Slide& slide, const SlidePipeline& pipeline, const fs::path& folder,
                     const Context& context) {
  const fs::path kept = folder / (slide.id() + ".h5");
  if (!folder.empty() && pathology::features_current(kept, features_config_of(slide, pipeline)))
    return pathology::read_features(kept);
  auto features = pathology::slide_features(slide, pipeline, context.common.threads, context.hooks);
  if (!folder.empty()) {
    io::make_directories(folder);
    pathology::write_features(kept, features);
  }
  return features;
}

// Appends one predicted bag; its features are let go.
void add_prediction(PredictOutcome& outcome, const MilModelFile& model,
                    const pathology::BagSet& from, int64_t bag) {
  auto prediction = pathology::predict_bag(model.fitted, from, bag);
  pathology::Bag kept = from.bags[static_cast<size_t>(bag)];
  kept.features = at::Tensor();
  kept.label = -1;
  prediction.label = -1;
  prediction.bag = outcome.set.size();
  outcome.set.bags.push_back(std::move(kept));
  outcome.predictions.push_back(std::move(prediction));
}

}  // namespace

PredictOutcome predict_stage(const MilModelFile& model, const fs::path& model_file,
                             const PredictInputs& inputs, const Context& context) {
  PredictOutcome outcome;
  outcome.set.classes = model.classes;
  Batch batch{.noun = "item",
              .folder = inputs.folder.empty() ? "." : inputs.folder,
              .failures = inputs.failures,
              .items = {},
              .current = {},
              .work = {}};
  std::vector<std::function<void()>> jobs;
  SlideArgs slides = inputs.slides;
  slides.inputs.clear();
  for (const auto& input : inputs.slides.inputs) {
    if (!pathology::holds_bags(input)) {
      slides.inputs.push_back(input);
      continue;
    }
    for (const auto& bag : pathology::list_bags(input)) {
      batch.items.push_back({bag.id, {}});
      jobs.emplace_back([&, bag] {
        const auto set = pathology::read_one_bag(bag, context.hooks);
        pathology::check_compatible(model, model_file, set);
        for (int64_t i = 0; i < set.size(); ++i) add_prediction(outcome, model, set, i);
      });
    }
  }
  SlidePipeline pipeline;
  if (!slides.inputs.empty())
    pipeline = pathology::pipeline_from(model.preprocessing, model_file.string());
  for (const auto& item :
       slides.inputs.empty() ? std::vector<pathology::SlideItem>() : slides.find()) {
    batch.items.push_back({item.id, {}});
    jobs.emplace_back([&, item] {
      const auto set =
          pathology::single_bag(features_of(slides.open(item), pipeline, inputs.features, context));
      pathology::check_compatible(model, model_file, set);
      add_prediction(outcome, model, set, 0);
    });
  }
  batch.work = [&](size_t i) { jobs[i](); };
  outcome.batch = run_batch(batch, context);
  return outcome;
}

HeatmapOutcome heatmap_stage(const MilModelFile& model, const fs::path& model_file,
                             const HeatmapInputs& inputs, const Context& context) {
  HeatmapOutcome outcome;
  std::vector<nlohmann::json> facts(inputs.slides.size());
  const auto pipeline = pathology::pipeline_from(model.preprocessing, model_file.string());
  const bool one_file = inputs.one_file;
  const std::string model_digest = io::file_digest(model_file);
  const auto overlay = [&](size_t i) {
    return one_file ? inputs.out : inputs.out / (inputs.slides[i].id + ".png");
  };
  const auto truth_of = [&](const std::string& id) {
    return inputs.truth ? truth_file(*inputs.truth, id) : fs::path();
  };
  const auto config_of = [&](const Slide& slide) {
    auto config = features_config_of(slide, pipeline);
    config["model"] = model_digest;
    const auto& h = inputs.heatmap;
    config["picture"] = {{"max_side", h.max_side}, {"alpha", h.alpha},   {"color_map", h.color_map},
                         {"blur", h.blur},         {"legend", h.legend}, {"top", inputs.top.count}};
    if (inputs.truth) config["truth"] = io::file_digest(truth_of(slide.id()));
    return config;
  };
  Batch batch{.folder = inputs.out, .items = {}, .current = {}, .work = {}};
  for (const auto& item : inputs.slides)
    batch.items.push_back({item.id, one_file ? fs::path() : inputs.out / (item.id + ".json")});
  batch.current = [&](size_t i) {
    const auto files = pathology::attention_files(overlay(i));
    const auto before = io::read_json(batch.items[i].output);
    const bool whole = fs::exists(files.overlay) && fs::exists(files.top_tiles) &&
                       fs::exists(files.geojson) &&
                       before.at("attn_config") == config_of(inputs.args.open(inputs.slides[i]));
    if (whole) facts[i] = before;
    return whole;
  };
  batch.work = [&](size_t i) {
    Slide slide = inputs.args.open(inputs.slides[i]);
    const auto config = config_of(slide);
    const auto features = features_of(slide, pipeline, inputs.features, context);
    const auto attention = pathology::slide_attention(model, features, slide.path().string());
    pathology::write_attention(slide, attention.tiles, inputs.heatmap, inputs.top,
                               pathology::attention_files(overlay(i)), context.hooks);
    const auto& p = attention.prediction;
    auto probability = nlohmann::json::object();
    for (size_t c = 0; c < model.classes.size(); ++c)
      probability[model.classes[c]] = p.probability[c];
    facts[i] = {{"slide", slide.id()},
                {"predicted", model.classes[static_cast<size_t>(p.predicted)]},
                {"probability", probability},
                {"tiles", p.instances},
                {"attention_entropy", p.entropy},
                {"attention_entropy_normalised", p.normalised_entropy},
                {"attn_config", config}};
    if (inputs.truth)
      facts[i]["localisation"] = localise(attention.tiles, truth_of(slide.id()), model.classes);
    if (!one_file) io::write_json(batch.items[i].output, facts[i]);
  };
  if (one_file && !context.common.dry_run)
    batch.work(0);  // its failure is the verb's
  else
    outcome.batch = run_batch(batch, context);
  for (size_t i = 0; i < facts.size(); ++i)
    if (!facts[i].is_null() && (one_file || outcome.batch.good[i]))
      outcome.facts.push_back(std::move(facts[i]));
  return outcome;
}

const nlohmann::json& facts_of(const HeatmapOutcome& outcome, const std::string& slide) {
  for (const auto& facts : outcome.facts)
    if (facts.at("slide") == slide) return facts;
  throw Error("slide " + slide + " has no heat map");
}

}  // namespace attn::app
