#include "pathology/slide/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <opencv2/core/utility.hpp>
#include <thread>
#include <vector>

namespace pathology {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTick = std::chrono::milliseconds(100);

void serial(int64_t count, std::string_view what, const attn::Hooks& hooks,
            const std::function<void(int64_t)>& work) {
  auto next = Clock::now() + kTick;
  for (int64_t i = 0; i < count; ++i) {
    hooks.check();
    work(i);
    if (Clock::now() >= next) {
      hooks.report(what, i + 1, count);
      next = Clock::now() + kTick;
    }
  }
}

/// State shared by the workers and the calling thread.
struct Shared {
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> done{0};
  std::atomic<bool> cancelled{false};
  std::mutex mutex;
  std::condition_variable finished;
  int running = 0;           // guarded by mutex
  std::exception_ptr error;  // guarded by mutex
};

void run_worker(Shared& shared, int64_t count, const std::function<void(int64_t)>& work) {
  std::exception_ptr error;
  try {
    for (int64_t i; !shared.cancelled && (i = shared.next.fetch_add(1)) < count;) {
      work(i);
      shared.done.fetch_add(1);
    }
  } catch (...) {
    error = std::current_exception();
    shared.cancelled = true;
  }
  const std::lock_guard lock(shared.mutex);
  if (error && !shared.error) shared.error = error;
  --shared.running;
  shared.finished.notify_all();
}

}  // namespace

void parallel_for(int64_t count, int threads, std::string_view what, const attn::Hooks& hooks,
                  const std::function<void(int64_t)>& work) {
  static const bool opencv_is_serial = (cv::setNumThreads(1), true);
  static_cast<void>(opencv_is_serial);
  const int workers =
      static_cast<int>(std::clamp<int64_t>(std::min<int64_t>(threads, count), 1, 1024));
  hooks.check();
  hooks.report(what, 0, count);
  if (workers == 1) {
    serial(count, what, hooks, work);
  } else {
    Shared shared;
    shared.running = workers;
    std::vector<std::jthread> pool;  // joins on every way out
    pool.reserve(static_cast<std::size_t>(workers));
    try {
      while (std::ssize(pool) < workers)
        pool.emplace_back([&] { run_worker(shared, count, work); });
    } catch (const std::exception&) {
      // No more threads, or no memory for them. Those that run do the work; without any, the
      // calling thread.
      const std::lock_guard lock(shared.mutex);
      shared.running -= workers - static_cast<int>(pool.size());
    }
    if (pool.empty()) serial(count, what, hooks, work);
    std::unique_lock lock(shared.mutex);
    while (!shared.finished.wait_for(lock, kTick, [&] { return shared.running == 0; })) {
      if (hooks.stopping()) shared.cancelled = true;
      lock.unlock();
      try {
        hooks.report(what, shared.done, count);
      } catch (...) {
        shared.cancelled = true;
        throw;
      }
      lock.lock();
    }
    if (shared.error) std::rethrow_exception(shared.error);
    if (!pool.empty() && shared.done < count) hooks.check();
  }
  hooks.report(what, count, count);
}

}  // namespace pathology
