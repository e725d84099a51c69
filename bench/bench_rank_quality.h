// What rankings of a market are worth: ours by model and loss beside LightGBM's, all by the same
// measures of the same test lists.
#pragma once

#include <functional>

#include "bench/bench_common.h"

namespace attn::bench {

/// bench-rank --quality by --market, --seeds, --members, --peer and --cases. Throws
/// std::invalid_argument for words that make no sense.
std::function<void()> quality(const Options& options);

}  // namespace attn::bench
