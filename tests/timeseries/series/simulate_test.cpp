#include "timeseries/series/simulate.h"

#include <cmath>
#include <numeric>

#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/series_digest.h"
#include "timeseries/series/write_series.h"

namespace timeseries::test {
namespace {

using testing::HasSubstr;

class Simulate : public ReadTest {
 protected:
  void expect_round_trip(const SimulateOptions& options, const std::string& name) {
    const SeriesSet set = simulate(options);
    write_series(folder_ / name, set);
    ReadOptions how;
    how.past = set.past_names, how.future = set.future_names, how.statics = set.static_names;
    const Reading r = read_series(folder_ / name, how);
    EXPECT_EQ(digest_of(r.set), digest_of(set)) << name;
    EXPECT_EQ(r.set.frequency, set.frequency);
  }
};

TEST_F(Simulate, SeedsAndNumbers) {
  SimulateOptions a;
  a.series = 3;
  a.rows = 500;
  a.covariates = true;
  SimulateOptions b = a;
  b.series = 5;
  SimulateOptions c = a;
  c.seed = 1;
  const SeriesSet first = simulate(a), more = simulate(b);
  EXPECT_EQ(digest_of(first), digest_of(simulate(a)));
  EXPECT_NE(digest_of(first), digest_of(simulate(c)));
  ASSERT_EQ(more.series.size(), 5U);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(first.series[i].values, more.series[i].values);
  EXPECT_NE(first.series[0].values, first.series[1].values);
  EXPECT_EQ(first.series[2].id, "S3");
  EXPECT_EQ(first.series[0].future.size(), 548U);
  a.series = 1;
  EXPECT_EQ(simulate(a).series[0].id, "");
}

TEST_F(Simulate, ItsPartsAreWhatIsAskedFor) {
  SimulateOptions o;
  o.rows = 24 * 7 * 20;
  o.trend = o.level_shifts = o.weekly = o.noise = 0;
  const std::vector<double> daily = simulate(o).series[0].values;
  for (size_t t = 24; t < daily.size(); ++t) ASSERT_NEAR(daily[t], daily[t - 24], 1e-9);
  EXPECT_GT(
      *std::max_element(daily.begin(), daily.end()) - *std::min_element(daily.begin(), daily.end()),
      2 * 0.5 * o.daily);
  o.weekly = 3;
  const std::vector<double> weekly = simulate(o).series[0].values;
  double across_days = 0;
  for (size_t t = 168; t < weekly.size(); ++t) {
    ASSERT_NEAR(weekly[t], weekly[t - 168], 1e-9);
    across_days = std::max(across_days, std::abs(weekly[t] - weekly[t - 24]));
  }
  EXPECT_GT(across_days, 0.5);
  o.daily = o.weekly = 0;
  o.noise = 2;
  o.heteroscedastic = 0;
  const std::vector<double> noise = simulate(o).series[0].values;
  const double mean =
      std::accumulate(noise.begin(), noise.end(), 0.0) / static_cast<double>(noise.size());
  double square = 0;
  for (const double v : noise) square += (v - mean) * (v - mean);
  // sd of the estimate: 2 / sqrt(2 * 3360) = 0.024
  EXPECT_NEAR(std::sqrt(square / static_cast<double>(noise.size())), 2, 0.12);
}

TEST_F(Simulate, MissingShare) {
  SimulateOptions o;
  o.series = 40;
  o.rows = 2000;
  o.missing = 0.1;
  int64_t missing = 0, stretches = 0;
  for (const Series& s : simulate(o).series) {
    for (size_t t = 0; t < s.values.size(); ++t) {
      missing += std::isnan(s.values[t]) ? 1 : 0;
      stretches += std::isnan(s.values[t]) && (t == 0 || !std::isnan(s.values[t - 1])) ? 1 : 0;
    }
  }
  // About 670 stretches of mean 12: the share's sd is below 0.006.
  EXPECT_NEAR(static_cast<double>(missing) / 80'000, 0.1, 0.02);
  EXPECT_NEAR(static_cast<double>(missing) / static_cast<double>(stretches), 12, 2.5);
}

TEST_F(Simulate, FilesReadBackTheSame) {
  SimulateOptions o;
  o.rows = 300;
  o.series = 1;
  expect_round_trip(o, "one.csv");
  expect_round_trip(o, "one.parquet");
  o.series = 4;
  o.missing = 0.1;
  expect_round_trip(o, "many.csv");
  o.covariates = true;
  o.missing = 0;
  for (const char* text : {"15min", "h", "D", "W", "MS"}) {
    o.frequency = parse_frequency(text);
    expect_round_trip(o, "covariates.csv");
    expect_round_trip(o, "covariates.parquet");
  }
}

TEST_F(Simulate, RefusedInASentence) {
  const auto refused = [](const SimulateOptions& o) {
    return attn::test::sentence_of([&] { simulate(o); });
  };
  EXPECT_THAT(refused({.series = 0}), HasSubstr("at least one series and one row"));
  EXPECT_THAT(refused({.missing = 1.5}), HasSubstr("must lie in 0 ... 1"));
  EXPECT_THAT(refused({.frequency = {}}), HasSubstr("needs a frequency of the calendar"));
}

TEST(SeriesDigest, TellsDataApart) {
  SimulateOptions o;
  o.series = 2;
  o.rows = 50;
  o.covariates = true;
  const SeriesSet set = simulate(o);
  const std::string whole = digest_of(set);
  EXPECT_EQ(whole.size(), 32U);
  const auto changed = [&](auto&& change) {
    SeriesSet other = set;
    change(other);
    return digest_of(other);
  };
  EXPECT_EQ(changed([](SeriesSet& s) { s.path = "elsewhere"; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.frequency.count = 2; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.channels = {"other"}; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[0].id = "S9"; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[0].start += 1; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[1].values[49] += 1e-9; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[1].past[0] = 0; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[1].future[0] += 1; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { s.series[0].statics[0] += 1; }), whole);
  EXPECT_NE(changed([](SeriesSet& s) { std::swap(s.series[0], s.series[1]); }), whole);
  EXPECT_EQ(changed([](SeriesSet& s) { s.series[0].values[3] = kNaN; }),
            changed([](SeriesSet& s) { s.series[0].values[3] = -kNaN; }));
}

}  // namespace
}  // namespace timeseries::test
