#include "libattn/nn/one_thread.h"

// Where LibTorch has MKL. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int MKL_Set_Num_Threads_Local(int) __attribute__((weak));

namespace attn::nn {

OneThread::OneThread()
    : before_(MKL_Set_Num_Threads_Local != nullptr ? MKL_Set_Num_Threads_Local(1) : 0) {}

OneThread::~OneThread() {
  if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(before_);
}

}  // namespace attn::nn
