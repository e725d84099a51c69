// DLinear, PatchTST and seasonal naive against plain fp64 and what is published.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/timeseries/forecast/networks.h"
#include "tests/timeseries/forecast/plain.h"
#include "timeseries/forecast/dlinear.h"
#include "timeseries/forecast/patchtst.h"
#include "timeseries/forecast/seasonal_naive.h"

namespace timeseries {
namespace {

using plain::Matrix;
using plain::Vector;
using plain::vector_of;
using plain::Weights;
using test::kNone;
using test::random_batch;
using test::randomise;
using test::rows_of;

Vector plus(Vector a, const Vector& b) {
  return plain::operator+(std::move(a), b);
}

void expect_near(const at::Tensor& found, const Vector& wanted, double tolerance) {
  ASSERT_EQ(found.numel(), static_cast<int64_t>(wanted.size()));
  for (int64_t t = 0; t < found.numel(); ++t)
    ASSERT_NEAR(found[t].item<double>(), wanted[static_cast<size_t>(t)], tolerance) << t;
}

void expect_gradients(const Forecaster& network, const WindowBatch& batch, const Pass& pass) {
  const at::Tensor weight = at::randn({batch.values.size(0), network.horizon()},
                                      attn::train::make_generator(8), at::kDouble);
  test::expect_gradients(
      network, [&] { return (network.forward(batch, pass) * weight).sum(); },
      [](const std::string&) { return true; }, 1e-5);
}

TEST(DLinear, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(DLinear({}, 1).parameters().count(), 18624);
  DLinearOptions o;
  o.lookback = 336;
  EXPECT_EQ(DLinear(o, 1).parameters().count(), 64704);
}

TEST(DLinear, IsWhatItsEquationsSay) {
  DLinearOptions o;
  o.lookback = 30;
  o.horizon = 7;
  const DLinear network(o, 1);
  randomise(network, 2);
  const WindowBatch batch = random_batch(4, 30, 7, 3);
  const at::Tensor found = network.forward(batch, {});
  const Weights w(network.parameters());
  for (int64_t n = 0; n < 4; ++n) {
    const Vector x = vector_of(batch.values[n]);
    Vector trend, rest;
    for (int64_t t = 0; t < 30; ++t) {
      double sum = 0;
      for (int64_t k = -12; k <= 12; ++k)
        sum += x[static_cast<size_t>(std::clamp<int64_t>(t + k, 0, 29))];
      trend.push_back(sum / 25);
      rest.push_back(x[static_cast<size_t>(t)] - sum / 25);
    }
    const Vector a = plus(plain::product(w.matrix("trend.weight"), trend), w.vector("trend.bias"));
    const Vector b =
        plus(plain::product(w.matrix("remainder.weight"), rest), w.vector("remainder.bias"));
    expect_near(found[n], plus(a, b), 1e-9);
  }
  expect_gradients(network, batch, {});
}

TEST(DLinear, RefusesAnEvenKernel) {
  DLinearOptions o;
  o.kernel = 24;
  EXPECT_THROW(DLinear(o, 1), attn::UsageError);
}

PatchTstOptions small_patchtst() {
  PatchTstOptions o;
  o.lookback = 21;
  o.horizon = 5;
  o.patch = 6;
  o.stride = 4;
  o.width = 6;
  o.heads = 3;
  o.layers = 2;
  o.hidden = 7;
  o.dropout = 0;
  return o;
}

TEST(PatchTst, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(PatchTst({}, 1).parameters().count(), 35168);
  EXPECT_EQ(PatchTstOptions().patches(), 12);
}

/// Gauss error function form.
double gelu(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

/// PatchTST for one window in plain fp64, batch normalisation by running statistics.
class PlainPatchTst {
 public:
  PlainPatchTst(const PatchTstOptions& o, const PatchTst& network)
      : o_(o), w_(network.parameters()), buffers_(network.buffers()) {}

  Vector forecast(const Vector& x) {
    double mean = 0, squares = 0;
    for (const double v : x) mean += v / static_cast<double>(x.size());
    for (const double v : x) squares += (v - mean) * (v - mean) / static_cast<double>(x.size());
    const double sd = std::sqrt(squares + 1e-5);
    Vector z;
    for (const double v : x) z.push_back((v - mean) / sd);
    z.insert(z.end(), static_cast<size_t>(o_.stride), z.back());
    Matrix h;
    for (int64_t p = 0; p < o_.patches(); ++p)
      h.push_back(plus(affine("patch", plain::part(z, static_cast<size_t>(p * o_.stride),
                                                   static_cast<size_t>(o_.patch))),
                       w_.matrix("position")[static_cast<size_t>(p)]));
    scores_.clear();
    for (int64_t i = 0; i < o_.layers; ++i) layer(h, "layers." + std::to_string(i) + ".");
    Vector flat;
    for (size_t d = 0; d < h[0].size(); ++d)
      for (const Vector& patch : h) flat.push_back(patch[d]);
    Vector y = affine("head", flat);
    for (double& v : y) v = v * sd + mean;
    return y;
  }

 private:
  Vector affine(const std::string& name, const Vector& x) const {
    return plus(plain::product(w_.matrix(name + ".weight"), x), w_.vector(name + ".bias"));
  }

  Vector normalised(Vector x, const std::string& name) const {
    const Vector weight = w_.vector(name + ".weight"), bias = w_.vector(name + ".bias");
    const Vector mean = buffer(name + ".mean"), variance = buffer(name + ".variance");
    for (size_t d = 0; d < x.size(); ++d)
      x[d] = (x[d] - mean[d]) / std::sqrt(variance[d] + 1e-5) * weight[d] + bias[d];
    return x;
  }

  Vector buffer(const std::string& wanted) const {
    for (const auto& [name, tensor] : buffers_)
      if (name == wanted) return vector_of(tensor);
    ADD_FAILURE() << "no buffer " << wanted;
    return {};
  }

  void layer(Matrix& h, const std::string& name) {
    const auto d = static_cast<size_t>(o_.width), head = d / static_cast<size_t>(o_.heads);
    Matrix q, k, v;
    for (const Vector& x : h) {
      const Vector all = affine(name + "qkv", x);
      q.push_back(plain::part(all, 0, d));
      k.push_back(plain::part(all, d, d));
      v.push_back(plain::part(all, 2 * d, d));
    }
    std::vector<double> own;  // scores (query, head, key), those of the layer before added
    Matrix out;
    for (size_t i = 0; i < h.size(); ++i) {
      const auto before = [&](size_t a, size_t j) {
        const size_t at = (i * d / head + a) * h.size() + j;
        return scores_.empty() || !o_.residual_scores ? 0.0 : scores_[at];
      };
      for (size_t a = 0; a < d / head; ++a) {
        for (size_t j = 0; j < h.size(); ++j) {
          double s = 0;
          for (size_t c = a * head; c < (a + 1) * head; ++c) s += q[i][c] * k[j][c];
          own.push_back(s / std::sqrt(static_cast<double>(head)) + before(a, j));
        }
      }
      const Vector y = affine(name + "out", plain::attend(q[i], k, v, head, before));
      out.push_back(normalised(plus(h[i], y), name + "norm1"));
    }
    scores_ = own;
    for (size_t i = 0; i < h.size(); ++i) {
      Vector wide = affine(name + "up", out[i]);
      for (double& x : wide) x = gelu(x);
      h[i] = normalised(plus(out[i], affine(name + "down", wide)), name + "norm2");
    }
  }

  PatchTstOptions o_;
  Weights w_;
  attn::train::NamedTensors buffers_;
  std::vector<double> scores_;
};

TEST(PatchTst, IsWhatItsEquationsSay) {
  for (const bool residual : {true, false}) {
    PatchTstOptions o = small_patchtst();
    o.residual_scores = residual;
    const PatchTst network(o, 1);
    randomise(network, 2);
    const WindowBatch batch = random_batch(4, o.lookback, o.horizon, 3);
    const at::Tensor found = network.forward(batch, {});
    PlainPatchTst wanted(o, network);
    for (int64_t n = 0; n < 4; ++n)
      expect_near(found[n], wanted.forecast(vector_of(batch.values[n])), 1e-9);
    expect_gradients(network, batch, {});
  }
}

TEST(PatchTst, TrainingNormalisesByTheBatchAndRemembersIt) {
  const PatchTstOptions o = small_patchtst();
  const PatchTst network(o, 1);
  randomise(network, 2);
  const WindowBatch batch = random_batch(4, o.lookback, o.horizon, 3);
  Pass pass;
  pass.training = true;
  const at::Tensor before = network.buffers()[0].second.clone();
  network.forward(batch, pass);
  const at::Tensor after = network.buffers()[0].second.clone();
  EXPECT_FALSE(at::equal(before, after));
  network.forward(batch, pass);  // the same batch: the same statistics, a tenth nearer
  const at::Tensor third = network.buffers()[0].second;
  EXPECT_LT(((third - after) - 0.9 * (after - before)).abs().max().item<double>(), 1e-12);
  EXPECT_FALSE(network.buffers()[0].second.requires_grad());
}

TEST(PatchTst, AForecastIsTheSameAloneAndInAnyBatch) {
  const PatchTst network({}, 1);
  const WindowBatch batch = random_batch(33, 96, 96, 3);
  const at::Tensor all = network.forward(batch, {});
  const at::Tensor alone = network.forward(rows_of(batch, {20}), {});
  EXPECT_LT((alone[0] - all[20]).abs().max().item<double>(), 1e-6);
}

TEST(SeasonalNaive, RepeatsTheLastSeason) {
  SeasonalNaiveOptions o;
  o.lookback = 7;
  o.horizon = 5;
  o.season = 3;
  WindowBatch batch = random_batch(2, 7, 5, 1);
  batch.values = at::tensor({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F, kNone,  //
                             kNone, kNone, kNone, kNone, 9.0F, kNone, kNone})
                     .view({2, 7});
  const at::Tensor y = SeasonalNaive(o).forward(batch, {});
  // Row 0: one season before the horizon's steps stand 5, 6, missing; the last known of that phase
  // is 4.
  EXPECT_TRUE(at::equal(y[0], at::tensor({5.0F, 6.0F, 4.0F, 5.0F, 6.0F})));
  EXPECT_TRUE(at::equal(y[1], at::full({5}, 9.0F)));
  o.season = 1;
  EXPECT_TRUE(at::equal(SeasonalNaive(o).forward(batch, {})[0], at::full({5}, 6.0F)));
  o.season = 8;
  EXPECT_THROW(SeasonalNaive{o}, attn::UsageError);
}

}  // namespace
}  // namespace timeseries
