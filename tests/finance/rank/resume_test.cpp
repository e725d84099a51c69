// Stopped at any step and called again: the same parameters bit for bit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "attn/error.h"
#include "finance/rank/rank_train.h"
#include "tests/finance/rank/sets.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using attn::test::TempFolder;
using attn::train::TrainFiles;

RankFitOptions options(double average) {
  RankFitOptions o;
  o.average = average;
  o.optimisation.epochs = 3, o.optimisation.batch = 4;
  o.optimisation.lr = 3e-3, o.optimisation.seed = 5;
  o.select = {SelectBy::Kind::profit, 1};
  return o;
}

RankerOptions network() {
  RankerOptions o = test::small_ranker(RankModel::cross);
  o.categories.clear();
  return o;
}

void expect_same(const Ranker& a, const Ranker& b) {
  for (const auto& [name, value] : a.parameters().named())
    EXPECT_TRUE(at::equal(value, b.parameters().at(name))) << name;
}

TEST(Resume, AfterAnyStepGivesTheSame) {
  using Clock = std::chrono::steady_clock;
  const RankSet train = test::separable(40, 1), validation = test::separable(4, 2);
  int64_t within = 0;  // stops within an epoch
  for (const bool validated : {true, false})
    for (const double average : {0.0, 0.98}) {
      const RankFitData data{train, validated ? &validation : nullptr, "d"};
      const RankFitOptions o = options(average);
      const Ranker whole(network(), 1);
      const auto begin = Clock::now();
      const auto undisturbed = fit_ranker(whole, data, o, {}, {});
      const auto taken = Clock::now() - begin;
      constexpr int kStops = 10;
      for (int i = 0; i <= kStops; ++i) {
        SCOPED_TRACE(std::to_string(i) + ", average " + std::to_string(average));
        const TempFolder folder;
        const TrainFiles files{folder / "metrics.csv", folder / "checkpoint.safetensors", 1e9,
                               true};
        std::atomic<bool> stop = i == 0;
        attn::Hooks hooks;
        hooks.stop = &stop;
        std::thread later([&] {
          std::this_thread::sleep_for(taken * i / kStops);
          stop = true;
        });
        try {
          fit_ranker(Ranker(network(), 1), data, o, files, hooks);
        } catch (const attn::Interrupted&) {
        }
        later.join();
        const Ranker resumed(network(), 77);  // what it starts from is in the checkpoint
        const auto result = fit_ranker(resumed, data, o, files, {});
        within += result.resumed_at % 10 == 0 ? 0 : 1;
        expect_same(whole, resumed);
        EXPECT_EQ(result.best_epoch, undisturbed.best_epoch);
        if (validated) {
          EXPECT_EQ(result.best_score, undisturbed.best_score);
        }
        ASSERT_EQ(result.history.size(), undisturbed.history.size());
        for (size_t e = 0; e < result.history.size(); ++e)
          EXPECT_EQ(result.history[e].loss, undisturbed.history[e].loss);
      }
    }
  EXPECT_GT(within, 0) << "no stop was within an epoch: the test shows nothing";
}

TEST(Resume, OtherSettingsOrDataAreRefused) {
  const RankSet train = test::separable(8, 1);
  const TempFolder folder;
  const TrainFiles files{{}, folder / "checkpoint.safetensors", 0, true};
  fit_ranker(Ranker(network(), 1), {train, nullptr, "d"}, options(0), files, {});
  const auto again = [&](const RankFitOptions& o, const std::string& digest) {
    expect_refusal(
        [&] {
          fit_ranker(Ranker(network(), 1), {train, nullptr, digest}, o, files, {});
        },
        "other settings or other data");
  };
  again(options(0), "e");
  again(options(0.5), "d");
  RankFitOptions o = options(0);
  o.loss.money = 2;
  again(o, "d");
}

}  // namespace
}  // namespace finance
