// Work that may crash or never end, done in a child process in our place.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace attn::io::h5 {

/// What `job` returned, run in a forked child that may compute for `seconds` and take a minute more
/// than ten times that by the clock (slow disks and mounts). Nothing when the child died or was
/// stopped. The child's output goes nowhere, it leaves no core, and a user's Ctrl-C does not end
/// it. Where no child can be had the job runs here. `job` must not throw, nor answer with a NUL.
std::optional<std::string> in_child(unsigned seconds, const std::function<std::string()>& job);

}  // namespace attn::io::h5
