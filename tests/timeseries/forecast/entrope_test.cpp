#include "timeseries/forecast/entrope.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/train/threads.h"
#include "tests/timeseries/forecast/entrope_plain.h"
#include "tests/timeseries/forecast/networks.h"

namespace timeseries {
namespace {

using test::expect_gradients;
using test::kNone;
using test::patching;
using test::random_batch;
using test::randomise;
using test::rows_of;

/// Small networks that together use every option.
std::vector<EntropeOptions> variants() {
  EntropeOptions plain;
  plain.lookback = 13;
  plain.horizon = 5;
  plain.width = 8;
  plain.token_hidden = 11;
  plain.patch_hidden = 6;
  plain.scope = TokenScope::window;
  plain.decoder_blocks = true;
  plain.head_width = 0;

  EntropeOptions full = plain;
  full.vocabulary = 8;
  full.past = 2;
  full.encoder_layers = full.decoder_layers = 2;
  full.frame.season = 5;
  full.frame.known = 2;
  full.frame.channels = 3;

  full.season = 4;

  EntropeOptions local = plain;
  local.naive_blend = false;
  local.scope = TokenScope::patch;
  local.decoder_blocks = false;
  local.head_width = 2;
  local.patch_time = false;
  local.heads = 4;

  EntropeOptions reference = reference_entrope(13, 5, 3, 8);
  reference.token_hidden = reference.patch_hidden = 16;
  EntropeOptions later = reference;
  later.residual = Residual::doubled_normed;
  return {plain, full, local, reference, later};
}

WindowBatch batch_for(const EntropeOptions& o, int64_t rows, uint64_t seed = 5) {
  return random_batch(rows, o.lookback, o.horizon, seed, o.frame.known, o.past);
}

/// Row n of a batch as the plain implementation takes it.
plain::OneWindow window_of(const WindowBatch& batch, int64_t n, const EntropeOptions& o) {
  const WindowBatch row = rows_of(batch, {n});
  const Patching how = patching();
  plain::OneWindow out;
  out.x = plain::vector_of(row.values);
  at::Tensor shown = row.values;
  if (o.normalised_tokens) {
    double sum = 0, squares = 0, known = 0;
    for (const double x : out.x)
      if (!std::isnan(x)) sum += x, squares += x * x, ++known;
    const double mean = sum / known;
    shown = (row.values - mean) / std::sqrt(squares / known - mean * mean + 1e-5);
  }
  for (const double id : plain::vector_of(how.tokens(shown)))
    out.token.push_back(static_cast<int64_t>(id));
  for (const double p : plain::vector_of(how.cut(shown).begin))
    out.begin.push_back(static_cast<int64_t>(p));
  if (batch.known.defined()) out.known = plain::matrix_of(row.known[0]);
  if (batch.past.defined()) out.past = plain::matrix_of(row.past[0]);
  out.phase = row.phase.item<int64_t>();
  out.channel = row.channel.item<int64_t>();
  return out;
}

TEST(Entrope, IsWhatItsEquationsSay) {
  for (const EntropeOptions& o : variants()) {
    const Entrope network(o, 3, patching());
    randomise(network, 11);
    WindowBatch batch = batch_for(o, 9);
    batch.values[1][0] = batch.values[1][7] = batch.values[4][12] = kNone;
    const at::Tensor found = network.forward(batch, {});
    plain::PlainEntrope wanted(network);
    for (int64_t n = 0; n < 9; ++n) {
      const plain::Vector y = wanted.forecast(window_of(batch, n, o));
      for (int64_t t = 0; t < o.horizon; ++t)
        ASSERT_NEAR(found[n][t].item<double>(), y[static_cast<size_t>(t)], 1e-9)
            << nlohmann::json(o).dump() << " row " << n << " step " << t;
    }
  }
}

TEST(Entrope, Fp32IsWithinItsRounding) {
  for (const EntropeOptions& o : variants()) {
    const Entrope network(o, 3, patching());
    randomise(network, 11, at::kFloat, 0.1);
    const WindowBatch batch = batch_for(o, 9);
    const at::Tensor found = network.forward(batch, {});
    ASSERT_EQ(found.scalar_type(), at::kFloat);
    plain::PlainEntrope wanted(network);
    for (int64_t n = 0; n < 9; ++n) {
      const plain::Vector y = wanted.forecast(window_of(batch, n, o));
      for (int64_t t = 0; t < o.horizon; ++t)
        ASSERT_NEAR(found[n][t].item<double>(), y[static_cast<size_t>(t)], 1e-5);
    }
  }
}

TEST(Entrope, Gradients) {
  for (const EntropeOptions& o : variants()) {
    const Entrope network(o, 3, patching());
    randomise(network, 11);
    WindowBatch batch = batch_for(o, 3);
    batch.values[1][4] = kNone;
    const at::Tensor weight =
        at::randn({3, o.horizon}, attn::train::make_generator(8), at::kDouble);
    const auto of = [&](const at::Tensor& y) { return (y * weight).sum(); };
    if (!o.linear_path) {
      expect_gradients(
          network, [&] { return of(network.forward(batch, {})); },
          [](const std::string&) { return true; });
      continue;
    }
    // The map and its frame learn from the base alone, the network from the rest alone.
    const auto of_base = [](const std::string& name) {
      return name.starts_with("frame.") || name.starts_with("linear.");
    };
    WindowBatch whole = batch;  // what stands for a missing value has no gradient
    whole.values = batch.values.clone();
    whole.values[1][4] = 0.7F;
    expect_gradients(
        network, [&] { return of(network.parts(whole, {}).base); }, of_base);
    expect_gradients(
        network, [&] { return of(network.parts(batch, {}).rest); },
        [&](const std::string& name) { return !of_base(name); });
  }
}

TEST(Entrope, BlendsWithSeasonsThatTheLookBackHolds) {
  EntropeOptions o = variants()[0];
  const auto seasons = [&](int64_t season, int64_t lookback) {
    o.season = season, o.lookback = lookback;
    return Entrope(o, 3, patching()).blend().seasons;
  };
  EXPECT_EQ(seasons(12, 13), (std::vector<int64_t>{12, 1}));
  for (const auto& [season, lookback] :
       {std::pair<int64_t, int64_t>{13, 13}, {14, 13}, {1, 13}, {1, 1}})
    EXPECT_EQ(seasons(season, lookback), std::vector<int64_t>{1});
}

TEST(Entrope, AForecastIsItsBaseAndTheShareOfTheRest) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11);
  const WindowBatch batch = batch_for(o, 6);
  const ForecastParts parts = network.parts(batch, {});
  network.share().copy_(at::tensor({0.0, 0.25, 1.0, 0.5, 0.0}));
  ASSERT_EQ(network.blend().seasons, (std::vector<int64_t>{4, 1}));
  network.blend().weight.fill_(1);
  EXPECT_TRUE(at::allclose(network.forward(batch, {}), parts.base + network.share() * parts.rest,
                           1e-12, 1e-12));
  const Entrope single(reference_entrope(13, 5, 3, 8), 3, patching());
  EXPECT_TRUE(single.blend().seasons.empty());
  EXPECT_FALSE(single.share().defined());
  EXPECT_TRUE(single.buffers().empty());
  EXPECT_THROW(single.parts(batch, {}), std::logic_error);
}

/// The greatest difference of rows 0, 17 and 39 of 40 from the same rows alone and among others.
double greatest_away(const Entrope& network, const WindowBatch& batch, const at::Tensor& all) {
  double away = 0;
  const auto meet = [&](const at::Tensor& a, const at::Tensor& b) {
    away = std::max(away, (a - b).abs().max().item<double>());
  };
  for (const int64_t n : {int64_t{0}, int64_t{17}, int64_t{39}})
    meet(network.forward(rows_of(batch, {n}), {})[0], all[n]);
  meet(network.forward(rows_of(batch, {30, 2, 17, 5}), {})[2], all[17]);
  return away;
}

TEST(Entrope, AForecastIsTheSameAloneAndInAnyBatch) {
  for (const EntropeOptions& o : variants()) {
    const Entrope network(o, 3, patching());
    randomise(network, 11, at::kFloat, 0.1);
    const WindowBatch batch = batch_for(o, 40);
    {
      const c10::NoGradGuard as_forecast;
      EXPECT_LT(greatest_away(network, batch, network.forward(batch, {})), 1e-6);
    }
    // In training LibTorch's products round by where a row lies: a few units of the last digit of
    // forecasts up to 4.
    const at::Tensor all = network.forward(batch, {});
    EXPECT_LT(greatest_away(network, batch, all), 1e-6 * all.abs().max().item<double>());
  }
}

TEST(Entrope, WithoutGradientTheKernelForecastsTheSame) {
  std::vector<EntropeOptions> all = variants();
  EntropeOptions wide = all[0];
  wide.width = 12, wide.heads = 3, wide.token_hidden = 150;  // more than a tile of hidden units
  all.push_back(wide);
  EntropeOptions long_back = all[1];
  long_back.lookback = 96;
  all.push_back(long_back);
  for (size_t i = 0; i < all.size(); ++i) {
    const Entrope network(all[i], 3, patching());
    randomise(network, 11, at::kFloat, 0.3);
    const WindowBatch batch = batch_for(all[i], 23);
    const at::Tensor by_operators = network.forward(batch, {});
    const c10::NoGradGuard no_grad;
    const at::Tensor by_kernel = network.forward(batch, {});
    const double scale = by_operators.abs().max().item<double>();
    EXPECT_LT((by_kernel - by_operators).abs().max().item<double>(), 3e-6 * scale) << i;
    EXPECT_FALSE(at::equal(by_kernel, by_operators)) << i << ": the same path was taken";
    const at::Tensor some = network.forward(rows_of(batch, {21, 4}), {});
    EXPECT_LT((some - by_kernel.index_select(0, at::tensor({21, 4}))).abs().max().item<double>(),
              1e-6 * scale)
        << i;
  }
}

TEST(Entrope, AForecastIsTheSameForAnyNumberOfThreads) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  const WindowBatch batch = batch_for(o, 200);
  const auto with = [&](int threads) {
    const attn::train::ThreadLimit limit(threads);
    return network.forward(batch, {});
  };
  const at::Tensor one = with(1);
  for (const int threads : {2, 3, 8})
    EXPECT_LT((with(threads) - one).abs().max().item<double>(), 1e-6) << threads;
}

TEST(Entrope, TrainingIsTheSameBitForBitOnAnyNumberOfThreads) {
  for (const EntropeOptions& o : variants()) {
    const WindowBatch batch = batch_for(o, 700);
    const auto gradients = [&](int threads) {
      const attn::train::ThreadLimit limit(threads);
      const Entrope network(o, 3, patching());
      randomise(network, 11, at::kFloat, 0.1);
      Pass pass;
      pass.training = true;
      pass.seed = 5;
      const at::Tensor y = network.forward(batch, pass);
      (y * batch.target).sum(1).sum().backward();
      attn::train::NamedTensors out{{"the forecast", y.detach()}};
      for (const auto& [name, tensor] : network.parameters().named())
        if (tensor.grad().defined()) out.emplace_back(name, tensor.grad());
      return out;
    };
    const attn::train::NamedTensors one = gradients(1);
    for (const int threads : {2, 3}) {
      const attn::train::NamedTensors more = gradients(threads);
      for (size_t i = 0; i < one.size(); ++i)
        EXPECT_TRUE(at::equal(one[i].second, more[i].second))
            << one[i].first << " of " << threads << " threads, " << nlohmann::json(o).dump();
    }
  }
}

TEST(Entrope, NothingBehindTheOriginMovesAForecast) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  WindowBatch batch = batch_for(o, 8);
  const at::Tensor before = network.forward(batch, {});
  batch.target += 1000;
  EXPECT_TRUE(at::equal(network.forward(batch, {}), before));
  batch.target = at::Tensor();
  EXPECT_TRUE(at::equal(network.forward(batch, {}), before));
  batch.values[3][5] += 1;  // but the look-back does
  EXPECT_FALSE(at::equal(network.forward(batch, {})[3], before[3]));
}

TEST(Entrope, AMissingValueDoesNotMatter) {
  // Whatever stood there: missing is missing; and the mask tells it from a value at the mean.
  EntropeOptions o = variants()[0];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  WindowBatch batch = batch_for(o, 2);
  batch.values[0][3] = kNone;
  const at::Tensor missing = network.forward(batch, {});
  EXPECT_TRUE(at::isfinite(missing).all().item<bool>());
  batch.values[0][3] = static_cast<float>(at::nanmean(batch.values[0]).item<double>());
  const at::Tensor mean = network.forward(batch, {});
  EXPECT_GT((missing[0] - mean[0]).abs().max().item<double>(), 1e-4);
}

TEST(Entrope, WhatStandsForAMissingValueStartsAtNothing) {
  const Entrope network(variants()[0], 3, patching());
  const at::Tensor value = network.parameters().at("token.value");
  EXPECT_TRUE(at::equal(value[1], at::zeros_like(value[1])));
  EXPECT_GT(value[0].abs().min().item<double>(), 0);
}

TEST(Entrope, PatchesMayBeGivenInAdvance) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  const WindowBatch batch = batch_for(o, 20);
  const PatchCuts cuts = network.cut(batch.values);
  Pass pass;
  pass.cuts = &cuts;
  EXPECT_TRUE(at::equal(network.forward(batch, pass), network.forward(batch, {})));
  EXPECT_THROW(network.forward(rows_of(batch, {0, 1}), pass), std::logic_error);
}

TEST(Entrope, APatchWithoutPositionsIsNoHindrance) {
  // The published rule ends some rows by a patch that begins behind the last value.
  const EntropeOptions o = variants()[3];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  const WindowBatch batch = batch_for(o, 2);
  PatchCuts cuts{at::tensor({0, 2, 3}, at::kLong), at::tensor({0, 13, 0}, at::kLong), 13};
  Pass pass;
  pass.cuts = &cuts;
  EXPECT_TRUE(at::isfinite(network.forward(batch, pass)).all().item<bool>());
}

TEST(Entrope, DropoutIsASeedsAlone) {
  EntropeOptions o = variants()[0];
  o.dropout = o.head_dropout = 0.3;
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  const WindowBatch batch = batch_for(o, 20);
  const auto with = [&](uint64_t seed) {
    Pass pass;
    pass.training = true;
    pass.seed = seed;
    return network.forward(batch, pass);
  };
  EXPECT_TRUE(at::equal(with(1), with(1)));
  EXPECT_FALSE(at::equal(with(1), with(2)));
  EXPECT_FALSE(at::equal(with(1), network.forward(batch, {})));
}

TEST(Entrope, TheReferenceHasThePublishedNumberOfParameters) {
  // 108,518 at 96 -> 96 on 7 channels, less the decoder's query and key (8 x 8 each) and the
  // query's norm (8): a token attends to one patch, whose weight is 1 whatever they are.
  const EntropeOptions o = reference_entrope(96, 96, 7);
  EXPECT_EQ(Entrope(o, 1, patching()).parameters().count(), 108518 - 2 * 64 - 8);
  EntropeOptions later = o;
  later.residual = Residual::doubled_normed;
  EXPECT_EQ(Entrope(later, 1, patching()).parameters().count(), 108518 - 2 * 64);
}

TEST(Entrope, OptionsComeBackFromJson) {
  for (const EntropeOptions& o : variants()) {
    const nlohmann::json j = o;
    EXPECT_EQ(nlohmann::json(j.get<EntropeOptions>()), j);
  }
  const nlohmann::json good = EntropeOptions();
  const auto refused = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json j = good;
    j[key] = value;
    EXPECT_THROW(j.get<EntropeOptions>(), attn::Error) << key;
  };
  refused("residual", "triple");
  refused("scope", "all");
  refused("width", 2.5);
  refused("values", 1);
}

TEST(Entrope, RefusesSenselessOptions) {
  const auto refused = [](const auto& change) {
    EntropeOptions o;
    change(o);
    EXPECT_THROW(check(o), attn::UsageError);
  };
  refused([](EntropeOptions& o) { o.horizon = 0; });
  refused([](EntropeOptions& o) { o.heads = 3; });
  refused([](EntropeOptions& o) { o.width = 2, o.heads = 2; });
  refused([](EntropeOptions& o) { o.values = false; });
  refused([](EntropeOptions& o) { o.dropout = 1; });
  refused([](EntropeOptions& o) { o.head_dropout = NAN; });
  refused([](EntropeOptions& o) { o.frame.season = -1; });
}

TEST(Entrope, RefusesWindowsThatDoNotFit) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  EXPECT_THROW(network.forward(random_batch(2, 12, 5, 1, 2, 2), {}), attn::Error);
  EXPECT_THROW(network.forward(random_batch(2, 13, 5, 1, 2, 0), {}), attn::Error);
  EXPECT_THROW(network.forward(random_batch(2, 13, 5, 1, 0, 2), {}), attn::Error);
}

TEST(Entrope, ACloneHasNumbersOfItsOwn) {
  const EntropeOptions o = variants()[1];
  const Entrope network(o, 3, patching());
  randomise(network, 11, at::kFloat, 0.1);
  const auto copy = network.clone();
  const WindowBatch batch = batch_for(o, 4);
  const at::Tensor before = network.forward(batch, {});
  EXPECT_TRUE(at::equal(copy->forward(batch, {}), before));
  {
    const c10::NoGradGuard no_grad;
    copy->parameters().at("head.bias").add_(1);
  }
  EXPECT_TRUE(at::equal(network.forward(batch, {}), before));
  EXPECT_FALSE(at::equal(copy->forward(batch, {}), before));
}

}  // namespace
}  // namespace timeseries
