#include "libattn/core/fresh_memory.h"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace attn::core {

void make_present(void* data, std::size_t bytes) noexcept {
#if defined(__linux__)
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, of Linux 5.14 and newer; else refused
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t first = (address + page - 1) / page * page;
  const std::uintptr_t last = (address + bytes) / page * page;
  if (last <= first) return;
  auto* from = static_cast<std::byte*>(data) + (first - address);
  static_cast<void>(madvise(from, last - first, kPopulateWrite));
#else
  static_cast<void>(data), static_cast<void>(bytes);
#endif
}

}  // namespace attn::core
