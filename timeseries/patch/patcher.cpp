#include "timeseries/patch/patcher.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace timeseries {
namespace {

using attn::train::Parameters;

/// Patches of N windows that are all alike.
PatchCuts same_cuts(const BoundaryOptions& o, int64_t rows, int64_t length) {
  const std::vector<int64_t> begins = patch_begins(o, std::span<const float>(), length);
  if (length == 0) throw std::logic_error("a window holds at least one value");
  return pack_cuts(std::vector<std::vector<int64_t>>(static_cast<size_t>(rows), begins), length);
}

EntropyPatcher read_patcher(const nlohmann::json& config, const attn::train::ModelFile& file,
                            const std::filesystem::path& path, const std::string& prefix) {
  const std::string where = "the patcher of " + path.string();
  const auto part = [&](const char* key) {
    return attn::io::get<nlohmann::json>(config, key, where);
  };
  BoundaryOptions boundaries;
  from_json(part("boundaries"), boundaries);
  if (attn::io::find(config, "model", where) == nullptr) return EntropyPatcher(boundaries);
  TokeniserOptions tokeniser;
  from_json(part("tokeniser"), tokeniser);
  EntropyModelOptions model;
  from_json(part("model"), model);
  return {Tokeniser(tokeniser),
          EntropyModel(model, Parameters(EntropyModel::specs(model), file, path, prefix)),
          boundaries};
}

}  // namespace

EntropyPatcher::EntropyPatcher(const BoundaryOptions& boundaries) : boundaries_(boundaries) {
  check(boundaries);
  if (needs_entropy(boundaries.rule))
    throw std::logic_error("the boundary rule " + to_string(boundaries.rule) +
                           " needs an entropy model");
}

EntropyPatcher::EntropyPatcher(const Tokeniser& tokeniser, const EntropyModel& model,
                               const BoundaryOptions& boundaries)
    : tokeniser_(tokeniser), model_(model), boundaries_(boundaries) {
  check(boundaries);
  if (model.options().vocabulary != tokeniser.options().vocabulary)
    throw attn::UsageError("the entropy model's vocabulary is " +
                           std::to_string(model.options().vocabulary) + ", the tokeniser's " +
                           std::to_string(tokeniser.options().vocabulary) + "; they must be equal");
}

const Tokeniser& EntropyPatcher::tokeniser() const {
  if (!tokeniser_) throw std::logic_error("this patcher has no tokeniser");
  return *tokeniser_;
}

const EntropyModel& EntropyPatcher::model() const {
  if (!model_) throw std::logic_error("this patcher has no entropy model");
  return *model_;
}

EntropyPatcher EntropyPatcher::with(const BoundaryOptions& boundaries) const {
  return model_ ? EntropyPatcher(*tokeniser_, *model_, boundaries) : EntropyPatcher(boundaries);
}

at::Tensor EntropyPatcher::tokens(const at::Tensor& values, const at::Tensor& scale) const {
  return tokeniser().tokens(values, scale);
}

at::Tensor EntropyPatcher::entropy(const at::Tensor& values, const at::Tensor& scale) const {
  return model().entropy(tokens(values, scale));
}

PatchCuts EntropyPatcher::cut(const at::Tensor& values, const at::Tensor& scale) const {
  if (!needs_entropy(boundaries_.rule))
    return same_cuts(boundaries_, values.size(0), values.size(1));
  return cut_tokens(tokens(values, scale));
}

PatchCuts EntropyPatcher::cut_tokens(const at::Tensor& ids) const {
  if (!needs_entropy(boundaries_.rule)) return same_cuts(boundaries_, ids.size(0), ids.size(1));
  return cut_entropies(boundaries_, model().entropy(ids));
}

PatchCuts cut_entropies(const BoundaryOptions& options, const at::Tensor& entropy) {
  if (entropy.dim() != 2 || entropy.size(1) == 0)
    throw std::logic_error("entropies (N,L) are cut, L at least 1");
  const at::Tensor h = entropy.contiguous();
  const int64_t rows = h.size(0), length = h.size(1);
  std::vector<std::vector<int64_t>> begins;
  begins.reserve(static_cast<size_t>(rows));
  AT_DISPATCH_FLOATING_TYPES(h.scalar_type(), "cut_entropies", [&] {
    const auto* from = h.const_data_ptr<scalar_t>();
    for (int64_t n = 0; n < rows; ++n)
      begins.push_back(
          patch_begins(options, std::span(from + n * length, static_cast<size_t>(length)), length));
  });
  return pack_cuts(begins, length);
}

nlohmann::json EntropyPatcher::config() const {
  nlohmann::json j{{"boundaries", boundaries_}};
  if (model_) {
    j["tokeniser"] = tokeniser_->options();
    j["model"] = model_->options();
  }
  return j;
}

attn::train::NamedTensors EntropyPatcher::tensors(const std::string& prefix) const {
  attn::train::NamedTensors out;
  if (!model_) return out;
  for (const auto& [name, tensor] : model_->parameters().named())
    out.emplace_back(prefix + name, tensor.detach());
  return out;
}

EntropyPatcher EntropyPatcher::load(const nlohmann::json& config,
                                    const attn::train::ModelFile& file,
                                    const std::filesystem::path& path, const std::string& prefix) {
  try {
    return read_patcher(config, file, path, prefix);
  } catch (const attn::Error& error) {
    const std::string text = error.what();
    if (text.find(path.string()) != std::string::npos) throw;
    throw attn::Error(path.string() + ": " + text + "; the file is damaged");
  } catch (const std::logic_error& error) {  // a rule without its model
    throw attn::Error(path.string() + ": " + error.what() + "; the file is damaged");
  }
}

}  // namespace timeseries
