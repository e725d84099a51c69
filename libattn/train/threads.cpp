#include "libattn/train/threads.h"

#include <ATen/Parallel.h>

namespace attn::train {

ThreadLimit::ThreadLimit(int n) : before_(at::get_num_threads()) {
  if (n != before_) at::set_num_threads(n);
}

ThreadLimit::~ThreadLimit() {
  if (at::get_num_threads() != before_) at::set_num_threads(before_);
}

}  // namespace attn::train
