#include "pathology/mil/model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/nn/pool_pass.h"
#include "libattn/train/seed.h"

namespace pathology {
namespace {

constexpr std::array<std::pair<Pooling, const char*>, 4> kNames{
    {{Pooling::mean, "mean"},
     {Pooling::max, "max"},
     {Pooling::abmil_plain, "abmil-plain"},
     {Pooling::abmil, "abmil"}}};

/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)), torch's default for a linear layer's weight and bias. Drawn
/// in fp64, so that models of both types start alike.
at::Tensor uniform(attn::train::Random& random, const std::vector<int64_t>& shape, int64_t fan_in,
                   at::ScalarType type) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  const at::Tensor t = at::empty(shape, at::kDouble);
  double* data = t.mutable_data_ptr<double>();
  for (int64_t i = 0; i < t.numel(); ++i) data[i] = bound * (2 * random.uniform() - 1);
  return t.to(type);
}

const at::Tensor& find_tensor(const attn::train::NamedTensors& tensors, const std::string& name) {
  for (const auto& [own, tensor] : tensors)
    if (own == name) return tensor;
  throw attn::Error("tensor " + name + " is missing");
}

/// The type of the saved network, which its first layer tells, once all tensors have their shapes.
at::ScalarType type_of(const ModelConfig& config, const attn::train::NamedTensors& tensors) {
  for (const auto& [name, shape] : parameter_shapes(config)) {
    const at::Tensor& tensor = find_tensor(tensors, name);
    if (tensor.sizes() != at::IntArrayRef(shape)) {
      throw attn::Error("tensor " + name + " has shape " +
                        attn::io::shape_text(tensor.sizes().vec()) + ", expected " +
                        attn::io::shape_text(shape));
    }
  }
  const at::Tensor& first = find_tensor(tensors, "embed.weight");
  if (!first.is_floating_point()) throw attn::Error("tensor embed.weight holds no real numbers");
  return first.scalar_type();
}

}  // namespace

Pooling parse_pooling(std::string_view word) {
  for (const auto& [pooling, name] : kNames)
    if (word == name) return pooling;
  throw attn::UsageError("unknown model " + attn::io::quote_text(word) +
                         ", expected mean, max, abmil or abmil-plain");
}

bool has_attention(Pooling p) {
  return p == Pooling::abmil || p == Pooling::abmil_plain;
}

std::string to_string(Pooling pooling) {
  for (const auto& [known, name] : kNames)
    if (known == pooling) return name;
  return "abmil";
}

void to_json(nlohmann::json& j, const ModelConfig& c) {
  j = {{"pooling", to_string(c.pooling)},
       {"input", c.input},
       {"classes", c.classes},
       {"hidden", c.hidden},
       {"attention", c.attention},
       {"dropout", c.dropout}};
}

void from_json(const nlohmann::json& j, ModelConfig& c) {
  const char* where = "the model configuration";
  c.pooling = parse_pooling(attn::io::get<std::string>(j, "pooling", where));
  c.input = attn::io::get<int64_t>(j, "input", where);
  c.classes = attn::io::get<int64_t>(j, "classes", where);
  c.hidden = attn::io::get<int64_t>(j, "hidden", where);
  c.attention = attn::io::get<int64_t>(j, "attention", where);
  c.dropout = attn::io::get_or<double>(j, "dropout", where, 0.0);
}

std::vector<std::pair<std::string, std::vector<int64_t>>> parameter_shapes(const ModelConfig& c) {
  if (c.input < 1) throw attn::Error("a model needs at least one input feature");
  if (c.classes < 2) throw attn::Error("a model needs at least two classes");
  if (c.hidden < 1 || c.attention < 1)
    throw attn::UsageError("the model's widths must be at least 1");
  std::vector<std::pair<std::string, std::vector<int64_t>>> out{
      {"embed.weight", {c.hidden, c.input}},
      {"classifier.weight", {c.classes, c.hidden}},
      {"classifier.bias", {c.classes}}};
  if (has_attention(c.pooling)) {
    out.insert(out.end(), {{"attention.V.weight", {c.attention, c.hidden}},
                           {"attention.V.bias", {c.attention}},
                           {"attention.w.weight", {1, c.attention}},
                           {"attention.w.bias", {1}}});
  }
  if (c.pooling == Pooling::abmil) {
    out.insert(out.end(), {{"attention.U.weight", {c.attention, c.hidden}},
                           {"attention.U.bias", {c.attention}}});
  }
  return out;
}

/// What the backward pass needs of a forward pass.
struct MilModel::Pass {
  at::Tensor h;     // (N,D_inner) after ReLU and dropout
  at::Tensor mask;  // (N,D_inner) dropout factors; undefined without dropout
  at::Tensor z;     // (D_inner)
  at::Tensor logits, scores;
  at::Tensor winner;  // (D_inner) instance that gave each maximum
  attn::nn::GatedAttentionCache gate;
  attn::nn::PoolPass pool;
};

MilModel::MilModel(const ModelConfig& config, uint64_t seed, at::ScalarType type)
    : config_(config), type_(type) {
  parameter_shapes(config);  // refuses widths that cannot be
  if (!(config.dropout >= 0 && config.dropout < 1))
    throw attn::UsageError("dropout must lie in [0, 1)");
  attn::train::Random random(seed);
  const int64_t h = config.hidden, a = config.attention;
  embed_ = uniform(random, {h, config.input}, config.input, type);
  classifier_ = uniform(random, {config.classes, h}, h, type);
  bias_ = uniform(random, {config.classes}, h, type);
  if (!has_attention(config.pooling)) return;
  attention_.v_weight = uniform(random, {a, h}, h, type);
  attention_.v_bias = uniform(random, {a}, h, type);
  attention_.w_weight = uniform(random, {1, a}, a, type);
  attention_.w_bias = uniform(random, {1}, a, type);
  if (config.pooling != Pooling::abmil) return;
  attention_.u_weight = uniform(random, {a, h}, h, type);
  attention_.u_bias = uniform(random, {a}, h, type);
}

MilModel::MilModel(const ModelConfig& config, const attn::train::NamedTensors& tensors)
    : MilModel(config, 0, type_of(config, tensors)) {
  for (auto& [name, tensor] : parameters()) tensor.copy_(find_tensor(tensors, name));
}

attn::train::NamedTensors MilModel::parameters() const {
  attn::train::NamedTensors out{
      {"embed.weight", embed_}, {"classifier.weight", classifier_}, {"classifier.bias", bias_}};
  if (has_attention(config_.pooling)) {
    out.insert(out.end(), {{"attention.V.weight", attention_.v_weight},
                           {"attention.V.bias", attention_.v_bias},
                           {"attention.w.weight", attention_.w_weight},
                           {"attention.w.bias", attention_.w_bias}});
  }
  if (attention_.gated()) {
    out.insert(out.end(), {{"attention.U.weight", attention_.u_weight},
                           {"attention.U.bias", attention_.u_bias}});
  }
  return out;
}

at::Tensor MilModel::embed(const at::Tensor& x) const {
  return at::mm(x, embed_.t()).relu_();
}

MilModel::Pass MilModel::run(const at::Tensor& x, double dropout, uint64_t dropout_seed) const {
  Pass p;
  p.h = embed(x);
  if (dropout > 0) {
    p.mask = at::empty_like(p.h)
                 .bernoulli_(1 - dropout, attn::train::make_generator(dropout_seed))
                 .mul_(1 / (1 - dropout));
    p.h.mul_(p.mask);
  }
  if (config_.pooling == Pooling::mean) {
    p.z = p.h.mean(0);
  } else if (config_.pooling == Pooling::max) {
    std::tie(p.z, p.winner) = p.h.max(0);
  } else {
    p.scores = attn::nn::gated_attention_forward(p.h, attention_, &p.gate);
    const attn::ProbeLayer name("attention");
    p.pool = attn::nn::pool_forward(p.scores, p.h);
    p.z = p.pool.out;
  }
  p.logits = at::addmv(bias_, classifier_, p.z);
  return p;
}

MilOutput MilModel::forward(const at::Tensor& x) const {
  const Pass p = run(x, 0, 0);
  MilOutput out;
  out.logits = p.logits;
  if (has_attention(config_.pooling)) {
    out.scores = p.scores.squeeze(1);
    out.lse = p.pool.lse.item<double>();
    out.entropy = p.pool.entropy.item<double>();
  } else {
    out.entropy = config_.pooling == Pooling::mean ? std::log(static_cast<double>(x.size(0)))
                                                   : std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

MilLoss MilModel::loss_and_gradients(const at::Tensor& x, int64_t label,
                                     const attn::nn::EntropyRegulariser& regulariser,
                                     double progress, double scale, uint64_t dropout_seed) {
  const Pass p = run(x, config_.dropout, dropout_seed);
  const std::vector<double> log_p = log_probabilities(p.logits);
  MilLoss loss;
  loss.cross_entropy = -log_p[static_cast<size_t>(label)];
  const bool attends = has_attention(config_.pooling);
  const double lambda = attends && regulariser.weight != 0 ? regulariser.weight_at(progress) : 0;
  if (attends) loss.entropy = p.pool.entropy.item<double>();
  loss.loss = lambda != 0 ? loss.cross_entropy - lambda * loss.entropy : loss.cross_entropy;

  const at::Tensor dlogits = at::empty({config_.classes}, at::kDouble);
  for (int64_t c = 0; c < config_.classes; ++c) {
    dlogits.mutable_data_ptr<double>()[c] =
        scale * (std::exp(log_p[static_cast<size_t>(c)]) - (c == label ? 1 : 0));
  }
  const at::Tensor dz_logits = dlogits.to(type_);
  classifier_.mutable_grad().addr_(dz_logits, p.z);
  bias_.mutable_grad().add_(dz_logits);
  const at::Tensor dz = at::mv(classifier_.t(), dz_logits);

  at::Tensor dh;  // (N,D_inner)
  if (config_.pooling == Pooling::mean) {
    dh = (dz / static_cast<double>(x.size(0))).expand_as(p.h).contiguous();
  } else if (config_.pooling == Pooling::max) {
    dh = at::zeros_like(p.h).scatter_(0, p.winner.unsqueeze(0), dz.unsqueeze(0));
  } else {
    const attn::nn::PoolPassGradient g =
        attn::nn::pool_backward(p.scores, p.h, p.pool, dz, -lambda * scale);
    attn::nn::GatedAttentionWeights grad;
    grad.v_weight = attention_.v_weight.grad();
    grad.v_bias = attention_.v_bias.grad();
    grad.w_weight = attention_.w_weight.grad();
    grad.w_bias = attention_.w_bias.grad();
    if (attention_.gated()) {
      grad.u_weight = attention_.u_weight.grad();
      grad.u_bias = attention_.u_bias.grad();
    }
    dh = g.values;
    attn::nn::gated_attention_backward(g.scores, p.h, attention_, p.gate, grad, dh);
  }
  if (p.mask.defined()) dh.mul_(p.mask);
  // ReLU: h is 0 where it was cut (or dropped), and there dh must vanish.
  embed_.mutable_grad().addmm_(at::threshold_backward(dh, p.h, 0).t(), x);
  return loss;
}

std::vector<double> log_probabilities(const at::Tensor& logits) {
  const at::Tensor d = logits.to(at::kDouble);
  const double* z = d.const_data_ptr<double>();
  const int64_t n = d.numel();
  const double top = *std::max_element(z, z + n);
  double sum = 0;
  for (int64_t c = 0; c < n; ++c) sum += std::exp(z[c] - top);
  std::vector<double> out(static_cast<size_t>(n));
  for (int64_t c = 0; c < n; ++c) out[static_cast<size_t>(c)] = z[c] - top - std::log(sum);
  return out;
}

at::Tensor attention_weights(const MilOutput& output) {
  return (output.scores.to(at::kDouble) - output.lse).exp();
}

}  // namespace pathology
