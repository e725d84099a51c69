#include "libattn/report/thin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "libattn/random/rng.h"

namespace attn::report {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Thinned, FewValuesStay) {
  EXPECT_THAT(thinned({}, 8), IsEmpty());
  EXPECT_THAT(thinned(std::vector<double>{3, NAN, 1}, 8), ElementsAre(0, 1, 2));
  EXPECT_THROW(thinned({}, 7), std::logic_error);
  const std::vector<double> values{3, NAN, 1};
  EXPECT_THAT(picked(values, std::vector<size_t>{2, 0}), ElementsAre(1, 3));
}

TEST(Thinned, PeaksGapsAndEndsStayInOrder) {
  auto random = random::Rng::keyed({8});
  for (const size_t n : {9U, 100U, 5000U, 100000U}) {
    for (const size_t most : {8U, 100U, 2000U}) {
      std::vector<double> values(n);
      for (double& v : values) v = random.normal();
      const size_t peak = n / 3, gap = n / 2;
      values[peak] = 100;
      values[gap] = NAN;
      const std::vector<size_t> places = thinned(values, most);
      EXPECT_LE(places.size(), most);
      EXPECT_GE(3 * places.size(), std::min(n, most));
      EXPECT_EQ(places.front(), 0U);
      EXPECT_EQ(places.back(), n - 1);
      EXPECT_TRUE(std::is_sorted(places.begin(), places.end(), std::less_equal<>()));
      EXPECT_THAT(places, Contains(peak));
      EXPECT_THAT(places, Contains(gap));
      EXPECT_THAT(places, Contains(std::min_element(
                                       values.begin(), values.end(),
                                       [](double a, double b) { return std::isnan(b) || a < b; }) -
                                   values.begin()));
    }
  }
  const std::vector<size_t> nothing = thinned(std::vector<double>(1000, NAN), 100);
  EXPECT_LE(nothing.size(), 100U);
}

}  // namespace
}  // namespace attn::report
