// Memory of this process.
#pragma once

#include <fstream>
#include <string>

namespace attn::test {

/// Resident memory in MB: "VmHWM" its peak, "VmRSS" now; -1 where it is not told.
inline double status_mb(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1)) * 1024e-6;
  }
  return -1;
}

}  // namespace attn::test
