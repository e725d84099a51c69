#include "apps/attn-mil/model_args.h"
#include "apps/common/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "pathology/chain/outputs.h"

namespace attn::app {

pathology::BagSet BagArgs::load(const Hooks& hooks) const {
  if (!std::filesystem::exists(bags)) throw Error(bags.string() + ": no such file or folder");
  return pathology::load_bags(bags, labels.value_or(std::filesystem::path()), columns, hooks);
}

void BagArgs::check_outputs(const Context& context, std::vector<std::filesystem::path> written,
                            const std::filesystem::path& other) const {
  auto read = pathology::files_of_bags(bags, labels.value_or(std::filesystem::path()));
  read.push_back(other);
  const auto report = context.common.attention_report;
  written.push_back(report.value_or(std::filesystem::path()));
  pathology::refuse_overwriting(written, read);
  if (report) pathology::require_writable(*report, "--attention-report");
}

void declare_bags(BagArgs& args, OptionTable& table) {
  table.add({.name = "bags",
             .target = &args.bags,
             .help = "a folder of feature files, or a CSV: bag,label,f0,f1,...",
             .unit = "PATH",
             .required = true});
  table.add({.name = "labels",
             .target = &args.labels,
             .help = "CSV: slide_id,label and optionally case_id; needed with a folder",
             .unit = "FILE.csv"});
  declare_columns(args.columns, "--labels, or of a CSV", table);
}

void declare_columns(pathology::LabelOptions& columns, const std::string& table_name,
                     OptionTable& table) {
  table.add({.name = "id-column",
             .target = &columns.id_column,
             .help = "of " + table_name + ", if not slide_id, slide, bag or filename",
             .unit = "NAME"});
  table.add({.name = "label-column",
             .target = &columns.label_column,
             .help = "of " + table_name + ", if not label",
             .unit = "NAME"});
  table.add({.name = "patient-column",
             .target = &columns.patient_column,
             .help = "of " + table_name + ", if not case_id, patient or patient_id",
             .unit = "NAME"});
}

pathology::MilConfig ModelArgs::resolve(const Context& context, bool validated) const {
  const auto typed = [&](const std::string& name) {
    const auto& all = context.options.options();
    return std::any_of(all.begin(), all.end(), [&](const Option& option) {
      return option.name == name && option.source == Source::flag;
    });
  };
  const auto demand = [&](bool holds, const std::string& name, const std::string& why) {
    if (!holds && typed(name)) throw UsageError("--" + name + " has no effect: " + why);
  };
  demand(optimiser == "sgd", "momentum", "the optimiser is adamw; add --optimiser sgd");
  demand(validated || config.optimisation.patience == 0, "patience",
         "there is no validation part to stop early by; raise --validation");
  pathology::MilConfig out = config;
  out.model.pooling = pathology::parse_pooling(model);
  // A default or a configuration file's weight is meant for models that have attention.
  const bool attends = pathology::has_attention(out.model.pooling) || typed("aem");
  out.aem.weight = attends ? aem : 0;
  out.aem.schedule = attn::nn::parse_weight_schedule(aem_schedule);
  out.optimisation.optimiser =
      optimiser == "sgd" ? attn::train::Optimiser::sgd : attn::train::Optimiser::adamw;
  out.optimisation.schedule = lr_schedule == "constant" ? attn::train::LrSchedule::constant
                                                        : attn::train::LrSchedule::cosine;
  out.optimisation.seed = static_cast<uint64_t>(context.common.seed);
  pathology::check(out);
  return out;
}

namespace {

void declare_training(ModelArgs& args, OptionTable& table) {
  auto& o = args.config.optimisation;
  table.group("Training");
  table.add({.name = "epochs",
             .target = &o.epochs,
             .help = "passes over the training bags",
             .unit = "N",
             .min = 1});
  table.add({.name = "batch", .target = &o.batch, .help = "bags in a step", .unit = "N", .min = 1});
  table.add(
      {.name = "lr", .target = &o.lr, .help = "peak learning rate", .unit = "X", .min = 1e-12});
  table.add({.name = "lr-schedule",
             .target = &args.lr_schedule,
             .help = "of the learning rate",
             .choices = {"cosine", "constant"}});
  table.add({.name = "optimiser",
             .target = &args.optimiser,
             .help = "AdamW, or SGD with Nesterov momentum",
             .choices = {"adamw", "sgd"}});
  table.add({.name = "weight-decay",
             .target = &o.weight_decay,
             .help = "decoupled for AdamW, L2 for SGD",
             .unit = "X",
             .min = 0});
  table.add({.name = "momentum",
             .target = &o.momentum,
             .help = "of SGD",
             .unit = "0..1",
             .min = 0,
             .max = 0.999999});
  table.add({.name = "clip-norm",
             .target = &o.clip_norm,
             .help = "largest norm of the gradient; 0: not clipped",
             .unit = "X",
             .min = 0});
  table.add({.name = "subsampling",
             .target = &args.config.subsampling,
             .help = "share of a bag's tiles drawn afresh for each step",
             .unit = "0..1",
             .min = 1e-6,
             .max = 1});
  table.add({.name = "patience",
             .target = &o.patience,
             .help = "stop after so many epochs without a better validation loss; 0: never",
             .unit = "N",
             .min = 0});
  table.add({.name = "min-epochs",
             .target = &o.min_epochs,
             .help = "but not before so many",
             .unit = "N",
             .min = 0});
}

}  // namespace

void declare_folds(pathology::CrossValidationOptions& cv, OptionTable& table) {
  table.add({.name = "folds",
             .target = &cv.folds,
             .help = "parts; each is tested by a model of the others",
             .unit = "N",
             .min = 2});
  table.add({.name = "repeats",
             .target = &cv.repeats,
             .help = "times over, each cut anew",
             .unit = "N",
             .min = 1});
  table.add({.name = "stratified",
             .target = &cv.stratified,
             .help = "the same mix of classes in every fold"});
  table.add(
      {.name = "validation",
       .target = &cv.validation,
       .help = "share of a fold's training patients to choose the epoch by; 0: the last epoch",
       .unit = "0..1",
       .min = 0,
       .max = 0.9});
}

void declare_model(ModelArgs& args, OptionTable& table) {
  table.group("Model");
  table.add({.name = "model",
             .target = &args.model,
             .help = "pooling of the tiles: mean, max, gated attention or plain attention",
             .choices = {"mean", "max", "abmil", "abmil-plain"}});
  table.add({.name = "aem",
             .target = &args.aem,
             .help = "weight of the attention entropy term; 0: without",
             .unit = "W",
             .min = 0});
  table.add({.name = "aem-schedule",
             .target = &args.aem_schedule,
             .help = "of that weight over the training",
             .choices = {"constant", "cosine", "linear"}});
  table.add({.name = "hidden",
             .target = &args.config.model.hidden,
             .help = "width of the tile embedding",
             .unit = "N",
             .min = 1,
             .max = 65536});
  table.add({.name = "attention",
             .target = &args.config.model.attention,
             .help = "width of the attention network",
             .unit = "N",
             .min = 1,
             .max = 65536});
  table.add({.name = "dropout",
             .target = &args.config.model.dropout,
             .help = "of the embedding, in training",
             .unit = "0..1",
             .min = 0,
             .max = 0.99});
  table.add({.name = "standardise",
             .target = &args.config.standardise,
             .help = "scale features by mean and sd of the training bags"});
  table.add({.name = "clip",
             .target = &args.config.clip,
             .help = "scaled features stay within +/- this; 0: unlimited",
             .unit = "sd",
             .min = 0});
  declare_training(args, table);
}

std::string metric_text(const nlohmann::json& value) {
  const bool defined = value.is_number() && std::isfinite(value.get<double>());
  return defined ? fmt::format("{:.3f}", value.get<double>()) : "-";
}

std::string metrics_table(const nlohmann::json& metrics) {
  const std::vector<std::string> names{"auc", "accuracy", "balanced_accuracy", "f1"};
  std::vector<std::vector<std::string>> rows{
      {"part", "bags", "AUC", "accuracy", "balanced accuracy", "F1", "entropy (normalised)"}};
  for (const char* part : {"train", "validation", "test"}) {
    if (!metrics.contains(part) || !metrics[part].is_object() || metrics[part].empty()) continue;
    const auto& of = metrics[part];
    std::vector<std::string> row{part, std::to_string(of.value("n", int64_t{0}))};
    for (const auto& name : names) {
      std::string cell = metric_text(of.value(name, nlohmann::json()));
      const auto intervals = of.value("intervals", nlohmann::json::object());
      if (intervals.contains(name) && intervals[name].is_array() && intervals[name].size() == 2 &&
          cell != "-")
        cell += fmt::format(" ({} to {})", metric_text(intervals[name][0]),
                            metric_text(intervals[name][1]));
      row.push_back(cell);
    }
    row.push_back(metric_text(of.value("entropy_normalised", nlohmann::json())));
    rows.push_back(std::move(row));
  }
  return text_table(rows);
}

}  // namespace attn::app
