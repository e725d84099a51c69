#include "apps/attn-forecast/levels.h"

#include "apps/common/console.h"
#include "timeseries/model/intervals.h"

namespace attn::app {

std::vector<double> levels_for(const timeseries::ForecastModel& model,
                               const std::optional<std::string>& given) {
  if (given) return *given == "none" ? std::vector<double>() : timeseries::parse_levels(*given);
  if (!model.intervals.levels.empty()) return {0.8, 0.95};
  log_info("the model has no intervals, since validation rows told no residuals");
  return {};
}

}  // namespace attn::app
