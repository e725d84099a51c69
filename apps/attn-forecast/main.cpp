// attn-forecast: a table of series to forecasts with intervals, by attention over patches that are
// cut where the series surprises.
#include "apps/attn-forecast/verbs.h"
#include "apps/common/torch_start.h"

int main(int argc, char** argv) {
  using namespace attn::app;
  const App app{.name = "attn-forecast",
                .summary =
                    "time series to forecasts with intervals, by attention over patches that are "
                    "cut where the series surprises (EntroPE)",
                .example = "attn-forecast train --data series.csv --horizon 48 --out RUN",
                .verbs = {train_verb(), forecast_verb(), backtest_verb(), evaluate_verb(),
                          patch_verb(), plot_verb(), simulate_verb(), info_verb()},
                .start = start_torch,
                .libraries = torch_and_arrow_versions};
  return run_app(app, argc, argv);
}
