// The one training loop of the house: epochs, optimiser, schedule, early stopping, metrics.csv,
// checkpoint and resume.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attn/hooks.h"

namespace attn::train {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

enum class Optimiser { adamw, sgd };
/// Learning rate at step i of T (all steps of all epochs), set before each step; S = T w with the
/// share w = `warm_up` of the steps; cos(a, b, t) = b + (a - b) (1 + cos(pi t)) / 2.
///   constant:  lr
///   cosine:    lr/2 (1 + cos(pi i / T)) (Loshchilov and Hutter 2017); with warm_up, S rounded to a
///              whole number, lr (i + 1) / S for i < S, then lr/2 (1 + cos(pi (i - S) / (T - S)))
///   one_cycle: cos(lr/div, lr, i / (S - 1)) for i <= S - 1, then cos(lr, lr/(div final_div),
///              (i - S + 1) / (T - S)) (Smith and Topin 2018; LibTorch's OneCycleLR, two phases)
///   halve:     lr 2^-epoch
enum class LrSchedule { constant, cosine, one_cycle, halve };

struct TrainOptions {
  int64_t epochs = 50;
  int64_t batch = 1;  ///< items a step; the last, smaller batch of an epoch is kept
  bool shuffle = true;
  uint64_t seed = 0;

  Optimiser optimiser = Optimiser::adamw;
  double lr = 1e-4;  ///< peak
  LrSchedule schedule = LrSchedule::cosine;
  /// Share of all steps in which the rate rises, in [0, 1]; not set: 0.3 for one_cycle, 0 for
  /// cosine. Without meaning for the others.
  std::optional<double> warm_up;
  double div = 25, final_div = 1e4;  ///< one_cycle starts at lr/div and ends at lr/(div final_div)
  double weight_decay = 1e-5;  ///< decoupled for AdamW (Loshchilov and Hutter 2019), L2 for SGD
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  ///< AdamW
  double momentum = 0.9;                          ///< SGD, Nesterov
  double clip_norm = 0;  ///< largest 2-norm of the whole gradient; 0: not clipped

  int64_t patience = 0;  ///< stop after so many epochs without a better validation score; 0: never
  int64_t min_epochs = 0;  ///< but not before so many epochs
};

/// One optimisation step, as the task's `step` sees it.
struct Step {
  std::span<const int64_t> items;  ///< indices of the training items of this step
  int64_t epoch = 0;               ///< from 0
  int64_t iteration = 0;           ///< from 0, over all epochs
  double progress = 0;             ///< iteration / all iterations, in [0, 1)
  uint64_t seed = 0;               ///< of this step's random draws (dropout, subsampling)
  std::span<double> columns;       ///< out: one value per `TrainTask::step_columns`
};

struct Validation {
  double score = 0;             ///< higher is better; selects the best epoch
  std::vector<double> columns;  ///< one value per `TrainTask::validation_columns`
};

/// What is trained. The loop knows no model: only tensors, items and two functions.
struct TrainTask {
  /// Contiguous leaf tensors of one dtype, changed in place. Names are unique and go into
  /// checkpoints.
  NamedTensors parameters;
  /// Tensors that steps change in place without being optimised (running statistics): saved in
  /// checkpoints and kept with the best parameters. Names are unique among themselves.
  NamedTensors buffers;
  int64_t items = 0;
  /// Computes the loss of `step.items`, leaves d loss / d parameter in each parameter's `.grad()`
  /// (allocated and zeroed by the loop) and returns the loss. A task that uses autograd calls
  /// `loss.backward()` and returns `loss.item<double>()`.
  std::function<double(const Step&)> step;
  std::vector<std::string> step_columns;  ///< averaged over the epoch into metrics.csv
  /// Called after each epoch when set. Without it there is no early stopping and the best epoch is
  /// the last.
  std::function<Validation()> validate;
  std::vector<std::string> validation_columns;
  std::function<std::string(int64_t)> item_name;  ///< for error sentences
  /// Of everything that determines the run (configuration, data): a checkpoint with another one is
  /// refused.
  std::string fingerprint;
};

/// Where a run leaves its traces; empty paths: nowhere.
struct TrainFiles {
  std::filesystem::path
      metrics_csv;  ///< one row per epoch: epoch, lr, loss, step columns, validation columns, score
  std::filesystem::path checkpoint;  ///< .safetensors, replaced atomically
  double checkpoint_seconds = 10;    ///< a checkpoint at the first step after so long, and always
                                     ///< when stopped; 0: every epoch
  bool resume = true;                ///< go on from the checkpoint where there is one
};

struct EpochRecord {
  int64_t epoch = 0;  ///< from 0
  double lr = 0;      ///< at the epoch's last step
  double loss = 0;    ///< mean over the epoch's items
  std::vector<double> step_columns, validation_columns;
  double score = 0;  ///< NaN without validation
};

struct TrainResult {
  std::vector<EpochRecord> history;
  int64_t best_epoch = 0;  ///< of the highest score; the last epoch without validation
  double best_score = 0;
  bool stopped_early = false;
  int64_t resumed_at = 0;  ///< iterations taken over from a checkpoint
  /// Parameters (and buffers) after `best_epoch`; those after the last are in the task itself.
  std::vector<at::Tensor> best, best_buffers;
};

/// Trains `task.parameters` in place. Every random draw is a function of (seed, epoch or
/// iteration), so after a kill and a restart with the same checkpoint path the result equals the
/// undisturbed one bit for bit. Throws Error: loss or gradient not finite (names epoch and item;
/// parameters are those before the step), checkpoint of another run; Interrupted: `hooks.stop` was
/// set, after the checkpoint was written.
TrainResult train(TrainTask& task, const TrainOptions& options, const TrainFiles& files,
                  const Hooks& hooks);

/// Learning rate at `iteration` of `iterations`.
double learning_rate(const TrainOptions& options, int64_t iteration, int64_t iterations);

}  // namespace attn::train
