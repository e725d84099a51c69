#include "timeseries/patch/entropy_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "libattn/train/threads.h"
#include "tests/support/every_target.h"
#include "tests/support/refusal.h"
#include "tests/timeseries/patch/entropy_reference.h"
#include "timeseries/patch/tokeniser.h"

namespace timeseries {
namespace {

using attn::test::expect_refusal;
using attn::test::with_every_target;
using test::lively_model;
using test::random_ids;

EntropyModelOptions small(EntropyPosition position) {
  EntropyModelOptions o;
  o.width = 12, o.depth = 2, o.heads = 3, o.vocabulary = 29, o.context = 20;
  o.position = position;
  return o;
}

/// Sizes that meet and miss every tile: the reference's, odd ones, one head, one block.
std::vector<EntropyModelOptions> shapes() {
  std::vector<EntropyModelOptions> out{{},
                                       {32, 2, 4, 256, 96, EntropyPosition::learned},
                                       small(EntropyPosition::rotary),
                                       small(EntropyPosition::learned),
                                       {2, 1, 1, 7, 9, EntropyPosition::rotary},
                                       {16, 3, 1, 64, 96, EntropyPosition::rotary},
                                       {40, 1, 4, 131, 50, EntropyPosition::learned}};
  return out;
}

void expect_equations() {
  for (const EntropyModelOptions& o : shapes()) {
    const EntropyModel model = lively_model(o, 11);
    for (const int64_t length : {int64_t{1}, int64_t{7}, std::min<int64_t>(o.context, 96)}) {
      const at::Tensor ids = random_ids(o, 3, length, 5);
      const at::Tensor wanted = test::reference(model, ids).entropy;
      const at::Tensor found = model.entropy(ids);
      EXPECT_EQ(found.scalar_type(), at::kFloat);
      EXPECT_LT((found - wanted).abs().max().item<double>(), 1e-5)
          << nlohmann::json(o).dump() << " length " << length;
      EXPECT_GE(found.min().item<double>(), 0);
      EXPECT_LE(found.max().item<double>(), std::log(static_cast<double>(o.vocabulary)) + 1e-5);
    }
    // They are worth comparing: not all alike, and not all log V.
    const at::Tensor spread = model.entropy(random_ids(o, 3, 9, 5));
    EXPECT_GT(spread.std().item<double>(), 1e-3);
  }
}

TEST(EntropyModel, EntropiesAreThoseOfItsEquationsOnEveryTarget) {
  with_every_target([] { expect_equations(); });
}

TEST(EntropyModel, RotaryPositionsReachAnyLengthThroughTheirContext) {
  const EntropyModelOptions o = small(EntropyPosition::rotary);
  const EntropyModel model = lively_model(o, 3);
  const at::Tensor ids = random_ids(o, 2, 150, 6);
  const at::Tensor found = model.entropy(ids), wanted = test::reference(model, ids).entropy;
  with_every_target(
      [&] { EXPECT_LT((model.entropy(ids) - wanted).abs().max().item<double>(), 1e-5); });
  // Two blocks of a context of 20 look back 38 values and no further.
  at::Tensor changed = ids.clone();
  changed.narrow(1, 0, 60).copy_(random_ids(o, 2, 60, 7));
  const at::Tensor moved = (model.entropy(changed) - found).abs();
  EXPECT_LT(moved.narrow(1, 60 + 38, 150 - 98).max().item<double>(), 2e-6);
  EXPECT_GT(moved.narrow(1, 60, 10).max().item<double>(), 1e-3);
}

TEST(EntropyModel, CrossEntropiesAreThoseOfItsEquations) {
  for (const EntropyModelOptions& o : shapes()) {
    const EntropyModel model = lively_model(o, 12);
    const int64_t length = std::min<int64_t>(o.context, 30);
    const at::Tensor ids = random_ids(o, 3, length, 8);
    at::Tensor targets = random_ids(o, 3, length, 9);
    targets[1].zero_();
    const at::Tensor wanted = test::reference(model, ids, targets).loss;
    const at::Tensor found = model.cross_entropy(ids, targets);
    EXPECT_TRUE(at::allclose(found.to(at::kDouble), wanted, 1e-5, 1e-5, /*equal_nan=*/true));
    EXPECT_TRUE(at::isnan(found[1]).all().item<bool>());
    const double mean = at::nanmean(wanted).item<double>();
    const c10::NoGradGuard no_grad;
    EXPECT_NEAR(model.loss(ids, targets).item<double>(), mean, 1e-5 * mean);
  }
}

/// The model with fp64 parameters of the same numbers.
EntropyModel in_double(const EntropyModel& model) {
  EntropyModel wide = model.clone();
  for (const auto& [name, tensor] : wide.parameters().named()) {
    at::Tensor leaf = tensor;
    leaf.set_data(tensor.detach().to(at::kDouble));
  }
  return wide;
}

TEST(EntropyModel, OperatorsAndKernelAgree) {
  for (const EntropyModelOptions& o : shapes()) {
    const EntropyModel model = lively_model(o, 13);
    const at::Tensor ids = random_ids(o, 2, std::min<int64_t>(o.context, 40), 1);
    const at::Tensor wide = in_double(model).entropy(ids);
    EXPECT_EQ(wide.scalar_type(), at::kDouble);
    EXPECT_LT((wide - test::reference(model, ids).entropy).abs().max().item<double>(), 1e-12);
    EXPECT_LT((model.entropy(ids) - wide).abs().max().item<double>(), 1e-5);
  }
}

TEST(EntropyModel, TheGradientOfTheLossIsThatOfFiniteDifferences) {
  for (const EntropyPosition position : {EntropyPosition::rotary, EntropyPosition::learned}) {
    for (const double blur : {0.0, 1.5}) {
      EntropyModelOptions o{4, 1, 2, 11, 6, position};
      const EntropyModel model = in_double(lively_model(o, 17));
      const at::Tensor ids = random_ids(o, 2, 6, 2);
      at::Tensor targets = random_ids(o, 2, 6, 3).clamp_min(1);
      targets[0][2] = Tokeniser::kPad;
      const EntropyLoss how{0.2, 5, blur};
      model.loss(ids, targets, how).backward();
      const c10::NoGradGuard no_grad;
      for (const auto& [name, tensor] : model.parameters().named()) {
        const at::Tensor gradient = tensor.grad().reshape({-1}), flat = tensor.detach().view({-1});
        for (int64_t i = 0; i < flat.size(0); ++i) {
          const double kept = flat[i].item<double>(), step = 1e-6;
          flat[i] = kept + step;
          const double above = model.loss(ids, targets, how).item<double>();
          flat[i] = kept - step;
          const double below = model.loss(ids, targets, how).item<double>();
          flat[i] = kept;
          const double wanted = (above - below) / (2 * step);
          ASSERT_NEAR(gradient[i].item<double>(), wanted, 1e-7 * (1 + std::abs(wanted)))
              << name << " " << i << " blur " << blur;
        }
      }
    }
  }
}

TEST(EntropyModel, TheFusedGradientIsThatOfTheOperators) {
  for (const EntropyModelOptions& o : shapes()) {
    for (const double dropout : {0.0, 0.3}) {
      for (const double blur : {0.0, 1.5}) {
        const int64_t length = std::min<int64_t>(o.context, 37);
        const EntropyModel model = lively_model(o, 18);
        const at::Tensor ids = random_ids(o, 19, length, 2);
        const at::Tensor targets = random_ids(o, 19, length, 3);  // some are the pad token
        const EntropyLoss how{dropout, 7, blur};
        const EntropyModel wide = in_double(model);
        const at::Tensor loss = wide.loss(ids, targets, how);
        loss.backward();
        for (const auto& [name, tensor] : model.parameters().named()) {
          at::Tensor leaf = tensor;
          leaf.mutable_grad() = at::ones_like(tensor.detach());  // to be added to
        }
        EXPECT_NEAR(model.loss_and_gradients(ids, targets, how), loss.item<double>(),
                    1e-5 * loss.item<double>());
        for (size_t i = 0; i < model.parameters().named().size(); ++i) {
          const auto& [name, tensor] = model.parameters().named()[i];
          const at::Tensor wanted = wide.parameters().named()[i].second.grad();
          const at::Tensor found = tensor.grad().to(at::kDouble) - 1;
          EXPECT_LT((found - wanted).abs().max().item<double>(),
                    1e-5 * wanted.abs().max().item<double>() + 1e-6)
              << name << " of " << nlohmann::json(o).dump() << " dropout " << dropout << " blur "
              << blur;
        }
      }
    }
  }
}

TEST(EntropyModel, TheFusedGradientDoesNotDependOnThreads) {
  const EntropyModelOptions o;
  const EntropyModel model = lively_model(o, 19);
  const at::Tensor ids = random_ids(o, 21, 96, 2), targets = random_ids(o, 21, 96, 3);
  std::vector<at::Tensor> first;
  for (const int threads : {1, 2, 3}) {
    const attn::train::ThreadLimit limit(threads);
    for (const auto& [name, tensor] : model.parameters().named()) {
      at::Tensor leaf = tensor;
      leaf.mutable_grad() = at::zeros_like(tensor.detach());
    }
    model.loss_and_gradients(ids, targets, {0.1, 3, 2});
    for (size_t i = 0; i < model.parameters().named().size(); ++i) {
      const at::Tensor& grad = model.parameters().named()[i].second.grad();
      if (threads == 1) {
        first.push_back(grad.clone());
      } else {
        EXPECT_TRUE(at::equal(grad, first[i])) << model.parameters().named()[i].first;
      }
    }
  }
}

TEST(EntropyModel, BlurSpreadsTargetsOverTheBinsBeside) {
  const EntropyModelOptions o = small(EntropyPosition::rotary);
  const EntropyModel model = lively_model(o, 4);
  const at::Tensor ids = random_ids(o, 1, 5, 2);
  const at::Tensor targets = at::tensor({5, 28, 15, 3, 6}, at::kLong).view({1, 5});
  // -sum_w weight log p(w), weights a Gaussian over the 24 bins; the token 3 is none.
  double wanted = 0;
  for (int64_t t = 0; t < 5; ++t) {
    const auto target = targets[0][t].item<int64_t>();
    double sum = 0, loss = 0;
    for (int64_t v = 1; v < o.vocabulary; ++v) {
      const double away = static_cast<double>(v - target) / 1.5;
      const bool bins = v >= 5 && target >= 5;
      const double weight = bins ? std::exp(-0.5 * away * away) : v == target ? 1 : 0;
      const at::Tensor all = at::full({1, 5}, v, at::kLong);
      loss += weight * model.cross_entropy(ids, all)[0][t].item<double>();
      sum += weight;
    }
    wanted += loss / sum / 5;
  }
  const c10::NoGradGuard no_grad;
  EXPECT_NEAR(model.loss(ids, targets, {0, 0, 1.5}).item<double>(), wanted, 1e-5);
}

TEST(EntropyModel, ALossWithoutAnyTargetIsNothing) {
  const EntropyModelOptions o = small(EntropyPosition::rotary);
  const EntropyModel model = lively_model(o, 4);
  const at::Tensor ids = random_ids(o, 2, 5, 2);
  const at::Tensor loss = model.loss(ids, at::zeros_like(ids));
  EXPECT_EQ(loss.item<float>(), 0);
  loss.backward();
  EXPECT_EQ(model.loss_and_gradients(ids, at::zeros_like(ids)), 0);
}

TEST(EntropyModel, ARowIsTheSameAloneAndInAnyBatchAndForAnyThreads) {
  for (const EntropyPosition position : {EntropyPosition::rotary, EntropyPosition::learned}) {
    EntropyModelOptions o;
    o.position = position;
    const EntropyModel model = lively_model(o, 21);
    const at::Tensor ids = random_ids(o, 67, 96, 4);
    at::Tensor one, two, alone = at::empty({67, 96});
    {
      const attn::train::ThreadLimit threads(1);
      one = model.entropy(ids);
      for (int64_t n = 0; n < 67; ++n) alone[n].copy_(model.entropy(ids.narrow(0, n, 1))[0]);
    }
    {
      const attn::train::ThreadLimit threads(2);
      two = model.entropy(ids);
    }
    EXPECT_TRUE(at::equal(one, two));
    EXPECT_TRUE(at::equal(one, alone));
  }
}

TEST(EntropyModel, ALaterTokenMovesNoEarlierEntropy) {
  const EntropyModelOptions o;
  const EntropyModel model = lively_model(o, 22);
  const at::Tensor ids = random_ids(o, 5, 96, 4);
  const at::Tensor found = model.entropy(ids);
  for (const int64_t from : {1, 5, 16, 33, 64, 95}) {
    at::Tensor changed = ids.clone();
    changed.narrow(1, from, 96 - from).copy_(random_ids(o, 5, 96 - from, 77));
    const at::Tensor moved = model.entropy(changed);
    EXPECT_TRUE(at::equal(moved.narrow(1, 0, from), found.narrow(1, 0, from))) << from;
    EXPECT_FALSE(at::equal(moved, found));
    // Nor does what is not there at all (to rounding: other sizes are worked on in other pieces).
    const at::Tensor cut = model.entropy(ids.narrow(1, 0, from));
    EXPECT_LT((cut - found.narrow(1, 0, from)).abs().max().item<double>(), 2e-6) << from;
  }
}

TEST(EntropyModel, AConstantWindowIsEquallyUncertainThroughout) {
  // Without absolute positions each token sees nothing but its like.
  const EntropyModel model = lively_model({}, 23);
  const at::Tensor h = model.entropy(at::full({1, 96}, 130, at::kLong));
  EXPECT_LT((h.max() - h.min()).item<double>(), 1e-5);
}

TEST(EntropyModel, NoWindowsGiveNoEntropies) {
  const EntropyModel model({}, 1);
  EXPECT_EQ(model.entropy(at::empty({0, 96}, at::kLong)).sizes(), (at::IntArrayRef{0, 96}));
  EXPECT_EQ(model.entropy(at::empty({3, 0}, at::kLong)).sizes(), (at::IntArrayRef{3, 0}));
}

TEST(EntropyModel, StartsAsThePublishedOne) {
  EntropyModelOptions o;
  o.position = EntropyPosition::learned;
  const EntropyModel model(o, 1);
  EXPECT_EQ(model.parameters().count(), 36000);
  EXPECT_NEAR(model.parameters().at("token").std().item<double>(), 0.02, 0.001);
  EXPECT_NEAR(model.parameters().at("block.1.down").std().item<double>(), 0.01, 0.0005);
  const at::Tensor h = model.entropy(random_ids(o, 2, 96, 1));
  EXPECT_GT(h.min().item<double>(), 5.5);  // almost log 256 = 5.545
}

TEST(EntropyModel, RefusesInOneSentence) {
  const auto refused = [](auto change, const char* part) {
    EntropyModelOptions o;
    change(o);
    expect_refusal([&] { EntropyModel(o, 1); }, part);
  };
  refused([](EntropyModelOptions& o) { o.depth = 0; }, "at least 1");
  refused([](EntropyModelOptions& o) { o.heads = 5; }, "no multiple of its 5 heads");
  refused([](EntropyModelOptions& o) { o.heads = 32; }, "must be even");
  refused([](EntropyModelOptions& o) { o.vocabulary = 6; }, "vocabulary must be at least 7");
  refused([](EntropyModelOptions& o) { o.context = 0; }, "context");
  EntropyModelOptions o = small(EntropyPosition::learned);
  const EntropyModel model(o, 1);
  expect_refusal([&] { model.entropy(random_ids(o, 1, 21, 1)); },
                 "learned 20 positions, the windows hold 21");
  expect_refusal([&] { model.entropy(at::full({1, 3}, 29, at::kLong)); }, "the windows hold 29");
  expect_refusal([&] { model.entropy(at::full({1, 3}, -1, at::kLong)); }, "the windows hold -1");
  EXPECT_THROW(model.entropy(at::zeros({3}, at::kLong)), std::logic_error);
}

TEST(EntropyModel, OptionsSurviveJson) {
  for (const EntropyModelOptions& o : shapes()) {
    const auto read = nlohmann::json::parse(nlohmann::json(o).dump()).get<EntropyModelOptions>();
    EXPECT_EQ(nlohmann::json(read), nlohmann::json(o));
  }
  nlohmann::json j = EntropyModelOptions{};
  j["position"] = "sinus";
  expect_refusal([&] { (void)j.get<EntropyModelOptions>(); }, "found 'sinus'");
}

}  // namespace
}  // namespace timeseries
