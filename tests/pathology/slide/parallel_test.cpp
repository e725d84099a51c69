#include "pathology/slide/parallel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace pathology {
namespace {

TEST(ParallelFor, EachItemOnceAndTheFirstExceptionComesOut) {
  for (const int threads : {1, 4}) {
    std::atomic<int64_t> sum{0};
    parallel_for(100, threads, "items", {}, [&](int64_t i) { sum += i; });
    EXPECT_EQ(sum, 4950);
    EXPECT_THROW(parallel_for(100, threads, "items", {},
                              [](int64_t i) {
                                if (i == 7) throw std::runtime_error("seven");
                              }),
                 std::runtime_error);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// Leaves the process room for a few threads' stacks only.
void starve_of_threads(int64_t bytes) {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t room = pages * 4096 + static_cast<rlim_t>(bytes);
  const rlimit limit{room, room};
  if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(3);
}

TEST(ParallelForDeathTest, FewerThreadsThanAskedForDoTheWork) {
  for (const int64_t room : {int64_t{6} << 20, int64_t{60} << 20})
    EXPECT_EXIT(
        {
          std::atomic<int64_t> sum{0};
          starve_of_threads(room);
          parallel_for(1000, 512, "items", {}, [&](int64_t i) { sum += i; });
          std::_Exit(sum == 499500 ? 0 : 4);
        },
        testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace pathology
