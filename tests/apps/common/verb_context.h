// What a verb is handed, for tests of what stands between run_app() and the verbs.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/common/app.h"
#include "tests/apps/common/scratch.h"

namespace attn::app {

class VerbContextTest : public testing::Test {
 protected:
  VerbContextTest() { start_log(Verbosity::quiet); }
  Context context() const {
    return {
        common_, table_, hooks_, progress_, "attn-x verb", "verb", [] { return nlohmann::json(); }};
  }

  Scratch scratch_;
  Common common_;
  OptionTable table_;
  Hooks hooks_;
  mutable Progress progress_{Verbosity::quiet};
};

}  // namespace attn::app
