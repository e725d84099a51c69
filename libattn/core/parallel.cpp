#include "libattn/core/parallel.h"

#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "hwy/aligned_allocator.h"

namespace attn::core {
namespace {

constexpr size_t kKeepBytes = size_t{8} << 20;

struct Buffer {
  hwy::AlignedFreeUniquePtr<std::byte[]> data;
  size_t bytes = 0;
};

Buffer& buffer_of_this_thread() {
  thread_local Buffer buffer;
  return buffer;
}

}  // namespace

Scratch::Scratch(size_t bytes) {
  Buffer& buffer = buffer_of_this_thread();
  if (buffer.bytes < bytes) {
    buffer.data.reset();
    buffer.bytes = 0;
    buffer.data = hwy::AllocateAligned<std::byte>(bytes);
    if (buffer.data == nullptr) throw std::bad_alloc();
    buffer.bytes = bytes;
  }
  next_ = buffer.data.get();
}

Scratch::~Scratch() {
  Buffer& buffer = buffer_of_this_thread();
  if (buffer.bytes > kKeepBytes) buffer = Buffer();
}

void run_workers(const Parallel& parallel, int workers, const std::function<void(int)>& job) {
  std::exception_ptr failure;
  std::mutex mutex;
  const auto guarded = [&](int worker) {
    try {
      job(worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  if (parallel.run) {
    parallel.run(workers, guarded);
  } else {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<size_t>(workers));
    int started = 1;
    try {
      for (; started < workers; ++started) threads.emplace_back(guarded, started);
    } catch (const std::system_error&) {  // the system has no more threads: go on with these
    }
    guarded(0);
    for (int w = started; w < workers; ++w) guarded(w);
    threads.clear();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace attn::core
