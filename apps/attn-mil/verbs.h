// The verbs of attn-mil, one file each.
#pragma once

#include "apps/common/app.h"

namespace attn::app {

Verb simulate_verb();
Verb tissue_verb();
Verb tile_verb();
Verb features_verb();
Verb train_verb();
Verb cv_verb();
Verb evaluate_verb();
Verb predict_verb();
Verb heatmap_verb();
Verb info_verb();
Verb run_verb();

/// Names and versions of the libraries the program runs with.
std::vector<std::pair<std::string, std::string>> library_versions();
/// Hands the number of threads to LibTorch and OpenCV.
void start_libraries(int threads);

}  // namespace attn::app
