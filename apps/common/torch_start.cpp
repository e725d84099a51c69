#include "apps/common/torch_start.h"

#include <ATen/Parallel.h>
#include <arrow/util/config.h>
#include <torch/headeronly/version.h>

namespace attn::app {

void start_torch(int threads) {
  at::set_num_threads(threads);
}

std::vector<std::pair<std::string, std::string>> torch_and_arrow_versions() {
  return {{"LibTorch", TORCH_VERSION}, {"Arrow", ARROW_VERSION_STRING}};
}

}  // namespace attn::app
