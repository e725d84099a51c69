// Tests that run with every instruction set.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "attn/core.h"

namespace attn::test {

/// Once with every instruction set that was compiled and runs here.
template <class Test>
void with_every_target(const Test& test) {
  for (const std::string& target : core::simd_targets()) {
    SCOPED_TRACE(target);
    core::force_simd_target(target);
    test();
  }
  core::force_simd_target("");
}

}  // namespace attn::test
