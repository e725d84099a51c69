#include <ATen/Parallel.h>
#include <arrow/util/config.h>
#include <torch/headeronly/version.h>

#include "apps/attn-forecast/verbs.h"

namespace attn::app {

std::vector<std::pair<std::string, std::string>> library_versions() {
  return {{"LibTorch", TORCH_VERSION}, {"Arrow", ARROW_VERSION_STRING}};
}

void start_libraries(int threads) {
  at::set_num_threads(threads);
}

}  // namespace attn::app
