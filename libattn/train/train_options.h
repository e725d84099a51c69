// TrainOptions checked, and to and from JSON, as model files and run.json hold them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libattn/train/trainer.h"

namespace attn::train {

/// Throws UsageError, one sentence, on the first option out of its range.
void check(const TrainOptions& options);

/// Keys are the names of the fields. `warm_up` is written only where it is set, `div` and
/// `final_div` only for one_cycle: what older programs wrote stays the same byte for byte.
void to_json(nlohmann::json& j, const TrainOptions& options);
/// A missing key leaves the field as it is. Throws Error naming the key on a wrong type or an
/// unknown word.
void from_json(const nlohmann::json& j, TrainOptions& options);

/// "adamw", "sgd"; "constant", "cosine", "one-cycle", "halve". Throws UsageError on another word.
Optimiser parse_optimiser(std::string_view word);
LrSchedule parse_lr_schedule(std::string_view word);
std::string to_string(Optimiser optimiser);
std::string to_string(LrSchedule schedule);

}  // namespace attn::train
