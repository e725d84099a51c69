#include "timeseries/forecast/frame.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/timeseries/forecast/networks.h"
#include "tests/timeseries/forecast/plain.h"

namespace timeseries {
namespace {

using attn::train::Parameters;
using plain::vector_of;
using test::kNone;
using test::random_batch;

FrameOptions full_frame() {
  FrameOptions o;
  o.affine = true;
  o.channels = 3;
  o.season = 5;
  o.known = 2;
  return o;
}

/// Parameters in fp64, away from where they start.
Parameters moved(const FrameOptions& o) {
  Parameters parameters(frame_parameters(o), 1);
  for (const auto& [name, tensor] : parameters.named()) {
    const c10::NoGradGuard no_grad;
    tensor.set_data(tensor.detach().to(at::kDouble) +
                    0.3 * at::randn(tensor.sizes(), attn::train::make_generator(9), at::kDouble));
  }
  return parameters;
}

TEST(Frame, NormalisesByTheKnownValues) {
  WindowBatch batch = random_batch(2, 6, 4, 1);
  batch.values[0][2] = kNone;
  const Framed framed = enter_frame(batch, {}, Parameters(), 4, at::kDouble);
  for (int64_t n = 0; n < 2; ++n) {
    double sum = 0, squares = 0, known = 0;
    for (const double x : vector_of(batch.values[n]))
      if (!std::isnan(x)) sum += x, squares += x * x, ++known;
    const double mean = sum / known, sd = std::sqrt(squares / known - mean * mean + 1e-5);
    EXPECT_NEAR(framed.mean[n].item<double>(), mean, 1e-12);
    EXPECT_NEAR(framed.sd[n].item<double>(), sd, 1e-12);
    for (int64_t t = 0; t < 6; ++t) {
      const double x = batch.values[n][t].item<double>();
      EXPECT_NEAR(framed.input[n][t].item<double>(), std::isnan(x) ? 0 : (x - mean) / sd, 1e-12);
      EXPECT_EQ(framed.missing[n][t].item<double>(), std::isnan(x) ? 1 : 0);
    }
  }
}

TEST(Frame, WithoutMissingValuesThereIsNoMask) {
  const Framed framed = enter_frame(random_batch(2, 6, 4, 1), {}, Parameters(), 4, at::kFloat);
  EXPECT_FALSE(framed.missing.defined());
  EXPECT_TRUE(at::equal(framed.carried, framed.input));
}

TEST(Frame, CarriesTheLastKnownValueOn) {
  WindowBatch batch = random_batch(2, 6, 4, 1);
  for (const int64_t t : {0, 1, 3, 4}) batch.values[1][t] = kNone;
  const Framed framed = enter_frame(batch, {}, Parameters(), 4, at::kFloat);
  EXPECT_TRUE(at::equal(framed.carried[0], framed.input[0]));
  const at::Tensor u = framed.input[1];
  EXPECT_TRUE(at::equal(framed.carried[1],
                        at::stack({at::zeros({}), at::zeros({}), u[2], u[2], u[2], u[5]})));
}

TEST(Frame, ALargeLevelLosesNothing) {
  WindowBatch batch = random_batch(1, 6, 4, 1);
  batch.values = at::tensor({1e6F, 1e6F + 1, 1e6F + 2, 1e6F + 1, 1e6F, 1e6F + 2}).view({1, 6});
  const Framed framed = enter_frame(batch, {}, Parameters(), 4, at::kFloat);
  EXPECT_NEAR(framed.input[0][2].item<double>(), std::sqrt(1.5), 1e-4);
}

TEST(Frame, AConstantWindowStaysFinite) {
  WindowBatch batch = random_batch(2, 6, 4, 1);
  batch.values = at::full({2, 6}, 3.0F);
  batch.values[1].fill_(kNone);
  const Framed framed = enter_frame(batch, {}, Parameters(), 4, at::kFloat);
  EXPECT_TRUE(at::equal(framed.input, at::zeros({2, 6})));
  const at::Tensor y = leave_frame(at::zeros({2, 4}), framed);
  EXPECT_TRUE(at::equal(y[0], at::full({4}, 3.0F)));
  EXPECT_TRUE(at::equal(y[1], at::zeros({4})));
}

TEST(Frame, LeavingUndoesEntering) {
  // The horizon repeats the look-back, as do season and covariates: what entered must leave.
  FrameOptions o = full_frame();
  const Parameters parameters = moved(o);
  WindowBatch batch = random_batch(7, 10, 10, 3, 2);
  batch.known = at::cat({batch.known.narrow(1, 0, 10), batch.known.narrow(1, 0, 10)}, 1);
  const Framed framed = enter_frame(batch, o, parameters, 10, at::kDouble);
  const at::Tensor back = leave_frame(framed.input, framed);
  EXPECT_LT((back - batch.values).abs().max().item<double>(), 1e-9);
  // And the effect was not nothing.
  EXPECT_GT(framed.effect.abs().max().item<double>(), 0.1);
}

TEST(Frame, SeasonAndCovariatesAreThoseOfTheirChannelAndInstant) {
  const FrameOptions o = full_frame();
  const Parameters parameters = moved(o);
  const WindowBatch batch = random_batch(6, 7, 4, 3, 2);
  const Framed framed = enter_frame(batch, o, parameters, 4, at::kDouble);
  for (int64_t n = 0; n < 6; ++n) {
    const int64_t c = batch.channel[n].item<int64_t>(), phase = batch.phase[n].item<int64_t>();
    for (int64_t t = -7; t < 4; ++t) {
      double effect = parameters.at("frame.season")[c][(phase + t + 35) % 5].item<double>();
      for (int64_t f = 0; f < 2; ++f)
        effect += parameters.at("frame.known")[c][f].item<double>() *
                  batch.known[n][t + 7][f].item<double>();
      if (t >= 0) {
        EXPECT_NEAR(framed.effect[n][t].item<double>(), effect, 1e-12);
      } else {
        const double z = (batch.values[n][t + 7].item<double>() - framed.mean[n].item<double>()) /
                             framed.sd[n].item<double>() *
                             parameters.at("frame.weight")[c].item<double>() +
                         parameters.at("frame.bias")[c].item<double>();
        EXPECT_NEAR(framed.input[n][t + 7].item<double>(), z - effect, 1e-12);
      }
    }
  }
}

TEST(Frame, WithoutNormalisationAMissingValueIsTheMean) {
  FrameOptions o;
  o.normalise = false;
  WindowBatch batch = random_batch(1, 4, 2, 1);
  batch.values = at::tensor({1.0F, kNone, 5.0F, 3.0F}).view({1, 4});
  const Framed framed = enter_frame(batch, o, Parameters(), 2, at::kFloat);
  EXPECT_TRUE(at::equal(framed.input, at::tensor({1.0F, 3.0F, 5.0F, 3.0F}).view({1, 4})));
}

TEST(Frame, RefusesWindowsWithOtherCovariates) {
  const FrameOptions o = full_frame();
  EXPECT_THROW(enter_frame(random_batch(2, 6, 4, 1), o, moved(o), 4, at::kDouble), attn::Error);
  EXPECT_THROW(enter_frame(random_batch(2, 6, 4, 1, 3), o, moved(o), 4, at::kDouble), attn::Error);
}

TEST(Frame, OptionsComeBackFromJson) {
  const FrameOptions o = full_frame();
  EXPECT_EQ(nlohmann::json(o).get<FrameOptions>(), o);
  EXPECT_THROW((nlohmann::json{{"season", "day"}}.get<FrameOptions>()), attn::Error);
  FrameOptions wrong;
  wrong.channels = 0;
  EXPECT_THROW(check(wrong), attn::UsageError);
}

}  // namespace
}  // namespace timeseries
