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

/// Names and versions of the libraries the program runs with.
std::vector<std::pair<std::string, std::string>> library_versions();
/// Hands the number of threads to LibTorch.
void start_libraries(int threads);

}  // namespace attn::app
