#include "libattn/train/train_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "attn/error.h"
#include "tests/support/refusal.h"

namespace attn::train {
namespace {

TEST(TrainOptions, ThoseOfOlderProgramsAreWrittenByteForByte) {
  // As attn-mil's model files hold them since their first version.
  EXPECT_EQ(nlohmann::json(TrainOptions()).dump(),
            R"({"batch":1,"beta1":0.9,"beta2":0.999,"clip_norm":0.0,"epochs":50,"eps":1e-08,)"
            R"("lr":0.0001,"min_epochs":0,"momentum":0.9,"optimiser":"adamw","patience":0,)"
            R"("schedule":"cosine","seed":0,"shuffle":true,"weight_decay":1e-05})");
}

TEST(TrainOptions, ComeBackFromJson) {
  TrainOptions o;
  o.epochs = 7;
  o.batch = 32;
  o.shuffle = false;
  o.seed = std::numeric_limits<uint64_t>::max();
  o.optimiser = Optimiser::sgd;
  o.lr = 0.01;
  o.schedule = LrSchedule::one_cycle;
  o.warm_up = 0.2;
  o.div = 10;
  o.final_div = 100;
  o.weight_decay = 0;
  o.beta1 = 0.8;
  o.beta2 = 0.95;
  o.eps = 1e-7;
  o.momentum = 0.5;
  o.clip_norm = 1;
  o.patience = 3;
  o.min_epochs = 2;
  const nlohmann::json j = o;
  const auto back = j.get<TrainOptions>();
  EXPECT_EQ(nlohmann::json(back), j);
  EXPECT_EQ(j.size(), 18U);
  EXPECT_EQ(back.seed, o.seed);
  EXPECT_EQ(back.warm_up, 0.2);
  EXPECT_EQ(back.schedule, LrSchedule::one_cycle);
}

TEST(TrainOptions, MissingKeysLeaveWhatIsThere) {
  TrainOptions o;
  o.epochs = 7;
  o.schedule = LrSchedule::halve;
  o.warm_up = 0.5;
  from_json({{"lr", 0.5}}, o);
  EXPECT_EQ(o.lr, 0.5);
  EXPECT_EQ(o.epochs, 7);
  EXPECT_EQ(o.schedule, LrSchedule::halve);
  EXPECT_EQ(o.warm_up, 0.5);
  EXPECT_FALSE(nlohmann::json::object().get<TrainOptions>().warm_up.has_value());
}

TEST(TrainOptions, WrongTypesAndWordsNameTheKey) {
  const auto refused = [](const nlohmann::json& j, const std::string& part) {
    test::expect_refusal([&] { j.get<TrainOptions>(); }, part);
  };
  refused({{"optimiser", "adam"}}, "key optimiser: expected adamw or sgd, found 'adam'");
  refused({{"schedule", "warm"}},
          "key schedule: expected cosine, constant, one-cycle or halve, found 'warm'");
  refused({{"epochs", "ten"}}, "key epochs");
  refused({{"warm_up", "long"}}, "key warm_up");
}

TEST(TrainOptions, WordsComeBack) {
  for (const Optimiser o : {Optimiser::adamw, Optimiser::sgd})
    EXPECT_EQ(parse_optimiser(to_string(o)), o);
  for (const LrSchedule s :
       {LrSchedule::constant, LrSchedule::cosine, LrSchedule::one_cycle, LrSchedule::halve})
    EXPECT_EQ(parse_lr_schedule(to_string(s)), s);
  EXPECT_THROW(parse_optimiser("adam"), UsageError);
  EXPECT_THROW(parse_lr_schedule(""), UsageError);
}

TEST(TrainOptions, OutOfRangeIsRefused) {
  EXPECT_NO_THROW(check(TrainOptions()));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double share : {-0.1, 1.1, nan}) {
    TrainOptions o;
    o.warm_up = share;
    EXPECT_THROW(check(o), UsageError) << share;
  }
  for (const double divisor : {0.0, -1.0, nan}) {
    TrainOptions o;
    o.div = divisor;
    EXPECT_THROW(check(o), UsageError) << divisor;
    o = {};
    o.final_div = divisor;
    EXPECT_THROW(check(o), UsageError) << divisor;
  }
}

}  // namespace
}  // namespace attn::train
