// Tensors that steps change without optimising them: through checkpoints and with the best.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/io/safetensors.h"
#include "libattn/train/checkpoint.h"
#include "libattn/train/trainer.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace attn::train {
namespace {

/// w pulled to 1, with its running mean beside it and a count of steps.
class RunningMean {
 public:
  RunningMean() {
    task.parameters = {{"w", w}};
    task.buffers = {{"mean", mean}, {"steps", steps}};
    task.items = 5;
    task.fingerprint = "running mean";
    task.step = [this](const Step& step) {
      w.mutable_grad() += 2 * (w - 1);
      mean.mul_(0.5).add_(0.5 * w);
      steps.add_(1);
      if (step.iteration + 1 == stop_at) stop = true;
      return (w - 1).pow(2).sum().item<double>();
    };
    task.validate = [this] {  // the second epoch is the best
      means.push_back(mean.clone());
      return Validation{means.size() == 2 ? 1.0 : 0.0, {}};
    };
  }

  at::Tensor w = at::zeros({3}), mean = at::zeros({3}), steps = at::zeros({1}, at::kLong);
  TrainTask task;
  int64_t stop_at = -1;
  std::atomic<bool> stop = false;
  std::vector<at::Tensor> means;
};

TrainOptions options() {
  TrainOptions o;
  o.epochs = 4;
  o.lr = 0.1;
  return o;
}

TEST(Buffers, AreKeptWithTheBestParametersAndNotOptimised) {
  RunningMean problem;
  const TrainResult r = train(problem.task, options(), {}, {});
  ASSERT_EQ(r.best.size(), 1U);
  ASSERT_EQ(r.best_buffers.size(), 2U);
  EXPECT_EQ(r.best_epoch, 1);
  EXPECT_TRUE(at::equal(r.best_buffers[0], problem.means[1]));
  EXPECT_EQ(r.best_buffers[1].item<int64_t>(), 10);
  EXPECT_EQ(problem.steps.item<int64_t>(), 20);
  EXPECT_FALSE(problem.mean.grad().defined());
}

TEST(Buffers, WithoutValidationTheLastAreTheBest) {
  RunningMean problem;
  problem.task.validate = nullptr;
  const TrainResult r = train(problem.task, options(), {}, {});
  EXPECT_TRUE(at::equal(r.best_buffers[0], problem.mean));
  EXPECT_EQ(r.best_buffers[1].item<int64_t>(), 20);
}

TEST(Buffers, ComeBackBitForBitAfterAStop) {
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  RunningMean straight, stopped, resumed;
  const TrainResult whole = train(straight.task, options(), {}, {});
  stopped.stop_at = 13;  // within the third epoch, after the best
  Hooks hooks;
  hooks.stop = &stopped.stop;
  EXPECT_THROW(train(stopped.task, options(), files, hooks), Interrupted);
  resumed.means = {{}, {}};  // two epochs are done
  const TrainResult rest = train(resumed.task, options(), files, {});
  EXPECT_EQ(rest.resumed_at, 13);
  EXPECT_TRUE(at::equal(straight.mean, resumed.mean));
  EXPECT_TRUE(at::equal(straight.steps, resumed.steps));
  EXPECT_TRUE(at::equal(straight.w, resumed.w));
  ASSERT_EQ(rest.best_buffers.size(), 2U);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(at::equal(whole.best_buffers[i], rest.best_buffers[i])) << i;
}

TEST(Buffers, ACheckpointWithoutThemLoadsWhereNoneAreAsked) {
  const test::TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder.path() / "c.safetensors";
  RunningMean old;
  old.task.buffers.clear();
  train(old.task, options(), files, {});
  const io::Safetensors file = io::Safetensors::open(files.checkpoint);
  for (const auto& entry : file.entries())
    EXPECT_EQ(entry.name.find("buffer"), std::string::npos) << entry.name;
  EXPECT_TRUE(load_checkpoint(files.checkpoint)->buffers.empty());
  RunningMean plain, wanting;
  plain.task.buffers.clear();
  EXPECT_EQ(train(plain.task, options(), files, {}).resumed_at, 20);
  test::expect_refusal([&] { train(wanting.task, options(), files, {}); }, "has no fitting mean");
}

}  // namespace
}  // namespace attn::train
