#include "timeseries/model/entropy_stage.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/train/model_file.h"
#include "timeseries/patch/entropy_train.h"
#include "timeseries/window/plan.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kKind = "forecast patcher";
constexpr int64_t kVersion = 1;
constexpr const char* kPrefix = "entropy.";
constexpr int64_t kRangeValues = 10'000'000;  // the tokeniser's range is learned from
constexpr int64_t kBoundaryWindows = 4096;    // the thresholds are fitted to
constexpr double kEndShare = 0.01;            // of the values in the tokeniser's end bins

/// The series alone: covariates are nothing to the patcher.
SeriesSet without_covariates(SeriesSet set) {
  set.past_names.clear();
  set.future_names.clear();
  set.static_names.clear();
  for (Series& s : set.series) {
    s.past.clear();
    s.future.clear();
    s.statics.clear();
    s.ahead = 0;
  }
  return set;
}

Scaler without_covariates(Scaler scaler) {
  scaler.past_names.clear();
  scaler.future_names.clear();
  scaler.static_names.clear();
  scaler.past.clear();
  scaler.future.clear();
  scaler.statics.clear();
  return scaler;
}

WindowPlan plan(const SeriesSet& set, std::span<const RowSpan> ranges, const ModelOptions& o) {
  WindowOptions options;
  options.lookback = o.lookback;
  options.horizon = 1;
  options.stride = o.stride;
  return plan_windows(set, ranges, options);
}

/// Look-backs, each with the value that follows it.
class EntropyWindows {
 public:
  EntropyWindows(const PatcherJob& job)
      : source_(without_covariates(job.set), without_covariates(job.scaler),
                {job.options.lookback, 1, 0, false}),
        train_(plan(job.set, job.split.train, job.options).windows),
        validation_(plan(job.set, job.split.validation, job.options).windows) {}

  EntropyData data(const std::string& digest) const {
    return {by_number(train_), by_number(validation_), digest};
  }
  /// Look-backs of at most `most` training windows, evenly spaced.
  at::Tensor lookbacks(int64_t most) const {
    const auto total = static_cast<int64_t>(train_.size());
    return gather(train_, spaced_numbers(total, most)).values;
  }

 private:
  WindowBatch gather(const std::vector<Window>& windows, std::span<const int64_t> numbers) const {
    std::vector<Window> chosen;
    for (const int64_t n : numbers) chosen.push_back(windows[static_cast<size_t>(n)]);
    return source_.gather(chosen);
  }
  WindowsByNumber by_number(const std::vector<Window>& windows) const {
    WindowsByNumber out;
    out.count = static_cast<int64_t>(windows.size());
    out.get = [this, &windows](std::span<const int64_t> numbers) {
      const WindowBatch batch = gather(windows, numbers);
      return at::cat({batch.values, batch.target}, 1);
    };
    return out;
  }

  WindowSource source_;
  std::vector<Window> train_, validation_;
};

Tokeniser tokeniser_for(const PatchingOptions& o, const EntropyWindows& windows, int64_t lookback) {
  TokeniserOptions options;
  options.vocabulary = o.entropy_model.vocabulary;
  if (o.range > 0) {
    options.low = -o.range;
    options.high = o.range;
  } else {
    const at::Tensor values = windows.lookbacks(std::max<int64_t>(1, kRangeValues / lookback));
    options = learn_range(scaled_values(values), options.vocabulary, kEndShare);
  }
  return Tokeniser(options);
}

/// `patcher` with thresholds as the options want them.
void fit_thresholds(PatcherFit& fit, const PatchingOptions& o, const EntropyWindows& windows) {
  const at::Tensor lookbacks = windows.lookbacks(kBoundaryWindows);
  if (o.mean_length.value_or(0) > 0) {
    at::Tensor entropy;
    std::span<const float> values;
    if (needs_entropy(o.boundaries.rule)) {
      entropy = fit.patcher.entropy(lookbacks).contiguous();
      values = {entropy.const_data_ptr<float>(), static_cast<size_t>(entropy.numel())};
    }
    fit.patcher = fit.patcher.with(
        fit_boundaries(o.boundaries, values, lookbacks.size(0), lookbacks.size(1), *o.mean_length)
            .options);
  }
  fit.mean_length = mean_patch_length(fit.patcher.cut(lookbacks));
}

json history_json(const attn::train::TrainResult& result) {
  json epochs = json::array();
  for (const attn::train::EpochRecord& e : result.history)
    epochs.push_back({{"lr", e.lr}, {"loss", e.loss}, {"validation", e.validation_columns}});
  return {{"epochs", epochs},
          {"best_epoch", result.best_epoch},
          {"stopped_early", result.stopped_early}};
}

attn::train::TrainResult history_of(const json& j, const std::string& where) {
  attn::train::TrainResult out;
  const auto epochs = attn::io::get<json>(j, "epochs", where);
  for (const json& e : epochs) {
    attn::train::EpochRecord record;
    record.epoch = static_cast<int64_t>(out.history.size());
    record.lr = attn::io::get<double>(e, "lr", where);
    record.loss = attn::io::get<double>(e, "loss", where);
    record.validation_columns = attn::io::get<std::vector<double>>(e, "validation", where);
    record.score = record.validation_columns.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                     : -record.validation_columns.front();
    out.history.push_back(std::move(record));
  }
  out.best_epoch = attn::io::get<int64_t>(j, "best_epoch", where);
  out.stopped_early = attn::io::get<bool>(j, "stopped_early", where);
  return out;
}

void save(const fs::path& path, const PatcherFit& fit, const std::string& digest) {
  json config = {{"digest", digest},
                 {"patcher", fit.patcher.config()},
                 {"history", history_json(fit.result)},
                 {"mean_length", fit.mean_length}};
  if (!std::isnan(fit.validation)) config["validation"] = fit.validation;
  attn::train::save_model_file(path, kKind, kVersion, std::move(config),
                               fit.patcher.tensors(kPrefix));
}

/// The patcher that an interrupted call of the same digest left; none where there is none.
std::optional<PatcherFit> saved(const fs::path& path, const std::string& digest) {
  if (path.empty() || !fs::exists(path)) return {};
  try {
    const attn::train::ModelFile file = attn::train::load_model_file(path, kKind, kVersion);
    const std::string where = "attn_config of " + path.string();
    if (attn::io::get<std::string>(file.config, "digest", where) != digest) return {};
    const auto part = [&](const char* key) { return attn::io::get<json>(file.config, key, where); };
    return PatcherFit{EntropyPatcher::load(part("patcher"), file, path, kPrefix),
                      history_of(part("history"), where),
                      attn::io::get_or<double>(file.config, "validation", where,
                                               std::numeric_limits<double>::quiet_NaN()),
                      attn::io::get<double>(file.config, "mean_length", where)};
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error&) {
    return {};  // made again
  }
}

PatcherFit trained(const PatcherJob& job, const EntropyWindows& windows, const FitFiles& files,
                   const attn::Hooks& hooks) {
  const PatchingOptions& o = job.options.patching;
  const Tokeniser tokeniser = tokeniser_for(o, windows, job.options.lookback);
  attn::train::TrainFiles traces;
  if (!files.folder.empty()) {
    traces.metrics_csv = files.folder / kEntropyMetrics;
    traces.checkpoint = files.folder / kEntropyCheckpoint;
  }
  traces.checkpoint_seconds = files.checkpoint_seconds;
  traces.resume = files.resume;
  EntropyTraining training = train_entropy_model(
      o.entropy_model, tokeniser, windows.data(job.digest), o.entropy_training, traces, hooks);
  training.result.best.clear();
  // Thresholds are fitted next; until then any rule does.
  return {EntropyPatcher(tokeniser, training.model, o.boundaries), std::move(training.result),
          training.validation, 0};
}

}  // namespace

int64_t count_entropy_windows(const SeriesSet& set, std::span<const RowSpan> ranges,
                              const ModelOptions& options) {
  return static_cast<int64_t>(plan(set, ranges, options).windows.size());
}

PatcherFit fit_patcher(const PatcherJob& job, const FitFiles& files, const attn::Hooks& hooks) {
  const PatchingOptions& o = job.options.patching;
  const EntropyWindows windows(job);
  if (!needs_entropy(o.boundaries.rule) && job.options.entrope.vocabulary == 0) {
    PatcherFit fit{EntropyPatcher(o.boundaries), {}, std::numeric_limits<double>::quiet_NaN(), 0};
    fit_thresholds(fit, o, windows);
    return fit;
  }
  const fs::path kept = files.folder.empty() ? fs::path() : files.folder / kEntropyModelFile;
  if (files.resume)
    if (std::optional<PatcherFit> found = saved(kept, job.digest)) return std::move(*found);
  PatcherFit fit = trained(job, windows, files, hooks);
  fit_thresholds(fit, o, windows);
  if (!kept.empty()) save(kept, fit, job.digest);
  return fit;
}

}  // namespace timeseries
