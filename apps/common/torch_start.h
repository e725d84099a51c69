// What programs do that run networks on tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace attn::app {

/// Hands the number of threads to LibTorch.
void start_torch(int threads);
/// Names and versions of LibTorch and Arrow.
std::vector<std::pair<std::string, std::string>> torch_and_arrow_versions();

}  // namespace attn::app
