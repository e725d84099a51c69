#include "pathology/mil/mil_run.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <system_error>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/run_json.h"
#include "libattn/train/checkpoint.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kPredictionsFile = "predictions.csv";
constexpr const char* kSplitsFile = "splits.csv";
constexpr const char* kSourceFile = "source.json";  // BagSet::source
constexpr const char* kMetricsFile = "metrics.csv";
constexpr const char* kSplitDigest = "split_digest";
constexpr std::array<const char*, 3> kOutputs{kModelFile, kPredictionsFile, "report.html"};

fs::path stale(const fs::path& run, const char* name) {
  return run / (std::string(name) + ".stale");
}

/// An earlier run's outputs must not stand beside this one's split.
void set_older_aside(const fs::path& run) {
  for (const char* name : kOutputs)
    if (fs::exists(run / name)) fs::rename(run / name, stale(run, name));
}

void remove_stale(const fs::path& run) {
  std::error_code ignored;  // the new model stands; the old one does no harm
  for (const char* name : kOutputs) fs::remove(stale(run, name), ignored);
}

nlohmann::json number(double v) {
  return std::isfinite(v) ? nlohmann::json(v) : nlohmann::json();
}

/// Which part each bag is in; empty for bags in none.
std::vector<std::string> part_names(const BagSet& set, const Split& split) {
  std::vector<std::string> out(set.bags.size());
  for (const int64_t i : split.train) out[static_cast<size_t>(i)] = "train";
  for (const int64_t i : split.validation) out[static_cast<size_t>(i)] = "validation";
  for (const int64_t i : split.test) out[static_cast<size_t>(i)] = "test";
  return out;
}

std::vector<BagPrediction> only(const std::vector<BagPrediction>& predictions,
                                const std::vector<std::string>& part, const std::string& wanted) {
  std::vector<BagPrediction> out;
  for (size_t i = 0; i < predictions.size(); ++i)
    if (part[i] == wanted) out.push_back(predictions[i]);
  return out;
}

nlohmann::json metrics_by_part(const BagSet& set, const std::vector<BagPrediction>& predictions,
                               const std::vector<std::string>& part,
                               std::initializer_list<const char*> parts, uint64_t seed,
                               int64_t bootstrap) {
  nlohmann::json out = nlohmann::json::object();
  for (const char* name : parts) {
    const std::vector<BagPrediction> own = only(predictions, part, name);
    if (!own.empty()) out[name] = part_metrics(set, own, seed, bootstrap);
  }
  return out;
}

/// Removes an unfinished run of other settings, saying so.
void discard_foreign_checkpoint(const fs::path& path, const std::string& fingerprint,
                                const attn::Hooks& hooks) {
  const auto checkpoint = attn::train::load_checkpoint(path);
  if (!checkpoint || checkpoint->fingerprint == fingerprint) return;
  hooks.warning(path.string() +
                ": belongs to an unfinished run with other settings or data; training starts anew");
  fs::remove(path);
}

nlohmann::json describe_training(const BagSet& set, const Split& split,
                                 const TrainRunOptions& options,
                                 const attn::train::TrainResult& training) {
  const auto& history = training.history;
  return {{"data_digest", set.digest},
          {kSplitDigest, digest_of(parts_of(set, split))},
          {"bags",
           {{"train", split.train.size()},
            {"validation", split.validation.size()},
            {"test", split.test.size()}}},
          {"split",
           {{"validation", options.split.validation},
            {"test", options.split.test},
            {"stratified", options.split.stratified},
            {"from_file", !options.split_file.empty()}}},
          {"seed", options.config.optimisation.seed},
          {"epochs_run", history.size()},
          {"best_epoch", training.best_epoch + 1},
          {"stopped_early", training.stopped_early}};
}

}  // namespace

nlohmann::json part_metrics(const BagSet& set, const std::vector<BagPrediction>& predictions,
                            uint64_t seed, int64_t bootstrap) {
  const attn::train::Predictions p = metrics_input(set, predictions);
  const int64_t classes = p.classes;
  const auto m = attn::train::classification_metrics(p);
  std::vector<double> entropy, normalised;
  for (const BagPrediction& b : predictions) {
    entropy.push_back(b.entropy);
    normalised.push_back(b.normalised_entropy);
  }
  nlohmann::json out = {{"n", m.n},
                        {"auc", number(m.auc)},
                        {"accuracy", number(m.accuracy)},
                        {"balanced_accuracy", number(m.balanced_accuracy)},
                        {"f1", number(m.f1)},
                        {"entropy", number(attn::train::mean_sd(entropy).mean)},
                        {"entropy_normalised", number(attn::train::mean_sd(normalised).mean)}};
  const std::vector<int64_t> confusion = attn::train::confusion_matrix(p);
  for (int64_t c = 0; c < classes; ++c) {
    const auto row = confusion.begin() + c * classes;
    out["confusion"].push_back(std::vector<int64_t>(row, row + classes));
  }
  if (bootstrap < 1) return out;
  const auto i = attn::train::bootstrap_intervals(p, seed, bootstrap);
  const auto pair = [](const attn::train::Interval& v) {
    return nlohmann::json::array({number(v.low), number(v.high)});
  };
  out["intervals"] = {{"auc", pair(i.auc)},
                      {"accuracy", pair(i.accuracy)},
                      {"balanced_accuracy", pair(i.balanced_accuracy)},
                      {"f1", pair(i.f1)}};
  out["level"] = i.level;
  out["resamples"] = i.resamples;
  return out;
}

std::vector<fs::path> files_of_training(const fs::path& run) {
  return {run / kModelFile, run / kPredictionsFile, run / kSplitsFile, run / kSourceFile,
          run / kMetricsFile};
}

bool training_stands(const fs::path& run) {
  const std::vector<fs::path> files = files_of_training(run);
  return std::all_of(files.begin(), files.end(),
                     [](const fs::path& file) { return fs::exists(file); }) &&
         is_whole_model(run / kModelFile);
}

Split split_for(const BagSet& set, const TrainRunOptions& options) {
  if (!options.split_file.empty()) return read_splits(options.split_file, set);
  SplitOptions split = options.split;
  split.seed = options.config.optimisation.seed;
  return split_bags(set, split);
}

bool trained_on(const MilModelFile& model, const BagSet& set, const Split& split) {
  return model.training.value("data_digest", "") == set.digest &&
         model.training.value(kSplitDigest, "") == digest_of(parts_of(set, split));
}

TrainRunResult train_run(const BagSet& set, const TrainRunOptions& options, const fs::path& run,
                         const attn::Hooks& hooks) {
  check(options.config);
  const Split split = split_for(set, options);
  attn::io::make_directories(run);
  set_older_aside(run);
  write_splits(run / kSplitsFile, set, split);
  // Beside the model, not in it: paths may name people and projects, and model files are passed on.
  attn::io::write_json(run / kSourceFile, set.source);
  attn::train::TrainFiles files;
  files.metrics_csv = run / kMetricsFile;
  files.checkpoint = run / "checkpoint.safetensors";
  files.checkpoint_seconds = options.checkpoint_seconds;
  discard_foreign_checkpoint(files.checkpoint, fit_fingerprint(set, split, options.config), hooks);
  FitResult fitted = fit(set, split, options.config, files, hooks);
  attn::probe_step(fitted.training.best_epoch + 1);

  const std::vector<std::string> all_parts = part_names(set, split);
  std::vector<int64_t> items;
  std::vector<std::string> part;
  for (size_t i = 0; i < all_parts.size(); ++i) {
    if (all_parts[i].empty()) continue;
    items.push_back(static_cast<int64_t>(i));
    part.push_back(all_parts[i]);
  }
  std::vector<BagPrediction> predictions = predict_bags(fitted.fitted, set, items, hooks);
  nlohmann::json metrics = metrics_by_part(set, predictions, part, {"train", "validation", "test"},
                                           options.config.optimisation.seed, options.bootstrap);
  MilModelFile model{std::move(fitted.fitted),
                     options.config,
                     set.classes,
                     set.feature_names,
                     set.preprocessing,
                     describe_training(set, split, options, fitted.training),
                     metrics};
  model.config.model = model.fitted.model.config();
  write_predictions(run / kPredictionsFile, set, set.classes, predictions, part);
  save_mil_model(run / kModelFile, model);
  std::error_code ignored;  // the model stands; a checkpoint left behind does no harm
  fs::remove(files.checkpoint, ignored);
  remove_stale(run);
  return {std::move(model),           split,
          std::move(predictions),     std::move(part),
          std::move(fitted.training), std::move(metrics)};
}

fs::path model_path(const fs::path& run) {
  if (!fs::is_directory(run)) return run;
  fs::path model = run / kModelFile;
  if (!fs::exists(model)) {
    throw attn::Error(
        run.string() +
        ": holds no model.safetensors; expected the folder of a finished training run");
  }
  return model;
}

namespace {

/// A run whose training was begun anew and stopped has a split of its own and no model for it.
void require_ended(const fs::path& run) {
  const fs::path record = run / "run.json";
  if (!fs::exists(record)) return;
  const auto status =
      attn::io::get_or<std::string>(attn::io::read_run_json(run), "status", record.string(), "");
  if (!status.empty() && status != "finished")
    throw attn::Error(run.string() + ": its training has not ended (run.json says '" + status +
                      "'); train it again as before, and it goes on");
}

/// The parts of the run's own bags. Throws Error where they are not those the model was trained
/// with.
PartOfBag own_parts(const fs::path& splits, const MilModelFile& model) {
  PartOfBag parts = read_parts(splits);
  const std::string digest = model.training.value(kSplitDigest, "");  // older models have none
  if (!digest.empty() && digest != digest_of(parts))
    throw attn::Error(splits.string() +
                      " is not the split that the model beside it was trained with; train again");
  return parts;
}

/// The run's own split over the bags it was trained on, as they are now.
Split own_split(const fs::path& run, const MilModelFile& model, const BagSet& set,
                const attn::Hooks& hooks) {
  const fs::path path = run / kSplitsFile;
  const PartOfBag parts = own_parts(path, model);
  if (set.digest != model.training.value("data_digest", ""))
    hooks.warning("the bags or labels have changed since " + (run / kModelFile).string() +
                  " was trained");
  return match_parts(parts, set, path.string(), hooks);
}

/// All bags as test bags, where nothing says which the model was trained on.
Split all_as_test(const fs::path& run, const MilModelFile& model, const BagSet& set,
                  const attn::Hooks& hooks) {
  hooks.warning(set.digest == model.training.value("data_digest", "")
                    ? "these are the bags the model was trained on: what follows is no test"
                    : run.string() +
                          (fs::is_directory(run) ? " has lost its splits.csv and"
                                                 : " is a model file, which") +
                          " does not tell which bags its model was trained on; where some of them "
                          "are among these, what follows is no test: " +
                          (fs::is_directory(run) ? "train again" : "name the run directory"));
  Split all;
  for (int64_t i = 0; i < set.size(); ++i) all.test.push_back(i);
  return all;
}

/// Finds what part a bag, or another one of its patient, had in the training; "" for none.
class SeenParts {
 public:
  SeenParts(const fs::path& splits, const MilModelFile& model)
      : bags_(own_parts(splits, model)),
        patients_(read_patient_parts(splits)),
        digest_(model.training.value("data_digest", "")) {}

  bool tells_patients() const { return !patients_.empty(); }
  bool knows(const Bag& bag) const { return bags_.contains(bag.id); }
  std::string part_of(const Bag& bag) const {
    const auto own = bags_.find(bag.id);
    const auto patient = patients_.find(patient_key(digest_, bag.patient));
    return worse_part(own == bags_.end() ? "" : own->second,
                      patient == patients_.end() ? "" : patient->second);
  }

 private:
  PartOfBag bags_;
  std::map<std::string, std::string> patients_;
  std::string digest_;
};

/// Bags given for the test, less those whose patients took part in the training.
Split unseen_split(const fs::path& run, const MilModelFile& model, const BagSet& set,
                   const attn::Hooks& hooks) {
  const fs::path splits = run / kSplitsFile;
  if (!fs::exists(splits)) return all_as_test(run, model, set, hooks);
  const SeenParts seen(splits, model);
  Split split;
  std::vector<std::string> left_out;
  bool others = false;  // bags that the split does not name
  for (int64_t i = 0; i < set.size(); ++i) {
    const Bag& bag = set.bags[static_cast<size_t>(i)];
    others = others || !seen.knows(bag);
    const std::string part = seen.part_of(bag);
    if (part == "train")
      left_out.push_back(bag.id);
    else
      (part == "validation" ? split.validation : split.test).push_back(i);
  }
  if (tells_patients(set) && !seen.tells_patients())
    hooks.warning(splits.string() +
                  " tells no patients: other bags of patients that were trained on are not left "
                  "out; train again with patients and --no-resume");
  if (others && seen.tells_patients() && !tells_patients(set))
    hooks.warning(
        "these bags tell no patients, while those of " + run.string() +
        " did: other bags of patients that were trained on are not left out; add a column case_id");
  if (!left_out.empty())
    hooks.warning(
        std::to_string(left_out.size()) + " bags are left out, since " + run.string() +
        " was trained on them or on others of their patients: " + attn::io::list_names(left_out));
  return split;
}

}  // namespace

EvaluateResult evaluate_run(const fs::path& run, const EvaluateOptions& options,
                            const attn::Hooks& hooks) {
  if (options.bags.empty() && !options.labels.empty())
    throw attn::UsageError("labels without bags have no effect; name the bags, too");
  if (fs::is_directory(run)) require_ended(run);
  const fs::path path = model_path(run);
  const MilModelFile model = load_mil_model(path);
  EvaluateResult result;
  result.classes = model.classes;
  Split split;
  if (options.bags.empty()) {
    if (!fs::is_directory(run))
      throw attn::UsageError(
          "evaluating a model file needs bags; name them, or name the run directory");
    result.set = load_source(fs::exists(run / kSourceFile)
                                 ? attn::io::read_json(run / kSourceFile)
                                 : model.training.value("source", nlohmann::json::object()),
                             hooks);
    split = own_split(run, model, result.set, hooks);
  } else {
    result.set = load_bags(options.bags, options.labels, options.label_options, hooks);
    split = unseen_split(run, model, result.set, hooks);
  }
  check_compatible(model, path, result.set);
  match_classes(result.set, model.classes, path);
  const std::vector<std::string> parts = part_names(result.set, split);
  std::vector<int64_t> items;
  for (int64_t i = 0; i < result.set.size(); ++i) {
    const std::string& part = parts[static_cast<size_t>(i)];
    if (part != "validation" && part != "test") continue;
    items.push_back(i);
    result.part.push_back(part);
  }
  if (items.empty())
    throw attn::Error(run.string() + ": there is no bag to evaluate on that it was not trained on");
  result.predictions = predict_bags(model.fitted, result.set, items, hooks);
  result.metrics = metrics_by_part(result.set, result.predictions, result.part,
                                   {"validation", "test"}, options.seed, options.bootstrap);
  return result;
}

}  // namespace pathology
