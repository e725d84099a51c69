// The simulated market beside the house's sample data: 800 lists of another program that follows
// the same equations, with another stream of random numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "finance/market/simulate_market.h"
#include "libattn/io/table.h"
#include "tests/support/data.h"

namespace finance {
namespace {

using Values = std::vector<double>;
using attn::test::shared_data;

Values read(const attn::io::Table& table, const std::string& name) {
  const std::vector<std::string> columns{name};
  return table.matrix_double(columns, {});
}

Values eurusd_returns() {
  return log_returns(
      read(attn::io::Table::read(shared_data("finance/ohlc/EURUSD_1h.csv")), "Close"));
}

RankLists market_like_the_sample(uint64_t seed, int64_t lists) {
  return simulate_market({.lists = lists, .seed = seed}, eurusd_returns());
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const Values& x) {
  Moments m;
  for (const double each : x) m.mean += each / static_cast<double>(x.size());
  for (const double each : x)
    m.deviation += (each - m.mean) * (each - m.mean) / static_cast<double>(x.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

double quantile(Values x, double at) {
  std::ranges::sort(x);
  return x[static_cast<size_t>(at * static_cast<double>(x.size() - 1))];
}

/// In standard deviations of the sample. That of volatile columns is wider: the sample's
/// volatilities are those of 800 windows in a row that overlap, it is not known which.
double tolerance(const std::string& name) {
  return name == "StdRet20" || name == "MaxDD20" ? 0.3 : 0.06;
}

void expect_alike(const std::string& name, const Values& found, const Values& sample) {
  SCOPED_TRACE(name);
  const Moments a = moments(found), b = moments(sample);
  EXPECT_NEAR(a.mean / b.deviation, b.mean / b.deviation, tolerance(name));
  EXPECT_NEAR(a.deviation / b.deviation, 1, tolerance(name));
  for (const double at : {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99})
    EXPECT_NEAR(quantile(found, at) / b.deviation, quantile(sample, at) / b.deviation,
                tolerance(name) * (at < 0.02 || at > 0.98 ? 2.5 : 1))
        << "quantile " << at;
}

Values column(const RankLists& m, size_t at) {
  Values x;
  for (int64_t i = 0; i < m.rows(); ++i)
    x.push_back(m.features[static_cast<size_t>(i * m.width()) + at]);
  return x;
}

/// Logarithms less the median of their list, of 50 rows: free of the list's volatility.
Values within_lists(Values x) {
  for (double& each : x) each = std::log(each);
  for (auto at = x.begin(); at != x.end(); at += 50) {
    const double centre = quantile(Values(at, at + 50), 0.5);
    for (auto row = at; row != at + 50; ++row) *row -= centre;
  }
  return x;
}

Values logs(Values x) {
  for (double& each : x) each = std::copysign(std::log1p(std::abs(each) / 20), each);
  return x;
}

TEST(SampleMarket, EveryColumnIsAlike) {
  const auto path = shared_data("finance/sim_market/train.csv");
  ATTN_NEED_SHARED_DATA(path);
  const auto table = attn::io::Table::read(path);
  const RankLists m = market_like_the_sample(5, 1600);
  for (size_t f = 0; f < market_features().size(); ++f) {
    const std::string& name = market_features()[f];
    expect_alike(name, column(m, f), read(table, name));
  }
  expect_alike("StdRet20 within lists", within_lists(column(m, 4)),
               within_lists(read(table, "StdRet20")));
  expect_alike("pnl", logs(m.profit), logs(read(table, "pnl")));
  expect_alike("stake", logs(m.kept[0].values), logs(read(table, "stake")));
}

/// Of each list, then over lists: mean and its standard error.
struct Estimate {
  double value = 0, error = 0;
};
Estimate over_lists(const Values& rows, const std::function<double(Values)>& of_list) {
  Values lists;
  for (size_t at = 0; at < rows.size(); at += 50)
    lists.push_back(of_list(Values(rows.begin() + static_cast<int64_t>(at),
                                   rows.begin() + static_cast<int64_t>(at) + 50)));
  const Moments m = moments(lists);
  return {m.mean, m.deviation / std::sqrt(static_cast<double>(lists.size()))};
}

double total(const Values& x) {
  double sum = 0;
  for (const double each : x) sum += each;
  return sum;
}

// Means of profits have infinite variance (their tail index is 1.5): those of the sample's own
// parts stand 2.3 standard errors apart; so the oracle is cut to what 98 % of the lists are below.
TEST(SampleMarket, ShareRiskyRandomPickAndOracleAreAlike) {
  const auto random_pick = [](const Values& p) { return total(p) / 10; };
  const auto oracle = [](Values p) {
    std::ranges::sort(p, std::greater<>());
    p.resize(5);
    return std::min(total(p), 13000.0);
  };
  Values label, profit;
  for (const char* part : {"train", "val", "test"}) {
    const auto path = shared_data("finance/sim_market/" + std::string(part) + ".csv");
    ATTN_NEED_SHARED_DATA(path);
    const auto table = attn::io::Table::read(path);
    for (const double y : read(table, "risky")) label.push_back(y);
    for (const double p : read(table, "pnl")) profit.push_back(p);
  }
  for (const uint64_t seed : {1U, 2U, 3U, 4U}) {
    const RankLists m = market_like_the_sample(seed, 1200);
    const auto alike = [&](const char* what, const Estimate& a, const Estimate& b) {
      EXPECT_NEAR(a.value, b.value, 3.5 * std::hypot(a.error, b.error))
          << what << ", seed " << seed;
    };
    alike("risky", over_lists(m.label, total), over_lists(label, total));
    alike("random", over_lists(m.profit, random_pick), over_lists(profit, random_pick));
    alike("oracle", over_lists(m.profit, oracle), over_lists(profit, oracle));
  }
}

}  // namespace
}  // namespace finance
