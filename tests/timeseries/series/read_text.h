// Series read from a text, and what they hold.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"
#include "timeseries/series/read.h"
#include "timeseries/series/stamp.h"

namespace timeseries::test {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class ReadTest : public testing::Test {
 protected:
  Reading read(const std::string& text, const ReadOptions& options = {},
               const std::string& name = "x.csv") {
    attn::test::put(folder_ / name, text);
    return read_series(folder_ / name, options);
  }
  /// The sentence without the folder.
  std::string refusal(const std::string& text, const ReadOptions& options = {},
                      const std::string& name = "x.csv") {
    std::string sentence = attn::test::sentence_of([&] { read(text, options, name); });
    const std::string prefix = folder_.path().string() + "/";
    for (size_t at = sentence.find(prefix); at != std::string::npos; at = sentence.find(prefix))
      sentence.erase(at, prefix.size());
    return sentence;
  }
  attn::test::TempFolder folder_;
};

/// Equal, NaN to NaN.
MATCHER_P(SameValues, expected, "") {
  if (arg.size() != expected.size()) return false;
  for (size_t i = 0; i < arg.size(); ++i)
    if (!(arg[i] == expected[i] || (std::isnan(arg[i]) && std::isnan(expected[i])))) return false;
  return true;
}

inline testing::Matcher<std::vector<double>> values_are(std::vector<double> expected) {
  return SameValues(std::move(expected));
}

}  // namespace timeseries::test
