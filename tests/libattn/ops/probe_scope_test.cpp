// Which calls a probe records, under which names and steps, from which threads; and that it changes
// no result.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "attn/attention.h"
#include "attn/probe.h"
#include "libattn/ops/probe_scope.h"
#include "libattn/ops/probe_store.h"

namespace {

using attn::attention;
using attn::AttentionOptions;
using attn::AttentionResult;
using attn::Probe;
using attn::ProbeContext;
using attn::ProbeLayer;
using attn::ProbeLayerReport;
using attn::ProbePause;
using attn::ProbeReport;
using attn::ProbeThread;
using testing::ElementsAre;
using testing::IsEmpty;

AttentionResult call(int64_t batch = 1, int64_t heads = 2, double spread = 1) {
  const at::Tensor x = at::randn({batch, heads, 5, 4}) * spread;
  return attention(x, x, x);
}

std::vector<std::string> names_of(const ProbeReport& report) {
  std::vector<std::string> names;
  for (const auto& layer : report.layers) names.push_back(layer.name);
  return names;
}

std::vector<int64_t> steps_of(const ProbeLayerReport& layer) {
  std::vector<int64_t> steps;
  for (const auto& step : layer.steps) steps.push_back(step.step);
  return steps;
}

TEST(ProbeScope, RecordsNothingWhenOff) {
  EXPECT_FALSE(attn::ops::probing());
  call();
  {
    Probe probe;
    EXPECT_TRUE(attn::ops::probing());
    EXPECT_THAT(probe.report().layers, IsEmpty());
  }
  EXPECT_FALSE(attn::ops::probing());
  Probe probe;
  {
    const ProbePause pause;
    EXPECT_FALSE(attn::ops::probing());
    call();
  }
  std::thread([] { call(); }).join();
  EXPECT_EQ(probe.report().calls, 0);
  call();
  EXPECT_EQ(probe.report().calls, 1);
}

TEST(ProbeScope, UnnamedCallsAreNumberedWithinAStep) {
  Probe probe;
  call();
  call();
  probe.step(3);
  call();
  call();
  call();
  const ProbeReport report = probe.report();
  EXPECT_THAT(names_of(report), ElementsAre("layer 0", "layer 1", "layer 2"));
  EXPECT_THAT(steps_of(report.layers[0]), ElementsAre(0, 3));
  EXPECT_THAT(steps_of(report.layers[2]), ElementsAre(3));
  EXPECT_EQ(report.calls, 5);
}

TEST(ProbeScope, UnnamedCallsWithoutStepsAreBounded) {
  Probe probe;
  const at::Tensor x = at::randn({1, 1, 1, 1});
  for (int64_t i = 0; i < Probe::kUnnamed + 5; ++i) attention(x, x, x);
  const ProbeReport report = probe.report();
  EXPECT_EQ(report.layers.size(), static_cast<size_t>(Probe::kUnnamed));
  EXPECT_EQ(report.calls_left_out, 5);
}

TEST(ProbeScope, NamesNestAndCallsOfOneNameAreWeighedByRows) {
  at::manual_seed(1);
  Probe probe;
  AttentionResult small, large;
  {
    const ProbeLayer encoder("encoder");
    {
      const ProbeLayer layer("0.attn");
      small = call(1);
      large = call(3, 2, 5);
    }
    call();
  }
  call();
  const ProbeReport report = probe.report();
  EXPECT_THAT(names_of(report), ElementsAre("encoder.0.attn", "encoder", "layer 0"));
  const auto& step = report.layers[0].steps.at(0);
  EXPECT_EQ(step.calls, 2);
  EXPECT_EQ(step.heads[1].rows, 20);
  const auto sum = [](const AttentionResult& r) {
    return r.entropy.select(1, 1).to(at::kDouble).sum().item<double>();
  };
  EXPECT_NEAR(step.heads[1].entropy, (sum(small) + sum(large)) / 20, 1e-6);
}

TEST(ProbeScope, CallsOfOneNameMayDifferInHeads) {
  Probe probe;
  const ProbeLayer name("x");
  call(1, 2);
  call(1, 4);
  const auto step = probe.report().layers.at(0).steps.at(0);
  ASSERT_EQ(step.heads.size(), 4U);
  EXPECT_EQ(step.heads[0].rows, 10);
  EXPECT_EQ(step.heads[3].rows, 5);
}

TEST(ProbeScope, ProbesNestAndEndInAnyOrder) {
  std::optional<Probe> outer, inner;
  outer.emplace();
  call();
  inner.emplace();
  call();
  EXPECT_EQ(outer->report().calls, 2);
  EXPECT_EQ(inner->report().calls, 1);
  outer.reset();
  call();
  EXPECT_EQ(inner->report().calls, 2);
  inner.reset();
  EXPECT_FALSE(attn::ops::probing());
}

TEST(ProbeScope, StepsOfAllProbesAreSetByTheLoop) {
  Probe outer;
  outer.step(7);
  Probe inner;
  attn::probe_step(9);
  call();
  EXPECT_THAT(steps_of(outer.report().layers.at(0)), ElementsAre(9));
  EXPECT_THAT(steps_of(inner.report().layers.at(0)), ElementsAre(9));
  outer.step(4);  // back, and of one alone
  call();
  EXPECT_THAT(steps_of(outer.report().layers.at(0)), ElementsAre(4, 9));
  EXPECT_THAT(names_of(inner.report()), ElementsAre("layer 0", "layer 1"));
}

TEST(ProbeScope, ThreadsRecordIntoOneProbe) {
  for (int round = 0; round < 20; ++round) {
    Probe probe;
    probe.step(2);
    const auto work = [&] {
      const ProbeThread here(probe);
      const ProbeLayer name("shared");
      for (int i = 0; i < 50; ++i) call();
    };
    std::thread a(work), b(work);
    while (probe.report().calls < 10) std::this_thread::yield();  // reads while they write
    a.join();
    b.join();
    const ProbeReport report = probe.report();
    EXPECT_EQ(report.calls, 100);
    ASSERT_THAT(names_of(report), ElementsAre("shared"));
    EXPECT_THAT(steps_of(report.layers[0]), ElementsAre(2));
    EXPECT_EQ(report.layers[0].steps[0].heads[0].rows, 500);
  }
}

TEST(ProbeScope, AThreadTakesOverProbesStepsAndNames) {
  auto outer = std::make_unique<Probe>();
  Probe inner;
  outer->step(5);
  const ProbeLayer name("fold");
  const ProbeContext context;
  std::thread other([&] {
    const ProbeThread here(context);
    const ProbeThread again(context);  // without effect
    const ProbeLayer layer("attn");
    call();
    attn::probe_step(6);  // of this thread alone
    call();
  });
  other.join();
  call();
  EXPECT_THAT(names_of(outer->report()), ElementsAre("fold.attn", "fold"));
  EXPECT_THAT(steps_of(outer->report().layers[0]), ElementsAre(5, 6));
  EXPECT_THAT(steps_of(outer->report().layers[1]), ElementsAre(5));
  EXPECT_EQ(inner.report().calls, 3);
  outer.reset();  // before the context that names it
  call();
  EXPECT_EQ(inner.report().calls, 4);
}

TEST(ProbeScope, BackwardPassesAreNotRecorded) {
  struct Recompute : torch::autograd::Function<Recompute> {
    static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x) {
      return attention(x, x, x).out;
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                   const torch::autograd::variable_list& g) {
      return {attention(g[0], g[0], g[0]).out};
    }
  };
  Probe probe;
  const at::Tensor x = at::randn({1, 2, 5, 4}).requires_grad_(true);
  const at::Tensor y = attention(x, x, x).out + Recompute::apply(x);
  EXPECT_EQ(probe.report().calls, 2);
  torch::autograd::grad({y.sum()}, {x});
  EXPECT_EQ(probe.report().calls, 2);
}

TEST(ProbeScope, ChangesNoResult) {
  at::manual_seed(3);
  const at::Tensor q = at::randn({2, 4, 37, 8}), k = at::randn({2, 2, 70, 8}),
                   v = at::randn({2, 2, 70, 5});
  const auto run = [&](bool row_max) {
    AttentionOptions o;
    o.causal = attn::Causal::bottom_right;
    o.row_max = row_max;
    const at::Tensor x = q.clone().requires_grad_(true);
    const AttentionResult r = attention(x, k, v, o);
    const at::Tensor loss = r.out.sum() + r.entropy.sum() + r.lse.sum();
    return std::pair(r, torch::autograd::grad({loss}, {x})[0]);
  };
  for (const bool row_max : {false, true}) {
    const auto [off, off_gradient] = run(row_max);
    Probe probe;
    const auto [on, on_gradient] = run(row_max);
    EXPECT_TRUE(at::equal(off.out, on.out));
    EXPECT_TRUE(at::equal(off.lse, on.lse));
    EXPECT_TRUE(at::equal(off.lse_tail, on.lse_tail));
    EXPECT_TRUE(at::equal(off.entropy, on.entropy));
    EXPECT_TRUE(at::equal(off_gradient, on_gradient));
    EXPECT_EQ(off.row_max.defined(), row_max);
    EXPECT_EQ(on.row_max.defined(), row_max);
    if (row_max) {
      EXPECT_TRUE(at::equal(off.row_max, on.row_max));
    }
    EXPECT_EQ(probe.report().calls, 1);
  }
  const AttentionResult off = attention(q, k, v);  // without a graph
  Probe probe;
  const AttentionResult on = attention(q, k, v);
  EXPECT_TRUE(at::equal(off.out, on.out));
  EXPECT_FALSE(on.row_max.defined());
}

TEST(ProbeStore, ThinsStepsEvenlyAndKeepsTheNewest) {
  attn::ops::ProbeStore store;
  const std::vector<attn::ops::ProbeSums> one(1);
  const auto last = [&] { return store.report().layers.at(0).steps.back().step; };
  for (int64_t step = 1; step <= 5000; ++step) {
    store.add("x", step, one);
    ASSERT_EQ(last(), step);
  }
  const auto steps = steps_of(store.report().layers.at(0));
  EXPECT_LE(steps.size(), static_cast<size_t>(Probe::kSteps));
  EXPECT_GT(steps.size(), static_cast<size_t>(Probe::kSteps / 2 - 2));
  EXPECT_EQ(steps.front(), 1);
  EXPECT_EQ(steps.back(), 5000);
  for (size_t i = 1; i + 1 < steps.size(); ++i) EXPECT_EQ(steps[i] - steps[i - 1], 16);
  EXPECT_EQ(store.report().calls, 5000);
  store.add("x", 17, one);  // one that was kept goes on
  store.add("x", 18, one);  // one that was dropped stays so
  const auto& layer = store.report().layers.at(0);
  EXPECT_EQ(layer.steps.at(1).step, 17);
  EXPECT_EQ(layer.steps.at(1).calls, 2);
  EXPECT_EQ(layer.steps.at(2).step, 33);
}

TEST(ProbeStore, ThinsStepsFarApartAndAtTheEndsOfTheRange) {
  attn::ops::ProbeStore store;
  const std::vector<attn::ops::ProbeSums> one(1);
  for (int64_t i = 0; i < 2000; ++i) store.add("x", i * 1000, one);
  store.add("x", std::numeric_limits<int64_t>::max(), one);
  store.add("x", std::numeric_limits<int64_t>::min(), one);
  const auto steps = steps_of(store.report().layers.at(0));
  EXPECT_LE(steps.size(), static_cast<size_t>(Probe::kSteps));
  EXPECT_EQ(steps.back(), std::numeric_limits<int64_t>::max());
}

}  // namespace
