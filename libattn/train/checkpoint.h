// The state of an unfinished training run in one .safetensors file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "libattn/train/trainer.h"

namespace attn::train {

/// All that `train` needs to go on; no generator state, since every draw is a function of seed and
/// iteration.
struct Checkpoint {
  std::string fingerprint;
  int64_t iteration = 0;  ///< steps done, over all epochs
  NamedTensors parameters, buffers, optimiser, best, best_buffers;
  int64_t best_epoch = -1;
  double best_score = 0;
  std::vector<EpochRecord> history;  ///< finished epochs
  std::vector<double> running;       ///< sums of the unfinished epoch: loss, then step columns
  int64_t running_items = 0;
};

/// Writes atomically. Doubles are stored as bits, so what is read is what was written.
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Empty when there is no file. Throws Error on a damaged one, or one of a newer format.
std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& path);

}  // namespace attn::train
