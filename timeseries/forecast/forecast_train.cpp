#include "timeseries/forecast/forecast_train.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/train/train_options.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/forecast/linear_base.h"
#include "timeseries/forecast/share.h"
#include "timeseries/patch/cut_cache.h"

namespace timeseries {
namespace {

using attn::train::Step;
using attn::train::TrainResult;
using attn::train::TrainTask;
using attn::train::Validation;

constexpr const char* kWhere = "the training options";

std::string word(Loss loss) {
  return loss == Loss::mse ? "mse" : loss == Loss::mae ? "mae" : "huber";
}

Loss loss_of(const std::string& word) {
  if (word == "mse") return Loss::mse;
  if (word == "mae") return Loss::mae;
  if (word == "huber") return Loss::huber;
  throw attn::Error(std::string(kWhere) + ": key loss: expected mse, mae or huber, found " +
                    attn::io::quote_text(word));
}

/// Loss of each value.
at::Tensor losses(const at::Tensor& forecast, const at::Tensor& target, Loss loss) {
  switch (loss) {
    case Loss::mae:
      return at::l1_loss(forecast, target, at::Reduction::None);
    case Loss::huber:
      return at::huber_loss(forecast, target, at::Reduction::None);
    default:
      return at::mse_loss(forecast, target, at::Reduction::None);
  }
}

/// Mean loss over the known values of target (N,T); 0 where there is none. Window by window, since
/// LibTorch splits a sum over everything by threads.
at::Tensor loss_of(const at::Tensor& forecast, const at::Tensor& given, Loss loss) {
  const at::Tensor known = given.isnan().logical_not_();
  const at::Tensor target = given.nan_to_num().to(forecast.scalar_type());
  const at::Tensor each = losses(forecast, target, loss);
  if (known.all().item<bool>()) return each.mean(1).mean();
  const auto count = static_cast<double>(std::max<int64_t>(known.sum().item<int64_t>(), 1));
  return (each * known.to(forecast.scalar_type())).sum(1).sum() / count;
}

/// Of a forecast that is a sum the network is taught what the plain map leaves.
at::Tensor loss_of(const Forecaster& forecaster, const WindowBatch& batch, const Pass& pass,
                   Loss loss) {
  if (!forecaster.share().defined())
    return loss_of(forecaster.forward(batch, pass), batch.target, loss);
  const ForecastParts parts = forecaster.parts(batch, pass);
  return loss_of(parts.base.detach() + parts.rest, batch.target, loss);
}

/// One run of `fit`.
class Fit {
 public:
  Fit(Forecaster& forecaster, const FitData& data, const FitOptions& options,
      const attn::Hooks& hooks)
      : forecaster_(forecaster),
        data_(data),
        options_(options),
        hooks_(hooks),
        train_cuts_(static_cast<int64_t>(data.train.size()), forecaster.lookback()),
        validation_cuts_(static_cast<int64_t>(data.validation.size()), forecaster.lookback()) {}

  TrainResult run(const attn::train::TrainFiles& files) {
    TrainTask task;
    task.buffers = forecaster_.buffers();
    const bool closed = forecaster_.linear_base().weight.defined();
    for (const auto& [name, tensor] : forecaster_.parameters().named()) {
      const bool found = closed && in_linear_base(name);
      if (found) tensor.set_requires_grad(false);
      (found ? task.buffers : task.parameters).emplace_back(name, tensor);
    }
    fit_linear_base(forecaster_, data_.source, data_.train, data_.validation, hooks_);
    task.items = static_cast<int64_t>(data_.train.size());
    task.step = [this](const Step& step) { return this->step(step); };
    if (!data_.validation.empty()) {
      task.validation_columns = {"validation_mse", "validation_mae"};
      task.validate = [this] { return validate(); };
    }
    task.item_name = [this](int64_t item) { return item_name(item); };
    task.fingerprint = fit_fingerprint(forecaster_, data_, options_);
    TrainResult result = attn::train::train(task, options_.optimisation, files, hooks_);
    keep(task, result);
    return result;
  }

 private:
  double step(const Step& step) {
    const at::AutoGradMode with_grad(true);
    attn::probe_step(step.epoch + 1);
    const attn::ProbeLayer name("training");
    windows_.clear();
    for (const int64_t item : step.items)
      windows_.push_back(data_.train[static_cast<size_t>(item)]);
    const WindowBatch batch = data_.source.gather(windows_);
    Pass pass;
    pass.training = true;
    pass.seed = step.seed;
    const std::optional<PatchCuts> cuts =
        cached_cuts(forecaster_, batch.values, step.items, train_cuts_);
    if (cuts) pass.cuts = &*cuts;
    const at::Tensor loss = loss_of(forecaster_, batch, pass, options_.loss);
    loss.backward();
    return loss.item<double>();
  }

  Validation validate() {
    const attn::ProbeLayer name("validation");
    fit_shares(forecaster_, data_.source, data_.validation, validation_cuts_);
    const Errors errors =
        evaluate(forecaster_, data_.source, data_.validation, {}, {}, &validation_cuts_);
    return {-errors.mse, {errors.mse, errors.mae}};
  }

  /// Leaves the best numbers in the forecaster.
  static void keep(const TrainTask& task, const TrainResult& result) {
    const c10::NoGradGuard no_grad;
    for (size_t i = 0; i < task.buffers.size(); ++i)
      task.buffers[i].second.copy_(result.best_buffers.at(i));
    for (size_t i = 0; i < task.parameters.size(); ++i)
      task.parameters[i].second.copy_(result.best.at(i));
  }

  std::string item_name(int64_t item) const {
    const Window& w = data_.train[static_cast<size_t>(item)];
    return "the window of series " + std::to_string(w.series + 1) + ", channel " +
           std::to_string(w.channel + 1) + ", from row " + std::to_string(w.origin);
  }

  Forecaster& forecaster_;
  const FitData& data_;
  const FitOptions& options_;
  const attn::Hooks& hooks_;
  CutCache train_cuts_, validation_cuts_;
  std::vector<Window> windows_;
};

std::string digest_of(std::span<const Window> windows) {
  attn::io::Digest digest;
  for (const Window& w : windows) {
    const int64_t numbers[3] = {w.series, w.channel, w.origin};
    digest.update(numbers, sizeof numbers);
  }
  return digest.hex();
}

}  // namespace

void to_json(nlohmann::json& j, const FitOptions& o) {
  j = {{"loss", word(o.loss)}, {"optimisation", nlohmann::json(o.optimisation)}};
}

void from_json(const nlohmann::json& j, FitOptions& o) {
  o.loss = loss_of(attn::io::get_or<std::string>(j, "loss", kWhere, word(o.loss)));
  if (const nlohmann::json* own = attn::io::find(j, "optimisation", kWhere))
    from_json(*own, o.optimisation);
}

void check(const FitOptions& o) {
  check(o.optimisation);
}

std::string fit_fingerprint(const Forecaster& forecaster, const FitData& data,
                            const FitOptions& options) {
  const BatchOptions& b = data.source.options();
  const char* base = forecaster.linear_base().weight.defined() ? "closed form" : "none";
  const nlohmann::json all = {{"forecaster", forecaster.options()},
                              {"base", base},
                              {"fit", nlohmann::json(options)},
                              {"season", b.season},
                              {"calendar", b.calendar},
                              {"data", data.digest},
                              {"train", digest_of(data.train)},
                              {"validation", digest_of(data.validation)}};
  return attn::io::digest(all.dump());
}

TrainResult fit(Forecaster& forecaster, const FitData& data, const FitOptions& options,
                const attn::train::TrainFiles& files, const attn::Hooks& hooks) {
  check(options);
  if (forecaster.parameters().named().empty()) return {};
  return Fit(forecaster, data, options, hooks).run(files);
}

}  // namespace timeseries
