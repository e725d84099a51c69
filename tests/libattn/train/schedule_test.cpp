// learning_rate against values worked out by hand from the equations in trainer.h.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "libattn/train/trainer.h"

namespace attn::train {
namespace {

TrainOptions schedule(LrSchedule which, double lr) {
  TrainOptions o;
  o.schedule = which;
  o.lr = lr;
  return o;
}

TEST(Schedule, OneCycleRisesAndFallsByHalfACosine) {
  // LibTorch's OneCycleLR(max_lr=1, total_steps=10, pct_start=0.3): from 1/25 up to 1 at step
  // 0.3 * 10 - 1 = 2, then down to 1/250000 at step 9, seven steps later.
  const TrainOptions o = schedule(LrSchedule::one_cycle, 1);
  EXPECT_NEAR(learning_rate(o, 0, 10), 0.04, 1e-15);
  EXPECT_NEAR(learning_rate(o, 1, 10), 0.52, 1e-15);
  EXPECT_NEAR(learning_rate(o, 2, 10), 1, 1e-15);
  for (int64_t i = 3; i < 10; ++i) {
    const double t = static_cast<double>(i - 2) / 7;
    const double wanted = 4e-6 + (1 - 4e-6) * std::pow(std::cos(std::numbers::pi * t / 2), 2);
    EXPECT_NEAR(learning_rate(o, i, 10), wanted, 1e-14) << i;
  }
  EXPECT_NEAR(learning_rate(o, 9, 10), 4e-6, 1e-18);
}

TEST(Schedule, OneCycleTakesItsShareAndDivisors) {
  // The top lies between steps: 0.25 * 10 - 1 = 1.5, so step 1 is at 2/3 of the rise.
  TrainOptions o = schedule(LrSchedule::one_cycle, 2);
  o.warm_up = 0.25;
  o.div = 10;
  o.final_div = 100;
  EXPECT_NEAR(learning_rate(o, 0, 10), 0.2, 1e-15);
  EXPECT_NEAR(learning_rate(o, 1, 10), 0.2 + 1.8 * 0.75, 1e-14);  // (1 - cos(2 pi / 3)) / 2 = .75
  const double t = 0.5 / 7.5;
  EXPECT_NEAR(learning_rate(o, 2, 10), 0.002 + 1.998 * (1 + std::cos(std::numbers::pi * t)) / 2,
              1e-14);
  EXPECT_NEAR(learning_rate(o, 9, 10), 0.002, 1e-16);
}

TEST(Schedule, OneCycleOfFewStepsOrNoRiseStaysInRange) {
  for (const double share : {0.0, 0.1, 0.3, 0.5, 1.0})
    for (int64_t steps = 1; steps < 6; ++steps) {
      TrainOptions o = schedule(LrSchedule::one_cycle, 1);
      o.warm_up = share;
      for (int64_t i = 0; i < steps; ++i) {
        const double lr = learning_rate(o, i, steps);
        EXPECT_GE(lr, 4e-6 - 1e-12) << share << " " << i << "/" << steps;
        EXPECT_LE(lr, 1 + 1e-12) << share << " " << i << "/" << steps;
      }
      EXPECT_NEAR(learning_rate(o, steps - 1, steps), share == 1.0 ? 1 : 4e-6, 1e-12)
          << share << " " << steps;
    }
}

TEST(Schedule, CosineMayRiseInAStraightLineFirst) {
  TrainOptions o = schedule(LrSchedule::cosine, 4);
  o.warm_up = 0.4;  // 4 of 10 steps
  const std::vector<double> rise{1, 2, 3, 4};
  for (size_t i = 0; i < rise.size(); ++i)
    EXPECT_NEAR(learning_rate(o, static_cast<int64_t>(i), 10), rise[i], 1e-15);
  EXPECT_NEAR(learning_rate(o, 4, 10), 4, 1e-15);
  EXPECT_NEAR(learning_rate(o, 6, 10), 3, 1e-14);  // a third of the way: 2 (1 + cos(pi / 3))
  EXPECT_NEAR(learning_rate(o, 7, 10), 2, 1e-14);
  EXPECT_NEAR(learning_rate(o, 10, 10), 0, 1e-15);
  const TrainOptions plain = schedule(LrSchedule::cosine, 4);
  o.warm_up = 0;
  for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(learning_rate(o, i, 10), learning_rate(plain, i, 10));
}

TEST(Schedule, HalveHalvesEachEpoch) {
  TrainOptions o = schedule(LrSchedule::halve, 0.005);
  o.epochs = 4;
  const std::vector<double> wanted{0.005,   0.005,   0.005,   0.0025,   0.0025,   0.0025,
                                   0.00125, 0.00125, 0.00125, 0.000625, 0.000625, 0.000625};
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_DOUBLE_EQ(learning_rate(o, i, 12), wanted[static_cast<size_t>(i)]) << i;
}

}  // namespace
}  // namespace attn::train
