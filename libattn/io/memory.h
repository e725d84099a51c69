// How much memory the machine has: what asks for more is refused in a sentence instead of being
// killed.
#pragma once

#include <unistd.h>

#include <cstddef>

namespace attn::io {

/// Bytes of main memory.
inline std::size_t physical_memory() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace attn::io
