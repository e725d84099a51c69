// Where tests find data that the project does not ship.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace attn::test {

/// `../shared/data/NAME` beside the checkout (or $ATTN_SHARED_DATA/NAME).
inline std::filesystem::path shared_data(const std::string& name) {
  const char* root = std::getenv("ATTN_SHARED_DATA");
  const std::filesystem::path base =
      root != nullptr ? std::filesystem::path(root)
                      : std::filesystem::path(ATTN_SOURCE_DIR) / ".." / "shared" / "data";
  return base / name;
}

inline bool under_ci() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string(ci) == "true";
}

}  // namespace attn::test

/// Skips the test where shared data is absent; under CI its absence is a failure.
#define ATTN_NEED_SHARED_DATA(path)                                                             \
  do {                                                                                          \
    if (!std::filesystem::exists(path)) {                                                       \
      if (attn::test::under_ci()) FAIL() << "shared data must be present under CI: " << (path); \
      GTEST_SKIP() << "shared data is absent: " << (path);                                      \
    }                                                                                           \
  } while (0)
