#include "timeseries/patch/entropy_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/ops/check.h"
#include "timeseries/patch/entropy_kernel.h"
#include "timeseries/patch/entropy_network.h"
#include "timeseries/patch/tokeniser.h"

namespace timeseries {
namespace {

using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

constexpr const char* kWhere = "the entropy model";
constexpr double kTheta = 1e4;

std::string block_name(int64_t i) {
  return "block." + std::to_string(i) + ".";
}

/// Parameters, or something of their shapes, by name.
template <class T, class Data>
EntropyWeights<T> weights_of(const EntropyModelOptions& o, const Data& data) {
  EntropyWeights<T> w;
  w.token = data("token"), w.norm = data("norm");
  if (o.position == EntropyPosition::learned) w.position = data("position");
  for (int64_t i = 0; i < o.depth; ++i) {
    const std::string b = block_name(i);
    w.blocks.push_back({data(b + "norm1"), data(b + "qkv"), data(b + "out"), data(b + "norm2"),
                        data(b + "up"), data(b + "down")});
  }
  return w;
}

EntropyNetwork network_of(const EntropyModelOptions& o, const Parameters& parameters) {
  EntropyNetwork n;
  n.width = o.width, n.heads = o.heads, n.hidden = 4 * o.width, n.vocabulary = o.vocabulary;
  n.context = o.context;
  n.causal = true;
  if (o.position == EntropyPosition::rotary) n.theta = kTheta, n.window = o.context - 1;
  auto weights = weights_of<const float>(
      o, [&](const std::string& name) { return parameters.at(name).const_data_ptr<float>(); });
  n.token = weights.token, n.position = weights.position, n.norm = weights.norm;
  n.blocks = std::move(weights.blocks);
  return n;
}

/// Targets as the kernels want them: -1 where there is none.
at::Tensor wanted_targets(const at::Tensor& targets) {
  return at::where(targets == Tokeniser::kPad, at::scalar_tensor(-1, at::kLong), targets)
      .contiguous();
}

}  // namespace

void check(const EntropyModelOptions& o) {
  const auto require = [](bool ok, const std::string& sentence) {
    if (!ok) throw attn::UsageError(sentence);
  };
  require(o.width >= 1 && o.depth >= 1 && o.heads >= 1,
          "width, depth and heads of the entropy model must be at least 1");
  require(o.width % o.heads == 0, "the entropy model's width " + std::to_string(o.width) +
                                      " is no multiple of its " + std::to_string(o.heads) +
                                      " heads");
  require(o.position == EntropyPosition::learned || o.width / o.heads % 2 == 0,
          "the entropy model's width of a head, " + std::to_string(o.width / o.heads) +
              ", must be even where positions are rotary");
  require(
      o.vocabulary >= Tokeniser::kFirst + 2,
      "the entropy model's vocabulary must be at least " + std::to_string(Tokeniser::kFirst + 2));
  require(o.context >= 1, "the entropy model's context must be at least 1");
}

std::vector<ParameterSpec> EntropyModel::specs(const EntropyModelOptions& o) {
  check(o);
  const int64_t d = o.width;
  const Init any = Init::normal(0.02);
  const Init added = Init::normal(0.02 / std::sqrt(2.0 * static_cast<double>(o.depth)));
  std::vector<ParameterSpec> specs{{"token", {o.vocabulary, d}, any}};
  if (o.position == EntropyPosition::learned) specs.push_back({"position", {o.context, d}, any});
  for (int64_t i = 0; i < o.depth; ++i) {
    const std::string b = block_name(i);
    specs.push_back({b + "norm1", {d}, Init::ones()});
    specs.push_back({b + "qkv", {3 * d, d}, any});
    specs.push_back({b + "out", {d, d}, added});
    specs.push_back({b + "norm2", {d}, Init::ones()});
    specs.push_back({b + "up", {4 * d, d}, any});
    specs.push_back({b + "down", {d, 4 * d}, added});
  }
  specs.push_back({"norm", {d}, Init::ones()});
  return specs;
}

EntropyModel::EntropyModel(const EntropyModelOptions& options, uint64_t seed)
    : EntropyModel(options, Parameters(specs(options), seed)) {}

EntropyModel::EntropyModel(const EntropyModelOptions& options, Parameters parameters)
    : options_(options), parameters_(std::move(parameters)) {
  check(options);
}

void EntropyModel::check_ids(const at::Tensor& ids) const {
  if (!ids.defined() || ids.dim() != 2 || ids.scalar_type() != at::kLong)
    throw std::logic_error("the entropy model takes ids (N,L) of int64");
  if (options_.position == EntropyPosition::learned && ids.size(1) > options_.context)
    throw attn::Error("the entropy model has learned " + std::to_string(options_.context) +
                      " positions, the windows hold " + std::to_string(ids.size(1)) +
                      "; shorten the look-back, or train an entropy model with rotary positions");
  if (ids.numel() == 0) return;
  const auto [low, high] = at::aminmax(ids);
  const auto lowest = low.item<int64_t>(), highest = high.item<int64_t>();
  if (lowest < 0 || highest >= options_.vocabulary)
    throw attn::Error("the entropy model knows tokens 0 to " +
                      std::to_string(options_.vocabulary - 1) + ", the windows hold " +
                      std::to_string(lowest < 0 ? lowest : highest) +
                      "; use the tokeniser that it was trained with");
}

at::Tensor EntropyModel::run(const at::Tensor& ids, const at::Tensor& targets) const {
  check_ids(ids);
  const c10::NoGradGuard no_grad;
  const at::ScalarType type = parameters_.at("norm").scalar_type();
  at::Tensor wanted;
  if (targets.defined()) {
    if (targets.sizes() != ids.sizes()) throw std::logic_error("one target follows each id");
    check_ids(targets);
    wanted = wanted_targets(targets);
  }
  if (type != at::kFloat) {  // by operators, for tests of the kernel
    const at::Tensor x = entropy_features(options_, parameters_, ids, 0, 0);
    const ReadOut r = entropy_read_out(x, parameters_.at("token"));
    if (!wanted.defined()) return r.entropy.view(ids.sizes());
    const at::Tensor flat = wanted.view({-1});
    const at::Tensor picked =
        (x * parameters_.at("token").index_select(0, flat.clamp_min(0))).sum(1);
    return at::where(flat < 0, NAN, r.lse - picked).view(ids.sizes());
  }
  const at::Tensor in = ids.contiguous();
  at::Tensor out = at::empty(ids.sizes(), at::kFloat);
  EntropyCall call;
  call.ids = in.const_data_ptr<int64_t>();
  call.rows = ids.size(0), call.length = ids.size(1);
  if (wanted.defined()) {
    call.targets = wanted.const_data_ptr<int64_t>();
    call.loss = out.mutable_data_ptr<float>();
  } else {
    call.entropy = out.mutable_data_ptr<float>();
  }
  next_entropies(network_of(options_, parameters_), call, attn::ops::torch_threads());
  return out;
}

at::Tensor EntropyModel::entropy(const at::Tensor& ids) const {
  return run(ids, {});
}

at::Tensor EntropyModel::cross_entropy(const at::Tensor& ids, const at::Tensor& targets) const {
  return run(ids, targets);
}

at::Tensor EntropyModel::loss(const at::Tensor& ids, const at::Tensor& targets,
                              const EntropyLoss& options) const {
  check_ids(ids);
  check_ids(targets);
  if (targets.sizes() != ids.sizes()) throw std::logic_error("one target follows each id");
  const at::Tensor& token = parameters_.at("token");
  at::Tensor x = entropy_features(options_, parameters_, ids, options.dropout, options.seed);
  at::Tensor wanted = targets.reshape({-1});
  const at::Tensor known = at::nonzero(wanted != Tokeniser::kPad).view({-1});
  if (known.numel() < wanted.numel()) {
    x = x.index_select(0, known);
    wanted = wanted.index_select(0, known);
  }
  if (wanted.numel() == 0) return x.sum();
  const at::Tensor picked = at::embedding(blurred(token, options.blur), wanted);
  return (entropy_read_out(x, token).lse - (x * picked).sum(1)).mean();
}

double EntropyModel::loss_and_gradients(const at::Tensor& ids, const at::Tensor& targets,
                                        const EntropyLoss& options) const {
  check_ids(ids);
  check_ids(targets);
  if (targets.sizes() != ids.sizes()) throw std::logic_error("one target follows each id");
  const at::Tensor in = ids.contiguous(), wanted = wanted_targets(targets);
  const at::Tensor& token = parameters_.at("token");
  const at::Tensor answer = blurred(token, options.blur);
  at::Tensor d_answer = at::zeros(token.sizes(), at::kFloat);
  EntropyStep step;
  step.ids = in.const_data_ptr<int64_t>(), step.targets = wanted.const_data_ptr<int64_t>();
  step.rows = ids.size(0), step.length = ids.size(1);
  step.answer = answer.const_data_ptr<float>();
  step.dropout = options.dropout;
  for (int64_t i = 0; i <= 2 * options_.depth; ++i)
    step.seeds.push_back(entropy_dropout_seed(options.seed, static_cast<uint64_t>(i)));
  const auto gradients = weights_of<float>(options_, [&](const std::string& name) {
    const at::Tensor& grad = parameters_.at(name).grad();
    if (!grad.defined()) throw std::logic_error("the gradient of " + name + " is not there");
    return grad.mutable_data_ptr<float>();
  });
  const double loss =
      entropy_gradients(network_of(options_, parameters_), step, gradients,
                        d_answer.mutable_data_ptr<float>(), attn::ops::torch_threads());
  const at::Tensor d_token =
      options.blur > 0 ? torch::autograd::grad({answer}, {token}, {d_answer})[0] : d_answer;
  const c10::NoGradGuard no_grad;
  token.grad().add_(d_token);
  return loss;
}

namespace {

const char* word_of(EntropyPosition position) {
  return position == EntropyPosition::learned ? "learned" : "rotary";
}

}  // namespace

void to_json(nlohmann::json& j, const EntropyModelOptions& o) {
  j = {{"width", o.width},           {"depth", o.depth},     {"heads", o.heads},
       {"vocabulary", o.vocabulary}, {"context", o.context}, {"position", word_of(o.position)}};
}

void from_json(const nlohmann::json& j, EntropyModelOptions& o) {
  const auto read = [&](const char* key, int64_t& value) {
    value = attn::io::get<int64_t>(j, key, kWhere);
  };
  read("width", o.width);
  read("depth", o.depth);
  read("heads", o.heads);
  read("vocabulary", o.vocabulary);
  read("context", o.context);
  const auto word = attn::io::get<std::string>(j, "position", kWhere);
  if (word != "learned" && word != "rotary")
    throw attn::Error(std::string(kWhere) + ": key position: expected learned or rotary, found " +
                      attn::io::quote_text(word));
  o.position = word == "learned" ? EntropyPosition::learned : EntropyPosition::rotary;
}

}  // namespace timeseries
