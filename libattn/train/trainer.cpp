#include "libattn/train/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "attn/error.h"
#include "libattn/io/csv.h"
#include "libattn/train/checkpoint.h"
#include "libattn/train/optimiser.h"
#include "libattn/train/seed.h"
#include "libattn/train/train_options.h"

namespace attn::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

void check_task(const TrainTask& task) {
  if (task.items < 1) throw Error("there is nothing to train on");
  if (task.parameters.empty()) throw Error("the model has no parameters to train");
}

std::vector<at::Tensor> copies(const NamedTensors& tensors) {
  std::vector<at::Tensor> out;
  for (const auto& [name, t] : tensors) out.push_back(t.detach().clone());
  return out;
}

/// One run of `train`: the state that steps and epochs change.
class Run {
 public:
  Run(TrainTask& task, const TrainOptions& options, const TrainFiles& files, const Hooks& hooks)
      : task_(task),
        options_(options),
        files_(files),
        hooks_(hooks),
        optimiser_(options, task.parameters),
        steps_per_epoch_((task.items + options.batch - 1) / options.batch),
        running_(1 + task.step_columns.size(), 0.0) {
    result_.best_epoch = -1;
    result_.best_score = -std::numeric_limits<double>::infinity();
  }

  TrainResult train() {
    restore();
    const int64_t total = options_.epochs * steps_per_epoch_;
    while (iteration_ < total && !stop_early()) {
      run_epoch(iteration_ / steps_per_epoch_);
      hooks_.report("epochs", static_cast<int64_t>(result_.history.size()), options_.epochs);
    }
    save(true);
    if (!task_.validate) keep_best();
    result_.stopped_early = iteration_ < total;
    return std::move(result_);
  }

 private:
  void keep_best() {
    result_.best = copies(task_.parameters);
    result_.best_buffers = copies(task_.buffers);
  }

  bool stop_early() const {
    const auto done = static_cast<int64_t>(result_.history.size());
    return task_.validate && options_.patience > 0 && done >= options_.min_epochs &&
           done - 1 - result_.best_epoch >= options_.patience;
  }

  void run_epoch(int64_t epoch) {
    const std::vector<int64_t> order = epoch_order(epoch);
    for (int64_t s = iteration_ % steps_per_epoch_; s < steps_per_epoch_; ++s) {
      if (hooks_.stopping()) {
        save(true);
        throw Interrupted();
      }
      const int64_t first = s * options_.batch;
      const int64_t count = std::min(options_.batch, task_.items - first);
      run_step(epoch,
               std::span(order).subspan(static_cast<size_t>(first), static_cast<size_t>(count)));
      if (s + 1 == steps_per_epoch_) finish_epoch(epoch);
      save(false);
    }
  }

  std::vector<int64_t> epoch_order(int64_t epoch) const {
    if (options_.shuffle) {
      const auto index = static_cast<uint64_t>(epoch);
      return permutation(task_.items, derive_seed(options_.seed, "shuffle", index));
    }
    std::vector<int64_t> order(static_cast<size_t>(task_.items));
    std::iota(order.begin(), order.end(), int64_t{0});
    return order;
  }

  void run_step(int64_t epoch, std::span<const int64_t> items) {
    const int64_t total = options_.epochs * steps_per_epoch_;
    std::vector<double> columns(task_.step_columns.size(), 0.0);
    Step step;
    step.items = items;
    step.epoch = epoch;
    step.iteration = iteration_;
    step.progress = static_cast<double>(iteration_) / static_cast<double>(total);
    step.seed = derive_seed(options_.seed, "step", static_cast<uint64_t>(iteration_));
    step.columns = columns;
    optimiser_.zero_gradients();
    const double loss = task_.step(step);
    if (!std::isfinite(loss)) refuse("loss", loss, epoch, items);
    const double norm = optimiser_.clip_gradients();
    if (!std::isfinite(norm)) refuse("gradient", norm, epoch, items);
    optimiser_.step(learning_rate(options_, iteration_, total));
    const auto n = static_cast<double>(items.size());
    running_[0] += loss * n;
    for (size_t c = 0; c < columns.size(); ++c) running_[c + 1] += columns[c] * n;
    running_items_ += static_cast<int64_t>(items.size());
    ++iteration_;
  }

  [[noreturn]] void refuse(const std::string& what, double value, int64_t epoch,
                           std::span<const int64_t> items) const {
    std::string names;
    for (const int64_t item : items) {
      if (!names.empty()) names += ", ";
      names += task_.item_name ? task_.item_name(item) : "item " + std::to_string(item);
    }
    throw Error("the training " + what + " became " + (std::isnan(value) ? "NaN" : "infinite") +
                " in epoch " + std::to_string(epoch + 1) + " at " + names +
                "; look for extreme values there, or train with a lower learning rate");
  }

  void finish_epoch(int64_t epoch) {
    const auto n = static_cast<double>(running_items_);
    EpochRecord record;
    record.epoch = epoch;
    record.lr = learning_rate(options_, iteration_ - 1, options_.epochs * steps_per_epoch_);
    record.loss = running_[0] / n;
    for (size_t c = 1; c < running_.size(); ++c) record.step_columns.push_back(running_[c] / n);
    record.score = std::numeric_limits<double>::quiet_NaN();
    if (task_.validate) {
      Validation v = task_.validate();
      record.score = v.score;
      record.validation_columns = std::move(v.columns);
    }
    // A validation score that is NaN is never better, and any other is better than NaN.
    const bool better = record.score > result_.best_score ||
                        (std::isnan(result_.best_score) && !std::isnan(record.score));
    if (!task_.validate || better || result_.best_epoch < 0) {
      result_.best_epoch = epoch;
      result_.best_score = record.score;
      if (task_.validate) keep_best();
    }
    result_.history.push_back(std::move(record));
    std::fill(running_.begin(), running_.end(), 0.0);
    running_items_ = 0;
    if (files_.checkpoint_seconds == 0 || seconds_since(last_metrics_) >= 1) write_metrics();
  }

  void write_metrics() {
    if (files_.metrics_csv.empty()) return;
    std::vector<std::string> header{"epoch", "lr", "loss"};
    header.insert(header.end(), task_.step_columns.begin(), task_.step_columns.end());
    header.insert(header.end(), task_.validation_columns.begin(), task_.validation_columns.end());
    if (task_.validate) header.emplace_back("score");
    std::vector<std::vector<io::Cell>> rows;
    for (const EpochRecord& r : result_.history) {
      std::vector<io::Cell> row{r.epoch + 1, r.lr, r.loss};
      row.insert(row.end(), r.step_columns.begin(), r.step_columns.end());
      row.insert(row.end(), r.validation_columns.begin(), r.validation_columns.end());
      if (task_.validate) row.emplace_back(r.score);
      rows.push_back(std::move(row));
    }
    io::write_csv(files_.metrics_csv, header, rows);
    last_metrics_ = Clock::now();
  }

  void save(bool now) {
    const bool epoch_end = running_items_ == 0;
    const bool due = files_.checkpoint_seconds == 0
                         ? epoch_end
                         : seconds_since(last_checkpoint_) >= files_.checkpoint_seconds;
    if (!now && !due) return;
    if (now) write_metrics();
    if (files_.checkpoint.empty()) return;
    Checkpoint c;
    c.fingerprint = task_.fingerprint;
    c.iteration = iteration_;
    c.parameters = task_.parameters;
    c.buffers = task_.buffers;
    c.optimiser = optimiser_.state();
    for (size_t i = 0; i < result_.best.size(); ++i)
      c.best.emplace_back(task_.parameters[i].first, result_.best[i]);
    for (size_t i = 0; i < result_.best_buffers.size(); ++i)
      c.best_buffers.emplace_back(task_.buffers[i].first, result_.best_buffers[i]);
    c.best_epoch = result_.best_epoch;
    c.best_score = result_.best_score;
    c.history = result_.history;
    c.running = running_;
    c.running_items = running_items_;
    save_checkpoint(files_.checkpoint, c);
    last_checkpoint_ = Clock::now();
  }

  void restore() {
    if (files_.checkpoint.empty() || !files_.resume) return;
    std::optional<Checkpoint> c = load_checkpoint(files_.checkpoint);
    if (!c) return;
    if (c->fingerprint != task_.fingerprint) {
      throw Error(
          files_.checkpoint.string() +
          ": belongs to a run with other settings or other data; remove it, or write the new "
          "run elsewhere");
    }
    const auto value = [&](const NamedTensors& tensors, const std::string& name,
                           const at::Tensor& like) {
      for (const auto& [found, tensor] : tensors)
        if (found == name && tensor.sizes() == like.sizes() &&
            tensor.scalar_type() == like.scalar_type())
          return tensor;
      throw Error(files_.checkpoint.string() + ": has no fitting " + name +
                  "; the checkpoint is damaged, remove it to start again");
    };
    const int64_t total = options_.epochs * steps_per_epoch_;
    const auto epochs = static_cast<int64_t>(c->history.size());
    const bool scored = task_.validate && epochs > 0;
    if (c->running.size() != running_.size() || c->iteration > total ||
        c->iteration / steps_per_epoch_ != epochs || c->best.empty() == scored ||
        c->best_epoch >= epochs)
      throw Error(files_.checkpoint.string() +
                  ": does not fit this task; remove it to start again");
    optimiser_.restore(c->optimiser);
    for (const auto& [name, p] : task_.parameters) p.detach().copy_(value(c->parameters, name, p));
    for (const auto& [name, b] : task_.buffers) b.detach().copy_(value(c->buffers, name, b));
    if (!c->best.empty()) {
      for (const auto& [name, p] : task_.parameters)
        result_.best.push_back(value(c->best, name, p));
      for (const auto& [name, b] : task_.buffers)
        result_.best_buffers.push_back(value(c->best_buffers, name, b));
    }
    result_.best_epoch = c->best_epoch;
    result_.best_score = c->best_score;
    result_.history = std::move(c->history);
    result_.resumed_at = iteration_ = c->iteration;
    running_ = std::move(c->running);
    running_items_ = c->running_items;
  }

  TrainTask& task_;
  const TrainOptions& options_;
  const TrainFiles& files_;
  const Hooks& hooks_;
  OptimiserState optimiser_;
  const int64_t steps_per_epoch_;
  int64_t iteration_ = 0;
  std::vector<double> running_;  // sums over the unfinished epoch's items: loss, step columns
  int64_t running_items_ = 0;
  TrainResult result_;
  Clock::time_point last_checkpoint_ = Clock::now(), last_metrics_ = Clock::now();
};

}  // namespace

TrainResult train(TrainTask& task, const TrainOptions& options, const TrainFiles& files,
                  const Hooks& hooks) {
  check(options);
  check_task(task);
  return Run(task, options, files, hooks).train();
}

}  // namespace attn::train
