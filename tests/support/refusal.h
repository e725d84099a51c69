// How a refusal is tested: one sentence that says what was wrong.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "attn/error.h"

namespace attn::test {

/// `call` throws attn::Error, one line that holds `part`.
template <class Call>
void expect_refusal(const Call& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "accepted, expected a sentence with: " << part;
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr(part));
    EXPECT_THAT(e.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

}  // namespace attn::test
