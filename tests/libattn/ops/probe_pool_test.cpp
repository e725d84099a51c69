// The probe's figures of attention pooling, by the operator, the module and the pass without a
// graph.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "attn/pooling.h"
#include "attn/probe.h"
#include "libattn/nn/gated_attention_pool.h"
#include "libattn/nn/pool_pass.h"

namespace {

using attn::attention_pool;
using attn::Probe;
using attn::ProbeHead;

/// Of bags of (n,K) scores, head k, in fp64; empty bags are dead.
ProbeHead expected(const std::vector<at::Tensor>& bags, int64_t k) {
  ProbeHead e;
  double entropy = 0, normalised = 0, top = 0, keys = 0, low = INFINITY, high = -INFINITY;
  int64_t several = 0;
  for (const at::Tensor& bag : bags) {
    const int64_t n = bag.size(0);
    if (n == 0) {
      ++e.dead_rows;
      continue;
    }
    const at::Tensor s = bag.select(1, k).to(at::kDouble);
    double total = 0, h = 0, largest = 0;
    for (int64_t i = 0; i < n; ++i) total += std::exp(s[i].item<double>());
    for (int64_t i = 0; i < n; ++i) {
      const double p = std::exp(s[i].item<double>()) / total;
      h -= p * std::log(p);
      largest = std::max(largest, p);
    }
    ++e.rows;
    entropy += h, top += largest, keys += static_cast<double>(n);
    low = std::min(low, h), high = std::max(high, h);
    if (n < 2) continue;
    ++several;
    normalised += h / std::log(static_cast<double>(n));
  }
  const auto rows = static_cast<double>(e.rows);
  e.entropy = entropy / rows, e.max_mass = top / rows, e.keys = keys / rows;
  e.entropy_min = low, e.entropy_max = high;
  if (several > 0) e.normalised_entropy = normalised / static_cast<double>(several);
  return e;
}

void expect_equal(const ProbeHead& ours, const ProbeHead& exact, double tolerance) {
  EXPECT_EQ(ours.rows, exact.rows);
  EXPECT_EQ(ours.dead_rows, exact.dead_rows);
  EXPECT_EQ(ours.nonfinite_rows, 0);
  EXPECT_NEAR(ours.keys, exact.keys, tolerance);
  EXPECT_NEAR(ours.entropy, exact.entropy, tolerance);
  EXPECT_NEAR(ours.entropy_min, exact.entropy_min, tolerance);
  EXPECT_NEAR(ours.entropy_max, exact.entropy_max, tolerance);
  EXPECT_NEAR(ours.normalised_entropy, exact.normalised_entropy, tolerance);
  EXPECT_NEAR(ours.max_mass, exact.max_mass, tolerance);
  EXPECT_TRUE(std::isnan(ours.first_key_mass) && std::isnan(ours.learned_sink_mass));
}

TEST(ProbePool, FiguresAreThoseOfTheWeights) {
  const std::vector<int64_t> sizes = {5, 0, 1, 300, 2};
  at::Tensor offsets = at::zeros({6}, at::kLong);
  for (int64_t b = 0; b < 5; ++b) offsets[b + 1] = offsets[b] + sizes[static_cast<size_t>(b)];
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const at::Tensor scores = at::randn({308, 3}, at::kDouble).mul(2).to(type),
                     values = at::randn({308, 4}, at::kDouble).to(type);
    Probe probe;
    const auto on = attention_pool(scores, values, offsets);
    std::vector<at::Tensor> bags;
    for (int64_t b = 0; b < 5; ++b)
      bags.push_back(scores.narrow(0, offsets[b].item<int64_t>(), sizes[static_cast<size_t>(b)]));
    const auto heads = probe.report().layers.at(0).steps.at(0).heads;
    ASSERT_EQ(heads.size(), 3U);
    for (int64_t k = 0; k < 3; ++k)
      expect_equal(heads[static_cast<size_t>(k)], expected(bags, k),
                   type == at::kDouble ? 1e-10 : 1e-5);
    const attn::ProbePause pause;
    const auto off = attention_pool(scores, values, offsets);
    EXPECT_TRUE(at::equal(on.out, off.out));
    EXPECT_TRUE(at::equal(on.entropy, off.entropy));
  }
}

TEST(ProbePool, TheModuleAndThePassWithoutAGraphAreRecorded) {
  at::manual_seed(2);
  attn::nn::AttentionPool pool({.input = 4, .attention = 8, .heads = 2});
  const at::Tensor h = at::randn({9, 4}), offsets = at::tensor({0, 4, 9}, at::kLong);
  Probe probe;
  const at::Tensor scores = pool.forward(h, offsets).scores;
  const at::Tensor one = scores.select(1, 0).unsqueeze(1).detach().contiguous();
  attn::nn::pool_forward(one, h);
  const auto report = probe.report();
  ASSERT_EQ(report.layers.size(), 2U);
  for (int64_t k = 0; k < 2; ++k)
    expect_equal(report.layers[0].steps[0].heads[static_cast<size_t>(k)],
                 expected({scores.narrow(0, 0, 4), scores.narrow(0, 4, 5)}, k), 1e-5);
  expect_equal(report.layers[1].steps[0].heads.at(0), expected({one}, 0), 1e-5);
}

TEST(ProbePool, ScoresThatAreNotFiniteAreCounted) {
  at::Tensor scores = at::zeros({6, 1});
  scores[1][0] = NAN;
  scores.narrow(0, 2, 2).fill_(-INFINITY);
  Probe probe;
  attention_pool(scores, at::ones({6, 1}), at::tensor({0, 2, 4, 6}, at::kLong));
  const ProbeHead head = probe.report().layers.at(0).steps.at(0).heads.at(0);
  EXPECT_EQ(head.nonfinite_rows, 1);
  EXPECT_EQ(head.dead_rows, 1);
  EXPECT_EQ(head.rows, 1);
  EXPECT_NEAR(head.normalised_entropy, 1, 1e-6);
}

}  // namespace
