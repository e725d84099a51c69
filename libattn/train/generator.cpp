#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Generator.h>

#include "libattn/train/seed.h"

namespace attn::train {

at::Generator make_generator(uint64_t seed) {
  return at::detail::createCPUGenerator(seed);
}

}  // namespace attn::train
