// Compiled with OpenMP: at::parallel_for is a template that runs serially in files compiled without
// it.
#include <ATen/Parallel.h>

#include "libattn/ops/check.h"

#ifndef _OPENMP
#error "this file needs -fopenmp"
#endif

namespace attn::ops {

core::Parallel torch_threads() {
  core::Parallel parallel;
  // Inside another parallel region LibTorch runs at::parallel_for on the calling thread.
  parallel.threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  parallel.run = [](int workers, const std::function<void(int)>& job) {
    at::parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
      for (int64_t w = begin; w < end; ++w) job(static_cast<int>(w));
    });
  };
  return parallel;
}

}  // namespace attn::ops
