#include "timeseries/patch/entropy_train.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "libattn/train/seed.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "timeseries/patch/patcher.h"

namespace timeseries {
namespace {

using attn::test::expect_refusal;

/// A series of period 8, each period one of two shapes, told by its first value: of the eight
/// values seven follow surely, one is a coin.
class CoinSeries {
 public:
  explicit CoinSeries(int64_t rows, uint64_t seed) {
    attn::train::Random random(seed);
    const std::vector<std::vector<double>> shapes{{-2, -1, 1, 0.5, 1.5, -0.5, 0.2, 0.8},
                                                  {2, 1, -1.5, 0.3, -0.7, 0.9, -0.3, 0.1}};
    for (int64_t t = 0; t < rows; t += 8) {
      const auto& shape = shapes[random.below(2)];
      values_.insert(values_.end(), shape.begin(), shape.end());
    }
  }
  /// Windows of `length` + 1 values, every start.
  WindowsByNumber windows(int64_t length) {
    WindowsByNumber w;
    w.count = static_cast<int64_t>(values_.size()) - length;
    w.get = [this, length](std::span<const int64_t> numbers) {
      at::Tensor out = at::empty({static_cast<int64_t>(numbers.size()), length + 1});
      for (size_t i = 0; i < numbers.size(); ++i) {
        asked.insert(numbers[i]);
        for (int64_t t = 0; t <= length; ++t)
          out[static_cast<int64_t>(i)][t] = values_[static_cast<size_t>(numbers[i] + t)];
      }
      return out;
    };
    return w;
  }
  std::set<int64_t> asked;

 private:
  std::vector<double> values_;
};

EntropyModelOptions tiny_model() {
  EntropyModelOptions o;
  o.width = 8, o.depth = 1, o.heads = 2, o.vocabulary = 37, o.context = 24;
  return o;
}

EntropyTrainOptions quick() {
  EntropyTrainOptions o;
  o.train.epochs = 8;
  o.train.batch = 16;
  o.train.lr = 0.02;
  o.train.seed = 3;
  o.windows_per_epoch = 256;
  o.validation_windows = 64;
  o.dropout = 0;
  o.blur = 0;
  return o;
}

struct Coins {
  CoinSeries train{800, 1}, validation{400, 2};
  EntropyData data{train.windows(24), validation.windows(24), "coins"};
  Tokeniser tokeniser{{37, -3, 3}};
};

TEST(EntropyTrain, LearnsWhatIsSureAndWhatIsACoin) {
  Coins coins;
  EntropyTrainOptions o = quick();
  o.train.epochs = 24;
  const EntropyTraining trained =
      train_entropy_model(tiny_model(), coins.tokeniser, coins.data, o, {});
  // One of eight values is a coin of log 2 nats; the first ones of a window are less sure.
  EXPECT_LT(trained.validation, 0.45);
  EXPECT_GT(trained.validation, std::log(2.0) / 8);
  EXPECT_EQ(trained.result.history.size(), 24U);
  const double best = -trained.result.best_score;
  EXPECT_NEAR(best, trained.validation, 0.05);
  // Entropy is high before the coin, and low elsewhere.
  const at::Tensor window = coins.data.validation.get(std::vector<int64_t>{0}).narrow(1, 0, 24);
  const at::Tensor h = trained.model.entropy(coins.tokeniser.tokens(window))[0];
  EXPECT_GT(h[15].item<double>(), 0.5);
  EXPECT_LT(h.narrow(0, 16, 7).max().item<double>(), 0.4);
}

TEST(EntropyTrain, TheSameSeedGivesTheSameModel) {
  EntropyTrainOptions o = quick();
  o.train.epochs = 2;
  o.dropout = 0.2;
  o.blur = 1;
  Coins a, b, c;
  const auto first = train_entropy_model(tiny_model(), a.tokeniser, a.data, o, {});
  const auto second = train_entropy_model(tiny_model(), b.tokeniser, b.data, o, {});
  o.train.seed = 4;
  const auto third = train_entropy_model(tiny_model(), c.tokeniser, c.data, o, {});
  EXPECT_TRUE(
      at::equal(first.model.parameters().at("token"), second.model.parameters().at("token")));
  EXPECT_FALSE(
      at::equal(first.model.parameters().at("token"), third.model.parameters().at("token")));
  EXPECT_EQ(first.validation, second.validation);
}

TEST(EntropyTrain, GoesOnFromItsCheckpoint) {
  const attn::test::TempFolder folder;
  attn::train::TrainFiles files;
  files.checkpoint = folder / "entropy.safetensors";
  files.checkpoint_seconds = 0;
  EntropyTrainOptions o = quick();
  o.train.epochs = 3;
  Coins whole, begun, rest;
  const auto wanted = train_entropy_model(tiny_model(), whole.tokeniser, whole.data, o, {});
  std::atomic<bool> stop = false;
  attn::Hooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](std::string_view, int64_t done, int64_t) { stop = done == 1; };
  EXPECT_THROW(train_entropy_model(tiny_model(), begun.tokeniser, begun.data, o, files, hooks),
               attn::Interrupted);
  const auto found = train_entropy_model(tiny_model(), rest.tokeniser, rest.data, o, files);
  EXPECT_GT(found.result.resumed_at, 0);
  EXPECT_TRUE(
      at::equal(wanted.model.parameters().at("token"), found.model.parameters().at("token")));
  rest.data.fingerprint = "other coins";
  expect_refusal([&] { train_entropy_model(tiny_model(), rest.tokeniser, rest.data, o, files); },
                 "other data");
}

TEST(EntropyTrain, DrawsOtherWindowsInEachEpoch) {
  Coins coins;
  EntropyTrainOptions o = quick();
  o.train.epochs = 1;
  o.windows_per_epoch = 100;
  train_entropy_model(tiny_model(), coins.tokeniser, coins.data, o, {});
  EXPECT_EQ(coins.train.asked.size(), 100U);
  Coins more;
  o.train.epochs = 6;
  train_entropy_model(tiny_model(), more.tokeniser, more.data, o, {});
  EXPECT_GT(more.train.asked.size(), 300U);
  EXPECT_LE(more.train.asked.size(), 600U);
}

TEST(EntropyTrain, MissingValuesAreNoTargets) {
  const EntropyModel model(tiny_model(), 1);
  const Tokeniser tokeniser({37, -3, 3});
  WindowsByNumber some;
  some.count = 1;
  some.get = [](std::span<const int64_t>) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    return at::tensor({1.0F, nan, nan, -1.0F}).view({1, 4});
  };
  // Values follow those at 0, 1 and 2; only the last is known.
  const at::Tensor ids = at::tensor({tokeniser.token(1), int64_t{0}, int64_t{0}}).view({1, 3});
  const at::Tensor targets = at::tensor({int64_t{0}, int64_t{0}, tokeniser.token(-1)}).view({1, 3});
  const double wanted = model.cross_entropy(ids, targets)[0][2].item<double>();
  EXPECT_DOUBLE_EQ(mean_cross_entropy(model, tokeniser, some, std::vector<int64_t>{0}), wanted);
  some.get = [](std::span<const int64_t>) { return at::full({1, 4}, NAN); };
  EXPECT_TRUE(std::isnan(mean_cross_entropy(model, tokeniser, some, std::vector<int64_t>{0})));
}

TEST(EntropyTrain, SpacedNumbers) {
  EXPECT_EQ(spaced_numbers(10, 5), (std::vector<int64_t>{0, 2, 4, 6, 8}));
  EXPECT_EQ(spaced_numbers(3, 5), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(spaced_numbers(3, 0), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_TRUE(spaced_numbers(0, 4).empty());
}

TEST(EntropyTrain, RefusesInOneSentence) {
  Coins coins;
  const auto refused = [&](auto change, const char* part) {
    EntropyTrainOptions o = quick();
    change(o);
    expect_refusal([&] { train_entropy_model(tiny_model(), coins.tokeniser, coins.data, o, {}); },
                   part);
  };
  refused([](EntropyTrainOptions& o) { o.dropout = 1; }, "dropout");
  refused([](EntropyTrainOptions& o) { o.blur = -1; }, "spread");
  refused([](EntropyTrainOptions& o) { o.windows_per_epoch = -1; }, "must not be negative");
  refused([](EntropyTrainOptions& o) { o.train.epochs = 0; }, "epochs");
  EntropyModelOptions other = tiny_model();
  other.vocabulary = 64;
  expect_refusal([&] { train_entropy_model(other, coins.tokeniser, coins.data, quick(), {}); },
                 "the tokeniser's 37");
  coins.data.train.count = 0;
  expect_refusal(
      [&] { train_entropy_model(tiny_model(), coins.tokeniser, coins.data, quick(), {}); },
      "no window to train");
}

TEST(EntropyTrain, OptionsSurviveJson) {
  EntropyTrainOptions o = reference_entropy_training();
  o.blur = 1.25;
  const auto read = nlohmann::json::parse(nlohmann::json(o).dump()).get<EntropyTrainOptions>();
  EXPECT_EQ(nlohmann::json(read), nlohmann::json(o));
}

TEST(EntropyTrain, FromWindowsToPatchesOfTheLengthAskedFor) {
  Coins coins;
  const at::Tensor windows =
      coins.data.train.get(spaced_numbers(coins.data.train.count, 200)).narrow(1, 0, 24);
  const Tokeniser tokeniser(learn_range(scaled_values(windows), 37));
  const auto trained = train_entropy_model(tiny_model(), tokeniser, coins.data, quick(), {});
  BoundaryOptions o;
  const EntropyPatcher first(tokeniser, trained.model, o);
  const at::Tensor h = first.entropy(windows);
  const std::span<const float> entropy(h.const_data_ptr<float>(), static_cast<size_t>(h.numel()));
  const EntropyPatcher patcher = first.with(fit_boundaries(o, entropy, 200, 24, 6).options);
  EXPECT_NEAR(mean_patch_length(patcher.cut(windows)), 6, 0.5);
  // The coin is thrown anew every eight values: there, and nowhere else, patches begin once the
  // model has seen a period.
  const PatchCuts cuts = patcher.cut(windows.narrow(0, 0, 1));
  const auto number = spaced_numbers(coins.data.train.count, 200)[0];
  for (int64_t p = 0; p < cuts.begin.size(0); ++p) {
    const auto begin = cuts.begin[p].item<int64_t>();
    EXPECT_TRUE(begin <= 8 || (number + begin) % 8 == 0) << begin;
  }
}

}  // namespace
}  // namespace timeseries
