#include "libattn/train/model_file.h"

#include <ATen/ATen.h>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/safetensors.h"
#include "libattn/io/text.h"
#include "libattn/train/tensor_file.h"

namespace attn::train {
namespace {

constexpr const char* kKey = "attn_config";

/// The configuration of a file that agrees with its checksum.
nlohmann::json config_of(const io::Safetensors& file) {
  const auto found = file.metadata().find(kKey);
  if (found == file.metadata().end()) {
    throw Error(
        file.path().string() +
        ": holds tensors but no attn_config, so it is not a model of this program; expected "
        "a file written by a train verb");
  }
  file.verify();
  nlohmann::json config = io::parse_json(found->second, "attn_config of " + file.path().string());
  if (!config.is_object())
    throw Error(file.path().string() + ": attn_config is not a JSON object; the file is damaged");
  return config;
}

}  // namespace

void save_model_file(const std::filesystem::path& path, const std::string& kind,
                     int64_t format_version, nlohmann::json config, const NamedTensors& tensors) {
  config["kind"] = kind;
  config["format_version"] = format_version;
  write_tensors(path, tensors, {{kKey, config.dump()}, {"format", "pt"}});
}

ModelFile load_model_file(const std::filesystem::path& path, const std::string& kind,
                          int64_t newest_version) {
  const io::Safetensors file = io::Safetensors::open(path);
  ModelFile model{config_of(file), {}};
  const std::string where = "attn_config of " + path.string();
  const auto found = io::get<std::string>(model.config, "kind", where);
  if (found != kind) {
    throw Error(path.string() + ": holds a " + io::quote_text(found) + ", expected a " +
                io::quote_text(kind));
  }
  const auto version = io::get<int64_t>(model.config, "format_version", where);
  if (version > newest_version) {
    throw NewerFormat(path.string() + ": has format version " + std::to_string(version) +
                      ", newer than the newest this program reads (" +
                      std::to_string(newest_version) + "); use a newer version of the program");
  }
  model.tensors = read_tensors(file);
  return model;
}

nlohmann::json read_model_config(const std::filesystem::path& path) {
  return config_of(io::Safetensors::open(path));
}

at::Tensor require_tensor(const ModelFile& model, const std::filesystem::path& path,
                          const std::string& name, std::vector<int64_t> shape) {
  for (const auto& [found, tensor] : model.tensors) {
    if (found != name) continue;
    if (tensor.sizes() != at::IntArrayRef(shape)) {
      throw Error(path.string() + ": tensor " + name + " has shape " +
                  io::shape_text(tensor.sizes().vec()) + ", expected " + io::shape_text(shape) +
                  "; the file is damaged");
    }
    const at::ScalarType type = tensor.scalar_type();
    if (!at::isFloatingType(type)) {
      throw Error(path.string() + ": tensor " + name + " holds " + c10::toString(type) +
                  " numbers, expected a floating type; the file is damaged");
    }
    if (!at::isfinite(tensor).all().item<bool>()) {
      throw Error(path.string() + ": tensor " + name +
                  " holds NaN or infinite numbers; the model cannot be used, train it again");
    }
    const bool half = type == at::kHalf || type == at::kBFloat16;
    return half ? tensor.to(at::kFloat) : tensor;
  }
  throw Error(path.string() + ": tensor " + name + " is missing; the file is damaged");
}

}  // namespace attn::train
