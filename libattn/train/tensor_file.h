// LibTorch tensors to and from safetensors: shared by model files and checkpoints.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "libattn/io/safetensors.h"
#include "libattn/train/trainer.h"

namespace attn::train {

/// Writes atomically. Tensors of float64, float32, float16, bfloat16, int64, int32, uint8 and bool;
/// throws Error on others.
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata);

/// All tensors of a file, in its order. Throws Error on a dtype LibTorch lacks.
NamedTensors read_tensors(const io::Safetensors& file);

}  // namespace attn::train
