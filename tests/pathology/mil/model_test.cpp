// Oracles: numbers of AEM's own classes (golden file) and the equations in LibTorch's
// differentiable operations, fp64.
#include "pathology/mil/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>

#include "attn/error.h"
#include "libattn/io/hdf5.h"
#include "libattn/train/seed.h"
#include "tests/support/data.h"

namespace pathology {
namespace {

using attn::nn::EntropyRegulariser;
using attn::nn::WeightSchedule;

ModelConfig small(Pooling pooling, double dropout = 0) {
  ModelConfig c;
  c.pooling = pooling;
  c.input = 7;
  c.classes = 3;
  c.hidden = 6;
  c.attention = 4;
  c.dropout = dropout;
  return c;
}

void zero_gradients(const MilModel& model) {
  for (const auto& [name, p] : model.parameters()) p.mutable_grad() = at::zeros_like(p);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

std::map<std::string, at::Tensor> by_name(const attn::train::NamedTensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

/// Loss by the published equations, with autograd through `p`.
at::Tensor loss_by_equation(const at::Tensor& x, int64_t label, Pooling pooling,
                            std::map<std::string, at::Tensor>& p, double lambda) {
  const at::Tensor h = at::relu(at::matmul(x, p["embed.weight"].t()));
  at::Tensor z, r = at::zeros({}, at::kDouble);
  if (pooling == Pooling::mean) {
    z = h.mean(0);
  } else if (pooling == Pooling::max) {
    z = at::amax(h, {0});
  } else {
    at::Tensor g = at::tanh(at::matmul(h, p["attention.V.weight"].t()) + p["attention.V.bias"]);
    if (pooling == Pooling::abmil)
      g = g * at::sigmoid(at::matmul(h, p["attention.U.weight"].t()) + p["attention.U.bias"]);
    const at::Tensor s = at::matmul(g, p["attention.w.weight"].t()) + p["attention.w.bias"];
    z = (at::softmax(s, 0) * h).sum(0);
    r = (at::softmax(s, 0) * at::log_softmax(s, 0)).sum();
  }
  const at::Tensor logits = at::matmul(p["classifier.weight"], z) + p["classifier.bias"];
  return at::logsumexp(logits, 0) - logits[label] + lambda * r;
}

TEST(MilModel, GoldenAemLossAndGradients) {
  const auto path = attn::test::shared_data("pathology/interop/golden_aem_losses.h5");
  ATTN_NEED_SHARED_DATA(path);
  const auto file = attn::io::Hdf5File::open(path);
  const auto tensor = [&](const std::string& name) {
    return at::tensor(file.read<double>(name), at::kDouble).reshape(file.dataset(name).shape);
  };
  const std::map<std::string, std::string> names{
      {"embed.weight", "fc1"},       {"classifier.weight", "cls_w"}, {"classifier.bias", "cls_b"},
      {"attention.V.weight", "V_w"}, {"attention.V.bias", "V_b"},    {"attention.U.weight", "U_w"},
      {"attention.U.bias", "U_b"},   {"attention.w.weight", "w_w"},  {"attention.w.bias", "w_b"}};
  attn::train::NamedTensors parameters;
  for (const auto& [ours, theirs] : names)
    parameters.emplace_back(ours, tensor("abmil_gated/param/" + theirs));
  ModelConfig config;
  config.input = 16;
  config.classes = 3;
  config.hidden = 8;
  config.attention = 4;
  MilModel model(config, parameters);
  zero_gradients(model);
  const double lambda = file.double_attribute("", "lambda");
  const MilLoss loss =
      model.loss_and_gradients(tensor("x"), file.read<int64_t>("label").at(0), {lambda}, 0, 1, 0);
  const std::string group = "abmil_gated";
  EXPECT_NEAR(loss.cross_entropy, file.double_attribute(group, "ce"), 1e-12);
  EXPECT_NEAR(-loss.entropy, file.double_attribute(group, "neg_entropy"), 1e-12);
  EXPECT_NEAR(loss.loss, file.double_attribute(group, "loss"), 1e-12);
  const MilOutput out = model.forward(tensor("x"));
  EXPECT_LT(distance(out.logits, tensor("abmil_gated/logits")[0]), 1e-12);
  EXPECT_LT(distance(out.scores, tensor("abmil_gated/attn_logits")[0]), 1e-12);
  for (const auto& [name, p] : model.parameters())
    EXPECT_LT(distance(p.grad(), tensor("abmil_gated/grad/" + names.at(name))), 1e-12) << name;
}

TEST(MilModel, GradientsMatchAutogradForEveryPooling) {
  for (const Pooling pooling :
       {Pooling::mean, Pooling::max, Pooling::abmil_plain, Pooling::abmil}) {
    for (const int64_t n : {1, 2, 37}) {
      MilModel model(small(pooling), 5, at::kDouble);
      zero_gradients(model);
      const at::Tensor x = at::randn({n, 7}, attn::train::make_generator(9), at::kDouble);
      const EntropyRegulariser aem{0.3, WeightSchedule::linear};  // at progress 0.5: 0.15
      const MilLoss loss = model.loss_and_gradients(x, 2, aem, 0.5, 0.25, 0);
      std::map<std::string, at::Tensor> p;
      std::vector<at::Tensor> leaves;
      for (const auto& [name, value] : model.parameters()) {
        p[name] = value.clone().requires_grad_();
        leaves.push_back(p[name]);
      }
      const at::Tensor expected = loss_by_equation(x, 2, pooling, p, 0.15);
      EXPECT_NEAR(loss.loss, expected.item<double>(), 1e-12) << to_string(pooling) << n;
      const auto want = torch::autograd::grad({expected * 0.25}, leaves);
      for (size_t i = 0; i < leaves.size(); ++i) {
        EXPECT_LT(distance(model.parameters()[i].second.grad(), want[i]), 1e-12)
            << to_string(pooling) << n << model.parameters()[i].first;
      }
    }
  }
}

TEST(MilModel, DropoutGradientMatchesFiniteDifferences) {
  // The mask is a function of the seed, so the loss is differentiable with it.
  MilModel model(small(Pooling::abmil, 0.5), 5, at::kDouble);
  const at::Tensor x = at::randn({6, 7}, attn::train::make_generator(9), at::kDouble);
  const auto loss = [&] {
    zero_gradients(model);
    return model.loss_and_gradients(x, 0, {0.1}, 0, 1, 42).loss;
  };
  loss();
  const auto parameters = model.parameters();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, p] : parameters) gradients.push_back(p.grad().clone());
  for (size_t i = 0; i < parameters.size(); ++i) {
    double* value = parameters[i].second.mutable_data_ptr<double>();
    const double before = *value, step = 1e-6;
    *value = before + step;
    const double up = loss();
    *value = before - step;
    const double down = loss();
    *value = before;
    EXPECT_NEAR(gradients[i].reshape({-1})[0].item<double>(), (up - down) / (2 * step), 1e-8)
        << parameters[i].first;
  }
  const double other = model.loss_and_gradients(x, 0, {0.1}, 0, 1, 43).loss;
  EXPECT_NE(other, loss());
}

TEST(MilModel, WeightZeroIsPlainAbmilBitForBit) {
  // Whatever the schedule, and at the end of a schedule that falls to zero.
  const at::Tensor x = at::randn({50, 7}, attn::train::make_generator(3));
  const auto gradients = [&](const EntropyRegulariser& aem, double progress) {
    MilModel model(small(Pooling::abmil), 5);
    zero_gradients(model);
    model.loss_and_gradients(x, 1, aem, progress, 1, 0);
    return model.parameters();
  };
  const auto plain = gradients({}, 0);
  for (const auto& other :
       {gradients({0, WeightSchedule::cosine}, 0.3), gradients({0.1, WeightSchedule::linear}, 1)}) {
    for (size_t i = 0; i < plain.size(); ++i)
      EXPECT_TRUE(at::equal(plain[i].second.grad(), other[i].second.grad())) << plain[i].first;
  }
}

TEST(MilModel, BagsOfOneAndOfAHundredThousandAreFinite) {
  for (const int64_t n : {1, 100000}) {
    ModelConfig c = small(Pooling::abmil);
    MilModel model(c, 5);
    zero_gradients(model);
    const at::Tensor x = at::randn({n, 7}, attn::train::make_generator(3)) * 50;
    const MilLoss loss = model.loss_and_gradients(x, 1, {0.1}, 0, 1, 0);
    EXPECT_TRUE(std::isfinite(loss.loss));
    EXPECT_GE(loss.entropy, 0);
    EXPECT_LE(loss.entropy, std::log(static_cast<double>(n)) + 1e-5);
    if (n == 1) {
      EXPECT_EQ(loss.entropy, 0);
    }
    for (const auto& [name, p] : model.parameters())
      EXPECT_TRUE(p.grad().isfinite().all().item<bool>()) << name;
    const MilOutput out = model.forward(x);
    EXPECT_NEAR(attention_weights(out).sum().item<double>(), 1, 1e-5);
  }
}

TEST(MilModel, SameSeedSameWeightsInBothTypes) {
  const MilModel a(small(Pooling::abmil), 5), b(small(Pooling::abmil), 5),
      d(small(Pooling::abmil), 5, at::kDouble), other(small(Pooling::abmil), 6);
  for (size_t i = 0; i < a.parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(a.parameters()[i].second, b.parameters()[i].second));
    EXPECT_TRUE(at::equal(a.parameters()[i].second, d.parameters()[i].second.to(at::kFloat)));
    EXPECT_FALSE(at::equal(a.parameters()[i].second, other.parameters()[i].second));
  }
  // Torch's default for a linear layer: within 1/sqrt(fan_in), and reaching near it.
  const at::Tensor w =
      by_name(MilModel({Pooling::abmil, 100, 2, 128, 128, 0}, 1).parameters())["embed.weight"];
  EXPECT_LE(w.abs().max().item<double>(), 0.1);
  EXPECT_GT(w.abs().max().item<double>(), 0.099);
  EXPECT_NEAR(w.std().item<double>(), 0.1 / std::sqrt(3.0), 0.002);
}

TEST(MilModel, ConfigGoesThroughJson) {
  const ModelConfig c{Pooling::abmil_plain, 9, 4, 32, 16, 0.25};
  const auto back = nlohmann::json(c).get<ModelConfig>();
  EXPECT_EQ(nlohmann::json(back), nlohmann::json(c));
  EXPECT_EQ(parse_pooling("abmil"), Pooling::abmil);
  EXPECT_THROW(parse_pooling("abmill"), attn::UsageError);
  EXPECT_THROW(MilModel({Pooling::abmil, 9, 1, 32, 16, 0}, 1), attn::Error);
}

}  // namespace
}  // namespace pathology
