// A loop over independent items on several threads, with progress and a clean stop.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "attn/hooks.h"

namespace pathology {

/// Calls work(i) for i in [0, count), in order of i but on `threads` threads (1: the calling thread
/// alone; fewer where the system gives no more). Reports (`what`, done, count) from the calling
/// thread about ten times a second. The first exception stops the loop and is thrown from here, as
/// is Interrupted after `hooks.stop`. OpenCV's own threads are turned off for the process at the
/// first call: items are the better grain.
void parallel_for(int64_t count, int threads, std::string_view what, const attn::Hooks& hooks,
                  const std::function<void(int64_t)>& work);

}  // namespace pathology
