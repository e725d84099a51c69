#include "libattn/train/parameters.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "libattn/train/seed.h"

namespace attn::train {
namespace {

at::Tensor draw(const ParameterSpec& spec, uint64_t seed) {
  at::Tensor value = at::empty(spec.shape, at::kFloat);
  at::Generator generator = make_generator(derive_seed(seed, "init", derive_seed(0, spec.name)));
  switch (spec.init.kind) {
    case Init::Kind::zeros:
      return value.zero_();
    case Init::Kind::ones:
      return value.fill_(1);
    case Init::Kind::normal:
      return value.normal_(0, spec.init.scale, generator);
    case Init::Kind::uniform:
      return value.uniform_(-spec.init.scale, spec.init.scale, generator);
  }
  throw std::logic_error("parameter " + spec.name + " has no such start");
}

}  // namespace

Init Init::linear(int64_t fan_in) {
  if (fan_in < 1) throw std::logic_error("Init::linear: a layer has at least one input");
  return uniform(1 / std::sqrt(static_cast<double>(fan_in)));
}

Parameters::Parameters(const std::vector<ParameterSpec>& specs, uint64_t seed) {
  for (const ParameterSpec& spec : specs) add(spec.name, draw(spec, seed));
}

Parameters::Parameters(const std::vector<ParameterSpec>& specs, const ModelFile& model,
                       const std::filesystem::path& path, const std::string& prefix) {
  for (const ParameterSpec& spec : specs) {
    const at::Tensor value = require_tensor(model, path, prefix + spec.name, spec.shape);
    add(spec.name, value.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true));
  }
}

void Parameters::add(const std::string& name, const at::Tensor& value) {
  if (!index_.emplace(name, named_.size()).second)
    throw std::logic_error("two parameters have the name " + name);
  named_.emplace_back(name, value.contiguous().requires_grad_(true));
}

const at::Tensor& Parameters::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw std::logic_error("there is no parameter " + name);
  return named_[found->second].second;
}

int64_t Parameters::count() const {
  int64_t sum = 0;
  for (const auto& [name, tensor] : named_) sum += tensor.numel();
  return sum;
}

void Parameters::assign(const std::vector<at::Tensor>& values) const {
  if (values.size() != named_.size())
    throw std::logic_error(std::to_string(values.size()) + " values for " +
                           std::to_string(named_.size()) + " parameters");
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& [name, tensor] = named_[i];
    if (values[i].sizes() != tensor.sizes())
      throw std::logic_error("the value for parameter " + name + " has another shape");
    tensor.detach().copy_(values[i]);
  }
}

Parameters Parameters::clone() const {
  Parameters copy;
  for (const auto& [name, tensor] : named_) copy.add(name, tensor.detach().clone());
  return copy;
}

}  // namespace attn::train
