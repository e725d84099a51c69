// One forecast of one file: what the verb forecast does once, or for each file of a folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/attn-forecast/series_args.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/model/predict.h"

namespace attn::app {

struct ForecastArgs {
  std::filesystem::path run;
  SeriesArgs series;
  std::optional<std::string> levels;
  std::optional<int64_t> horizon;
  std::optional<std::filesystem::path> out, plot;
  std::string format = "csv";
  std::optional<std::string> one_series, one_channel;
  std::optional<int64_t> last;
};

struct Forecast {
  timeseries::SeriesSet set;
  timeseries::ForecastResult result;
};

/// Reads --data, forecasts it, and writes nothing.
Forecast forecast_file(const ForecastArgs& args, const timeseries::ForecastModel& model,
                       const Context& context);

/// Every file of the folder --data, in the folder --out. Returns the exit code.
int forecast_folder(const ForecastArgs& args, const timeseries::ForecastModel& model,
                    const Context& context);

}  // namespace attn::app
