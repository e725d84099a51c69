// The parameters of a network as named tensors, so that a network is plain options, parameters and
// functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "libattn/train/model_file.h"
#include "libattn/train/trainer.h"

namespace attn::train {

/// How a parameter starts.
struct Init {
  enum class Kind { zeros, ones, normal, uniform };
  Kind kind = Kind::zeros;
  double scale = 0;  ///< normal: standard deviation about 0; uniform: in [-scale, scale)

  static Init zeros() { return {}; }
  static Init ones() { return {Kind::ones, 0}; }
  static Init normal(double sd) { return {Kind::normal, sd}; }
  static Init uniform(double bound) { return {Kind::uniform, bound}; }
  /// What LibTorch's Linear starts from, weight and bias alike: uniform in +-1/sqrt(fan_in), fan_in
  /// >= 1 the number of inputs.
  static Init linear(int64_t fan_in);
};

struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
  Init init;
};

/// fp32 leaf tensors that require gradients, in the order of their specs. Copies share the tensors.
class Parameters {
 public:
  Parameters() = default;
  /// Each drawn from a stream of its own, derive_seed(seed, "init", derive_seed(0, name)), so that
  /// one more parameter changes no other. std::logic_error on two of one name.
  Parameters(const std::vector<ParameterSpec>& specs, uint64_t seed);
  /// The tensors `prefix` + name of a model file. Throws Error as require_tensor does.
  Parameters(const std::vector<ParameterSpec>& specs, const ModelFile& model,
             const std::filesystem::path& path, const std::string& prefix = "");

  /// std::logic_error where there is no such name.
  const at::Tensor& at(const std::string& name) const;
  /// As TrainTask::parameters and save_model_file take them.
  const NamedTensors& named() const { return named_; }
  /// How many numbers they are together.
  int64_t count() const;
  /// Copies `values` in, in the order of named() (TrainResult::best). std::logic_error where number
  /// or shapes differ.
  void assign(const std::vector<at::Tensor>& values) const;
  /// The same numbers in tensors of their own.
  Parameters clone() const;

 private:
  void add(const std::string& name, const at::Tensor& value);

  NamedTensors named_;
  std::map<std::string, size_t> index_;
};

}  // namespace attn::train
