// --levels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "timeseries/model/forecast_model.h"

namespace attn::app {

/// Levels in (0, 1): those named, none for "none"; not given 80 and 95 %, or none where the model
/// has no intervals, which is logged. Throws attn::UsageError.
std::vector<double> levels_for(const timeseries::ForecastModel& model,
                               const std::optional<std::string>& given);

/// Warns where levels that were named rest on fewer residuals than they need to hold.
void warn_of_few_residuals(const timeseries::ForecastModel& model,
                           const std::optional<std::string>& given);

}  // namespace attn::app
