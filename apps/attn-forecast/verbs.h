// The verbs of attn-forecast, one file each.
#pragma once

#include "apps/common/app.h"

namespace attn::app {

Verb train_verb();
Verb forecast_verb();
Verb backtest_verb();
Verb evaluate_verb();
Verb patch_verb();
Verb plot_verb();
Verb simulate_verb();
Verb info_verb();

}  // namespace attn::app
