#include "timeseries/model/model_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/timeseries/model/small_model.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

ModelOptions read(const json& j) {
  return read_model_options(j, ModelOptions(), "settings.json");
}

TEST(ModelOptions, SurviveJson) {
  ModelOptions o = test::small_options(Network::patchtst);
  o.cycle = 7;
  o.scale = ScaleBy::series;
  o.calendar = true;
  o.patching.mean_length = 5.5;
  o.intervals.scaled = false;
  o.seed = 18446744073709551615ULL;
  const json written = o;
  EXPECT_EQ(json(read(written)), written);
  EXPECT_EQ(json(read(json::parse(written.dump()))), written);
  const json blank = ModelOptions();
  EXPECT_EQ(json(read(blank)), blank);
}

TEST(ModelOptions, AMissingKeyLeavesWhatIsThere) {
  const ModelOptions o = read({{"fit", {{"optimisation", {{"lr", 0.5}}}}}, {"season", 12}});
  EXPECT_EQ(o.fit.optimisation.lr, 0.5);
  EXPECT_EQ(o.fit.optimisation.batch, ModelOptions().fit.optimisation.batch);
  EXPECT_EQ(o.season, 12);
  EXPECT_FALSE(o.cycle);
  // A key that JSON writes only where it is set is known all the same.
  EXPECT_EQ(read({{"fit", {{"optimisation", {{"warm_up", 0.25}}}}}}).fit.optimisation.warm_up,
            0.25);
}

TEST(ModelOptions, RefusesWhatItDoesNotKnow) {
  const auto says = [](const json& j) { return sentence_of([&] { read(j); }); };
  EXPECT_THAT(says({{"lookbak", 3}}),
              AllOf(HasSubstr("settings.json"), HasSubstr("unknown key lookbak"),
                    HasSubstr("did you mean 'lookback'?")));
  EXPECT_THAT(says({{"patching", {{"boundaries", {{"treshold", 3}}}}}}),
              AllOf(HasSubstr("patching.boundaries.treshold"), HasSubstr("'threshold'")));
  EXPECT_THAT(says({{"patching", 3}}), AllOf(HasSubstr("patching"), HasSubstr("object")));
  EXPECT_THAT(says({{"patching", nullptr}}), HasSubstr("patching"));
  EXPECT_THAT(says({{"horizon", "six"}}), AllOf(HasSubstr("horizon"), HasSubstr("'six'")));
  EXPECT_THAT(says({{"network", "dlinaer"}}),
              AllOf(HasSubstr("settings.json"), HasSubstr("'dlinear'")));
  EXPECT_THAT(says({{"scale", "both"}}), AllOf(HasSubstr("scale"), HasSubstr("'both'")));
  EXPECT_THAT(says({{"fit", {{"loss", "sqaure"}}}}),
              AllOf(HasSubstr("settings.json"), HasSubstr("loss")));
  EXPECT_THAT(says(json::array()), HasSubstr("expected an object"));
}

TEST(ModelOptions, AreCheckedInOneSentence) {
  const auto says = [](auto change) {
    ModelOptions o = test::small_options();
    change(o);
    return sentence_of([&] { check(o); });
  };
  EXPECT_THAT(says([](ModelOptions& o) { o.horizon = 0; }),
              HasSubstr("horizon must be at least 1"));
  EXPECT_THAT(says([](ModelOptions& o) { o.lookback = -1; }), HasSubstr("look-back"));
  EXPECT_THAT(says([](ModelOptions& o) { o.season = 0; }), HasSubstr("season"));
  EXPECT_THAT(says([](ModelOptions& o) { o.patching.range = -1; }), HasSubstr("range"));
  EXPECT_THAT(says([](ModelOptions& o) { o.fit.optimisation.lr = -1; }),
              HasSubstr("learning rate"));
}

TEST(ModelOptions, ResolvedLeavesNothingAutomatic) {
  const SeriesSet one = test::small_set(1, 400, 2);
  ModelOptions o = test::small_options();
  o.lookback = 0;
  o.season.reset();
  o.calendar = true;
  o.seed = 5;
  const ModelOptions r = resolved(o, one, tail_split(one, o.horizon));
  EXPECT_EQ(r.lookback, 174);
  EXPECT_EQ(r.season, 24);
  EXPECT_EQ(r.cycle, 24);
  EXPECT_EQ(r.scale, ScaleBy::channel);
  EXPECT_EQ(r.patching.mean_length, 8);
  EXPECT_EQ(r.entrope.lookback, 174);
  EXPECT_EQ(r.entrope.horizon, 6);
  EXPECT_EQ(r.entrope.frame.channels, 2);
  EXPECT_EQ(r.entrope.frame.season, 24);
  EXPECT_EQ(r.entrope.frame.known, 6);  // hour, weekday, day of the year
  EXPECT_EQ(r.fit.optimisation.seed, 5U);
  EXPECT_EQ(r.patching.entropy_training.train.seed, 5U);
  EXPECT_EQ(json(resolved(r, one, tail_split(one, o.horizon))), json(r));

  const SeriesSet many = test::small_set(3, 400);
  EXPECT_EQ(resolved(o, many, tail_split(many, o.horizon)).scale, ScaleBy::series);
  // Only a network of many series needs a naive forecast beside it for some of them.
  EXPECT_FALSE(r.entrope.naive_blend);
  EXPECT_TRUE(resolved(o, many, tail_split(many, o.horizon)).entrope.naive_blend);
  EXPECT_EQ(resolved(test::small_options(Network::dlinear), one, tail_split(one, 6)).cycle, 0);
  ModelOptions naive = test::small_options(Network::seasonal_naive);
  naive.season = 100;  // more than the look-back of 24
  EXPECT_EQ(resolved(naive, one, tail_split(one, 6)).lookback, 100);
  // Series that are counted, not timed, share no season's place.
  SeriesSet counted = many;
  counted.frequency = {};
  EXPECT_EQ(resolved(o, counted, tail_split(counted, o.horizon)).cycle, 0);
}

TEST(ModelOptions, ALookbackLongerThanTheFileIsRefused) {
  const SeriesSet set = test::small_set(1, 100);
  ModelOptions o = test::small_options();
  o.lookback = 96;
  EXPECT_THAT(sentence_of([&] { resolved(o, set, tail_split(set, o.horizon)); }),
              AllOf(HasSubstr("small.csv"), HasSubstr("look-back of 96"), HasSubstr("--lookback")));
  o.lookback = 0;
  EXPECT_LE(resolved(o, set, tail_split(set, o.horizon)).lookback, 44);
}

TEST(ModelOptions, AutomaticLookback) {
  const auto of = [](Unit unit, int64_t rows, int64_t horizon, int64_t season) {
    Split split;
    split.train = {{0, 10}, {0, rows}};
    return automatic_lookback(split, {unit, 1, false}, horizon, season);
  };
  EXPECT_EQ(of(Unit::hour, 10000, 96, 24), 336);    // two weeks
  EXPECT_EQ(of(Unit::index, 10000, 96, 24), 336);   // hours, perhaps
  EXPECT_EQ(of(Unit::minute, 10000, 96, 48), 336);  // of half hours: one
  EXPECT_EQ(of(Unit::minute, 10000, 96, 96), 192);  // none fits: two days
  EXPECT_EQ(of(Unit::hour, 10000, 96, 8), 96);
  EXPECT_EQ(of(Unit::day, 10000, 96, 7), 96);
  EXPECT_EQ(of(Unit::day, 10000, 96, 168), 336);
  EXPECT_EQ(of(Unit::week, 10000, 96, 52), 104);
  EXPECT_EQ(of(Unit::minute, 10000, 96, 1440), 512);
  EXPECT_EQ(of(Unit::hour, 600, 96, 24), 204);
  EXPECT_EQ(of(Unit::month, 100, 12, 12), 38);
  EXPECT_EQ(of(Unit::month, 20, 12, 12), 1);
  Split panel;  // one long series among short ones
  panel.train = {{0, 2000}, {0, 300}, {0, 310}, {0, 290}};
  EXPECT_EQ(automatic_lookback(panel, {Unit::hour, 1, false}, 24, 24), 2 * 310 / 3 - 24);
}

}  // namespace
}  // namespace timeseries
