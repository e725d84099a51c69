#include "libattn/train/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "libattn/train/checkpoint.h"
#include "libattn/train/seed.h"
#include "tests/support/temp_folder.h"

namespace attn::train {
namespace {

/// Least squares on fixed data with noise drawn from the step's seed: w (D), loss (x_i + noise).w -
/// y_i squared.
class LeastSquares {
 public:
  LeastSquares() {
    x_ = at::randn({20, 4}, make_generator(1), at::kFloat);
    y_ = at::mv(x_, at::arange(4, at::kFloat));
    w = at::zeros({4});
    task.parameters = {{"w", w}};
    task.items = 20;
    task.step_columns = {"square"};
    task.fingerprint = "least squares";
    task.item_name = [](int64_t i) { return "row " + std::to_string(i); };
    task.step = [this](const Step& step) {
      double loss = 0;
      for (const int64_t i : step.items) {
        const at::Tensor noise = 0.01 * at::randn({4}, make_generator(step.seed));
        const at::Tensor x = x_[i] + noise;
        const at::Tensor error = at::dot(x, w) - y_[i];
        w.mutable_grad() += 2 * error * x;
        loss += error.item<double>() * error.item<double>();
      }
      if (steps++ == poison_at) return std::numeric_limits<double>::quiet_NaN();
      if (steps == stop_at) stop = true;
      step.columns[0] = loss;
      return loss;
    };
  }
  void with_validation() {
    task.validation_columns = {"distance"};
    task.validate = [this] {
      const double d = (w - at::arange(4, at::kFloat)).norm().item<double>();
      return Validation{-d, {d}};
    };
  }

  at::Tensor w;
  TrainTask task;
  int64_t steps = 0, poison_at = -1, stop_at = -1;
  std::atomic<bool> stop = false;

 private:
  at::Tensor x_, y_;
};

TrainOptions options(int64_t epochs) {
  TrainOptions o;
  o.epochs = epochs;
  o.lr = 0.05;
  o.batch = 3;
  o.seed = 7;
  return o;
}

TEST(Trainer, FindsTheMinimumWithBothOptimisers) {
  for (const Optimiser optimiser : {Optimiser::adamw, Optimiser::sgd}) {
    LeastSquares problem;
    TrainOptions o = options(150);
    o.optimiser = optimiser;
    o.lr = optimiser == Optimiser::sgd ? 0.005 : 0.1;
    const TrainResult result = train(problem.task, o, {}, {});
    EXPECT_LT(result.history.back().loss, 0.01 * result.history.front().loss);
    EXPECT_LT((problem.w - at::arange(4, at::kFloat)).abs().max().item<float>(), 0.05F);
  }
}

TEST(Trainer, AdamWStepIsThatOfItsEquation) {
  // theta <- theta (1 - lr wd) - lr m^/(sqrt(v^) + eps), m^ = g, v^ = g^2 after the first step.
  at::Tensor w = at::tensor({1.0, -2.0}, at::kDouble);
  TrainTask task;
  task.parameters = {{"w", w}};
  task.items = 1;
  task.step = [&](const Step&) {
    w.mutable_grad().copy_(at::tensor({0.5, -4.0}, at::kDouble));
    return 0.0;
  };
  TrainOptions o = options(1);
  o.lr = 0.1;
  o.weight_decay = 0.01;
  train(task, o, {}, {});
  EXPECT_NEAR(w[0].item<double>(), 1.0 * (1 - 0.001) - 0.1 * 0.5 / (0.5 + 1e-8), 1e-12);
  EXPECT_NEAR(w[1].item<double>(), -2.0 * (1 - 0.001) + 0.1 * 4.0 / (4.0 + 1e-8), 1e-12);
}

TEST(Trainer, ClipsTheWholeGradient) {
  at::Tensor w = at::zeros({2}, at::kDouble);
  TrainTask task;
  task.parameters = {{"w", w}};
  task.items = 1;
  task.step = [&](const Step&) {
    w.mutable_grad().copy_(at::tensor({3.0, 4.0}, at::kDouble));
    return 0.0;
  };
  TrainOptions o = options(1);
  o.optimiser = Optimiser::sgd;
  o.lr = 1;
  o.momentum = 0;
  o.weight_decay = 0;
  o.clip_norm = 1;
  train(task, o, {}, {});
  EXPECT_NEAR(w[0].item<double>(), -0.6, 1e-12);
  EXPECT_NEAR(w[1].item<double>(), -0.8, 1e-12);
}

TEST(Trainer, CosineScheduleFallsFromPeakToZero) {
  TrainOptions o;
  o.lr = 2;
  EXPECT_DOUBLE_EQ(learning_rate(o, 0, 100), 2);
  EXPECT_NEAR(learning_rate(o, 50, 100), 1, 1e-15);
  EXPECT_NEAR(learning_rate(o, 100, 100), 0, 1e-15);
  o.schedule = LrSchedule::constant;
  EXPECT_DOUBLE_EQ(learning_rate(o, 99, 100), 2);
}

/// Runs 6 epochs undisturbed, and stopped after `stop_at` steps and resumed; both must agree to the
/// last bit and byte.
void expect_resumes(bool validation, Optimiser optimiser, int64_t stop_at,
                    double checkpoint_seconds) {
  const test::TempFolder folder;
  TrainOptions o = options(6);
  o.optimiser = optimiser;
  if (optimiser == Optimiser::sgd) o.lr = 0.005;
  const auto files = [&](const char* name) {
    TrainFiles f;
    f.metrics_csv = folder.path() / (std::string(name) + ".csv");
    f.checkpoint = folder.path() / (std::string(name) + ".safetensors");
    f.checkpoint_seconds = checkpoint_seconds;
    return f;
  };
  LeastSquares straight, stopped, resumed;
  for (LeastSquares* p : {&straight, &stopped, &resumed})
    if (validation) p->with_validation();
  const TrainResult whole = train(straight.task, o, files("a"), {});
  stopped.stop_at = stop_at;
  Hooks hooks;
  hooks.stop = &stopped.stop;
  EXPECT_THROW(train(stopped.task, o, files("b"), hooks), Interrupted);
  const TrainResult rest = train(resumed.task, o, files("b"), {});
  EXPECT_EQ(rest.resumed_at, stop_at);
  EXPECT_EQ(straight.steps, stopped.steps + resumed.steps);
  EXPECT_TRUE(at::equal(straight.w, resumed.w));
  EXPECT_TRUE(at::equal(whole.best[0], rest.best[0]));
  EXPECT_EQ(whole.best_epoch, rest.best_epoch);
  EXPECT_EQ(test::slurp(folder.path() / "a.csv"), test::slurp(folder.path() / "b.csv"));
}

TEST(Trainer, ResumesBitForBitAfterAnEpoch) {
  expect_resumes(false, Optimiser::adamw, 21, 0);  // 7 steps an epoch: stopped after 3
  expect_resumes(true, Optimiser::sgd, 21, 0);
}

TEST(Trainer, ResumesBitForBitWithinAnEpoch) {
  expect_resumes(true, Optimiser::adamw, 24, 1000);
  expect_resumes(false, Optimiser::sgd, 1, 1000);
}

TEST(Trainer, AKilledRunGoesOnFromItsLastCheckpoint) {
  // As after kill -9: the checkpoint of epoch 3 is all that is left.
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  files.checkpoint_seconds = 0;
  LeastSquares straight, killed, resumed;
  train(straight.task, options(6), {}, {});
  killed.poison_at = 24;  // dies in the fourth epoch
  EXPECT_THROW(train(killed.task, options(6), files, {}), Error);
  const TrainResult rest = train(resumed.task, options(6), files, {});
  EXPECT_EQ(rest.resumed_at, 21);
  EXPECT_TRUE(at::equal(straight.w, resumed.w));
}

TEST(Trainer, AFinishedRunIsNotTrainedAgain) {
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  LeastSquares first, second;
  train(first.task, options(3), files, {});
  train(second.task, options(3), files, {});
  EXPECT_EQ(second.steps, 0);
  EXPECT_TRUE(at::equal(first.w, second.w));
}

TEST(Trainer, StopsEarlyAndKeepsTheBest) {
  LeastSquares problem;
  const std::vector<double> scores{1, 2, 5, 4, 3, 4, 4, 9};
  std::vector<at::Tensor> seen;
  problem.task.validation_columns = {"s"};
  problem.task.validate = [&] {
    seen.push_back(problem.w.clone());
    const double s = scores.at(seen.size() - 1);
    return Validation{s, {s}};
  };
  TrainOptions o = options(8);
  o.patience = 2;
  TrainResult r = train(problem.task, o, {}, {});
  EXPECT_EQ(r.history.size(), 5U);  // epochs 3 and 4 (from 0) were not better than 2
  EXPECT_TRUE(r.stopped_early);
  EXPECT_EQ(r.best_epoch, 2);
  EXPECT_TRUE(at::equal(r.best[0], seen[2]));
  o.min_epochs = 8;
  seen.clear();
  problem.w.zero_();
  r = train(problem.task, o, {}, {});
  EXPECT_EQ(r.history.size(), 8U);
  EXPECT_EQ(r.best_epoch, 7);
  EXPECT_FALSE(r.stopped_early);
}

TEST(Trainer, NaNLossIsOneSentenceWithEpochAndItem) {
  LeastSquares problem;
  problem.poison_at = 8;
  TrainOptions o = options(3);
  o.batch = 1;
  o.shuffle = false;
  try {
    train(problem.task, o, {}, {});
    FAIL() << "a NaN loss was accepted";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("NaN"), testing::HasSubstr("epoch 1"),
                                         testing::HasSubstr("row 8")));
  }
}

TEST(Trainer, AFirstScoreThatIsNaNIsNotKept) {
  LeastSquares problem;
  const std::vector<double> scores{std::numeric_limits<double>::quiet_NaN(), 0.1, 0.9, 0.5};
  size_t epoch = 0;
  problem.task.validate = [&] { return Validation{scores.at(epoch++), {}}; };
  const TrainResult r = train(problem.task, options(4), {}, {});
  EXPECT_EQ(r.best_epoch, 2);
  EXPECT_EQ(r.best_score, 0.9);
}

TEST(Trainer, ANaNGradientIsRefusedBeforeTheStep) {
  LeastSquares problem;
  const auto honest = problem.task.step;
  problem.task.step = [&](const Step& step) {
    const double loss = honest(step);
    if (step.iteration == 4) problem.w.mutable_grad()[1] = NAN;
    return loss;
  };
  try {
    train(problem.task, options(3), {}, {});
    FAIL() << "a NaN gradient was accepted";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("gradient became NaN"));
  }
  EXPECT_TRUE(at::isfinite(problem.w).all().item<bool>());
}

TEST(Trainer, AReplacedGradientIsAnErrorOfTheProgram) {
  LeastSquares problem;
  problem.task.step = [&](const Step&) {
    problem.w.mutable_grad() = at::ones_like(problem.w);
    return 1.0;
  };
  EXPECT_THROW(train(problem.task, options(1), {}, {}), std::logic_error);
}

TEST(Trainer, RefusesACheckpointThatContradictsItself) {
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  LeastSquares problem;
  problem.with_validation();
  train(problem.task, options(2), files, {});
  const Checkpoint whole = *load_checkpoint(files.checkpoint);
  const auto refused = [&](const auto& change) {
    Checkpoint c = whole;
    change(c);
    save_checkpoint(files.checkpoint, c);
    EXPECT_THROW(train(problem.task, options(2), files, {}), Error);
  };
  refused([](Checkpoint& c) { c.iteration = 3; });
  refused([](Checkpoint& c) { c.iteration = -5; });
  refused([](Checkpoint& c) { c.iteration = 1000; });
  refused([](Checkpoint& c) { c.best.clear(); });
  refused([](Checkpoint& c) { c.best_epoch = 7; });
  refused([](Checkpoint& c) { c.running.clear(); });
  // One byte of a number changed, as a bad disk may.
  save_checkpoint(files.checkpoint, whole);
  std::string bytes = test::slurp(files.checkpoint);
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 4);
  test::put(files.checkpoint, bytes);
  EXPECT_THROW(load_checkpoint(files.checkpoint), Error);
}

TEST(Trainer, RefusesACheckpointOfAnotherRun) {
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  LeastSquares first, second;
  train(first.task, options(2), files, {});
  second.task.fingerprint = "something else";
  EXPECT_THROW(train(second.task, options(2), files, {}), Error);
  test::put(files.checkpoint, "cut");
  EXPECT_THROW(train(first.task, options(2), files, {}), Error);
}

TEST(Trainer, RefusesSenselessOptions) {
  LeastSquares problem;
  TrainOptions o = options(0);
  EXPECT_THROW(train(problem.task, o, {}, {}), UsageError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [&](double TrainOptions::*option, double value) {
    TrainOptions changed = options(1);
    changed.*option = value;
    EXPECT_THROW(train(problem.task, changed, {}, {}), UsageError) << value;
  };
  refused(&TrainOptions::lr, nan);
  refused(&TrainOptions::clip_norm, nan);
  refused(&TrainOptions::clip_norm, -1);
  refused(&TrainOptions::beta1, 1);
  refused(&TrainOptions::beta2, 1.5);
  refused(&TrainOptions::eps, 0);
  refused(&TrainOptions::momentum, nan);
}

}  // namespace
}  // namespace attn::train
