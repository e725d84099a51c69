// A model is one .safetensors file whose metadata key `attn_config` holds its whole configuration
// as JSON.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libattn/train/trainer.h"

namespace attn::train {

struct ModelFile {
  nlohmann::json config;  ///< always with `kind` and `format_version`
  NamedTensors tensors;
};

/// Writes atomically; sets config["kind"] and config["format_version"]. Throws Error with the
/// system's reason.
void save_model_file(const std::filesystem::path& path, const std::string& kind,
                     int64_t format_version, nlohmann::json config, const NamedTensors& tensors);

/// Reads a model of `kind`. Throws Error: unreadable or damaged file (its checksum is compared
/// where it has one), no `attn_config`, another kind, or a format newer than `newest_version`.
/// Older versions are returned as they are; the caller fills what they lack.
ModelFile load_model_file(const std::filesystem::path& path, const std::string& kind,
                          int64_t newest_version);

/// The configuration alone, whatever the kind and version (for `info`).
nlohmann::json read_model_config(const std::filesystem::path& path);

/// The tensor `name`, fp32 where the file holds fp16 or bf16. Throws Error naming file and tensor
/// when it is absent, its shape is not `shape`, or it holds integers or numbers that are not
/// finite.
at::Tensor require_tensor(const ModelFile& model, const std::filesystem::path& path,
                          const std::string& name, std::vector<int64_t> shape);

}  // namespace attn::train
