#include "apps/attn-forecast/levels.h"

#include "apps/common/console.h"
#include "timeseries/model/intervals.h"
#include "timeseries/score/conformal.h"

namespace attn::app {

std::vector<double> levels_for(const timeseries::ForecastModel& model,
                               const std::optional<std::string>& given) {
  if (given) return *given == "none" ? std::vector<double>() : timeseries::parse_levels(*given);
  if (!model.intervals.levels.empty()) return {0.8, 0.95};
  log_info("the model has no intervals, since validation rows told no residuals");
  return {};
}

void warn_of_few_residuals(const timeseries::ForecastModel& model,
                           const std::optional<std::string>& given) {
  if (!given) return;  // training has told of those that are not named
  const std::vector<double> levels = levels_for(model, given);
  if (levels.empty()) return;
  const std::string sentence = timeseries::told(timeseries::intervals_at(model.intervals, levels));
  if (!sentence.empty()) log_warning(sentence);
}

}  // namespace attn::app
