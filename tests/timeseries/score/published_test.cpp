// The floors that a program must print: of M4 hourly as the competition computed them, of ETTh1
// over all test windows.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "libattn/io/table.h"
#include "tests/support/data.h"
#include "timeseries/score/metrics.h"
#include "timeseries/score/naive.h"

namespace timeseries {
namespace {

using Values = std::vector<double>;

/// One series a row behind its id, short rows padded with empty cells.
std::vector<Values> read_m4(const std::filesystem::path& path) {
  const auto table = attn::io::Table::read(path);
  const std::vector<std::string> columns(table.columns().begin() + 1, table.columns().end());
  const Values flat = table.matrix_double(columns, {.allow_missing = true});
  std::vector<Values> series;
  for (int64_t r = 0; r < table.rows(); ++r) {
    const auto begin = flat.begin() + r * static_cast<int64_t>(columns.size());
    Values row(begin, begin + static_cast<int64_t>(columns.size()));
    while (!row.empty() && std::isnan(row.back())) row.pop_back();
    series.push_back(std::move(row));
  }
  return series;
}

using Method = std::function<Values(const Values&)>;

TEST(Published, M4HourlyFloors) {
  const auto train_path = attn::test::shared_data("timeseries/M4-Hourly-train.csv");
  const auto test_path = attn::test::shared_data("timeseries/M4-Hourly-test.csv");
  ATTN_NEED_SHARED_DATA(train_path);
  ATTN_NEED_SHARED_DATA(test_path);
  const std::vector<Values> train = read_m4(train_path), test = read_m4(test_path);
  ASSERT_EQ(train.size(), 414U);
  ASSERT_EQ(test.size(), 414U);
  const std::array<std::tuple<Method, double, double, double, double>, 3> methods{
      {{[](const Values& x) { return seasonal_naive(x, 24, 48); }, 13.912, 1.193, 5e-4, 5e-4},
       {[](const Values& x) { return last_value(x, 48); }, 43.00, 11.61, 5e-3, 5e-3},
       {[](const Values& x) { return seasonal_mean(x, 24, 3, 48); }, 14.21, 1.555, 5e-3, 5e-4}}};
  for (const auto& [method, smape, mase, smape_within, mase_within] : methods) {
    HorizonErrors errors(48);
    double series_mean = 0;  // as the competition has it: of each series, then over series
    for (size_t i = 0; i < train.size(); ++i) {
      const Values forecast = method(train[i]);
      const double scale = seasonal_scale(train[i], 24);
      errors.add(test[i], forecast, scale);
      HorizonErrors own(48);
      own.add(test[i], forecast, scale);
      series_mean += own.overall().value(Metric::mase) / 414;
    }
    const ErrorSums all = errors.overall();
    EXPECT_EQ(all.scaled, 414 * 48);
    EXPECT_NEAR(all.value(Metric::smape), smape, smape_within);
    EXPECT_NEAR(all.value(Metric::mase), mase, mase_within);
    EXPECT_NEAR(all.value(Metric::mase), series_mean, 1e-12);
  }
}

/// Columns of the file standardised by the mean and population sd of their first 8,640 rows.
std::vector<Values> read_etth1(const std::filesystem::path& path) {
  const auto table = attn::io::Table::read(path);
  std::vector<Values> channels;
  for (size_t c = 1; c < table.columns().size(); ++c) {
    Values x = table.doubles(table.columns()[c]);
    double mean = 0, square = 0;
    for (size_t t = 0; t < 8640; ++t) mean += x[t] / 8640;
    for (size_t t = 0; t < 8640; ++t) square += (x[t] - mean) * (x[t] - mean) / 8640;
    for (double& v : x) v = (v - mean) / std::sqrt(square);
    channels.push_back(std::move(x));
  }
  return channels;
}

TEST(Published, Etth1FloorsOverEveryTestWindow) {
  const auto path = attn::test::shared_data("timeseries/ETTh1.csv");
  ATTN_NEED_SHARED_DATA(path);
  const std::vector<Values> channels = read_etth1(path);
  ASSERT_EQ(channels.size(), 7U);
  // Horizon, then MSE and MAE of the last value and of the last day.
  const std::array<std::array<double, 5>, 2> floors{
      {{96, 1.294, .713, .512, .433}, {720, 1.335, .755, .655, .514}}};
  for (const auto& [steps, last_mse, last_mae, day_mse, day_mae] : floors) {
    const auto horizon = static_cast<size_t>(steps);
    HorizonErrors last(static_cast<int64_t>(horizon)), day = last;
    for (const Values& x : channels) {
      for (size_t origin = 11520; origin + horizon <= 14400; ++origin) {
        const std::span<const double> target(x.data() + origin, horizon),
            lookback(x.data() + origin - 96, 96);
        last.add(target, last_value(lookback, static_cast<int64_t>(horizon)));
        day.add(target, seasonal_naive(lookback, 24, static_cast<int64_t>(horizon)));
      }
    }
    EXPECT_EQ(last.windows, static_cast<int64_t>(7 * (2881 - horizon)));
    EXPECT_NEAR(last.overall().value(Metric::mse), last_mse, 5e-4);
    EXPECT_NEAR(last.overall().value(Metric::mae), last_mae, 5e-4);
    EXPECT_NEAR(day.overall().value(Metric::mse), day_mse, 5e-4);
    EXPECT_NEAR(day.overall().value(Metric::mae), day_mae, 5e-4);
  }
}

}  // namespace
}  // namespace timeseries
