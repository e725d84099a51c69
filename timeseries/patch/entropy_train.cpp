#include "timeseries/patch/entropy_train.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/train/seed.h"
#include "libattn/train/train_options.h"

namespace timeseries {
namespace {

using attn::train::derive_seed;

constexpr const char* kWhere = "the training of the entropy model";
constexpr int64_t kValidationBatch = 256;

/// Tokens that come in, and those that follow them; (N,L) each.
struct Tokens {
  at::Tensor ids, targets;
};

Tokens tokens_of(const Tokeniser& tokeniser, const at::Tensor& windows) {
  const int64_t length = windows.size(1) - 1;
  if (length < 1) throw std::logic_error("a training window holds at least two values");
  const at::Tensor scale = Tokeniser::scale(windows.narrow(1, 0, length));
  const at::Tensor ids = tokeniser.tokens(windows, scale);
  return {ids.narrow(1, 0, length).contiguous(), ids.narrow(1, 1, length).contiguous()};
}

/// The windows of one epoch: a sample of all, the same for all who ask for that epoch.
class EpochWindows {
 public:
  EpochWindows(int64_t total, int64_t per_epoch, uint64_t seed)
      : total_(total), seed_(seed), count_(per_epoch > 0 ? std::min(per_epoch, total) : total) {}

  int64_t count() const { return count_; }
  std::vector<int64_t> numbers(std::span<const int64_t> items, int64_t epoch) {
    if (count_ == total_) return {items.begin(), items.end()};
    if (epoch != epoch_) {
      sample_ = attn::train::sample_without_replacement(
          total_, count_, derive_seed(seed_, "windows", static_cast<uint64_t>(epoch)));
      epoch_ = epoch;
    }
    std::vector<int64_t> out;
    for (const int64_t i : items) out.push_back(sample_[static_cast<size_t>(i)]);
    return out;
  }

 private:
  int64_t total_;
  uint64_t seed_;
  int64_t count_, epoch_ = -1;
  std::vector<int64_t> sample_;
};

std::string fingerprint_of(const EntropyModelOptions& model, const Tokeniser& tokeniser,
                           const EntropyData& data, const EntropyTrainOptions& options) {
  return nlohmann::json{{"model", model},
                        {"tokeniser", tokeniser.options()},
                        {"training", options},
                        {"data", data.fingerprint},
                        {"windows", data.train.count},
                        {"validation", data.validation.count}}
      .dump();
}

}  // namespace

EntropyTrainOptions::EntropyTrainOptions() {
  train.epochs = 12;
  train.batch = 64;
  train.lr = 3e-3;
  train.beta2 = 0.95;
  train.weight_decay = 0.05;
  train.warm_up = 0.02;
  train.clip_norm = 1;
  train.patience = 8;
}

EntropyTrainOptions reference_entropy_training() {
  EntropyTrainOptions o;
  o.train.epochs = 50;
  o.train.batch = 896;
  o.train.lr = 1e-3;
  o.train.warm_up.reset();
  o.train.patience = 5;
  o.windows_per_epoch = 0;
  o.validation_windows = 0;
  o.blur = 0;
  return o;
}

void check(const EntropyTrainOptions& o) {
  attn::train::check(o.train);
  const auto require = [](bool ok, const char* sentence) {
    if (!ok) throw attn::UsageError(sentence);
  };
  require(o.windows_per_epoch >= 0 && o.validation_windows >= 0,
          "the numbers of windows that the entropy model sees must not be negative");
  require(o.dropout >= 0 && o.dropout < 1,
          "the entropy model's dropout must be at least 0 and below 1");
  require(std::isfinite(o.blur) && o.blur >= 0,
          "the spread of the entropy model's targets must not be negative");
}

std::vector<int64_t> spaced_numbers(int64_t total, int64_t count) {
  const int64_t n = count > 0 ? std::min(count, total) : total;
  std::vector<int64_t> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) out[static_cast<size_t>(i)] = i * total / n;
  return out;
}

double mean_cross_entropy(const EntropyModel& model, const Tokeniser& tokeniser,
                          const WindowsByNumber& windows, std::span<const int64_t> numbers,
                          const attn::Hooks& hooks) {
  double sum = 0;
  int64_t known = 0;
  for (size_t first = 0; first < numbers.size(); first += kValidationBatch) {
    hooks.check();
    const size_t count = std::min<size_t>(kValidationBatch, numbers.size() - first);
    const Tokens t = tokens_of(tokeniser, windows.get(numbers.subspan(first, count)));
    const at::Tensor loss = model.cross_entropy(t.ids, t.targets).to(at::kDouble);
    sum += at::nansum(loss).item<double>();
    known += at::isfinite(loss).sum().item<int64_t>();
  }
  return known > 0 ? sum / static_cast<double>(known) : std::numeric_limits<double>::quiet_NaN();
}

EntropyTraining train_entropy_model(const EntropyModelOptions& model_options,
                                    const Tokeniser& tokeniser, const EntropyData& data,
                                    const EntropyTrainOptions& options,
                                    const attn::train::TrainFiles& files,
                                    const attn::Hooks& hooks) {
  check(options);
  if (model_options.vocabulary != tokeniser.options().vocabulary)
    throw attn::UsageError("the entropy model's vocabulary is " +
                           std::to_string(model_options.vocabulary) + ", the tokeniser's " +
                           std::to_string(tokeniser.options().vocabulary) + "; they must be equal");
  if (data.train.count < 1)
    throw attn::Error(
        "there is no window to train the entropy model on; shorten the look-back, or give longer "
        "series");
  const uint64_t seed = options.train.seed;
  EntropyModel model(model_options, derive_seed(seed, "entropy-model"));
  EpochWindows epochs(data.train.count, options.windows_per_epoch, seed);
  const std::vector<int64_t> watched =
      spaced_numbers(data.validation.count, options.validation_windows);

  attn::train::TrainTask task;
  task.parameters = model.parameters().named();
  task.items = epochs.count();
  task.fingerprint = fingerprint_of(model_options, tokeniser, data, options);
  task.step = [&](const attn::train::Step& step) {
    const Tokens t = tokens_of(tokeniser, data.train.get(epochs.numbers(step.items, step.epoch)));
    return model.loss_and_gradients(t.ids, t.targets, {options.dropout, step.seed, options.blur});
  };
  if (!watched.empty()) {
    task.validation_columns = {"validation_cross_entropy"};
    task.validate = [&] {
      const double ce = mean_cross_entropy(model, tokeniser, data.validation, watched, {});
      return attn::train::Validation{-ce, {ce}};
    };
  }
  attn::train::TrainResult result = attn::train::train(task, options.train, files, hooks);
  model.parameters().assign(result.best);
  const std::vector<int64_t> all = spaced_numbers(data.validation.count, 0);
  const double validation = mean_cross_entropy(model, tokeniser, data.validation, all, hooks);
  return {std::move(model), std::move(result), validation};
}

void to_json(nlohmann::json& j, const EntropyTrainOptions& o) {
  j = {{"train", o.train},
       {"windows_per_epoch", o.windows_per_epoch},
       {"validation_windows", o.validation_windows},
       {"dropout", o.dropout},
       {"blur", o.blur}};
}

void from_json(const nlohmann::json& j, EntropyTrainOptions& o) {
  const auto read = [&](const char* key, auto& value) {
    value = attn::io::get_or<std::decay_t<decltype(value)>>(j, key, kWhere, value);
  };
  if (const nlohmann::json* train = attn::io::find(j, "train", kWhere)) {
    o.train.warm_up.reset();  // written only where it is set
    from_json(*train, o.train);
  }
  read("windows_per_epoch", o.windows_per_epoch);
  read("validation_windows", o.validation_windows);
  read("dropout", o.dropout);
  read("blur", o.blur);
}

}  // namespace timeseries
