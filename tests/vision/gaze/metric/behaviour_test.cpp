// Behaviour vectors, scanpath ratio and curves by hand and by what must hold.
#include "vision/gaze/metric/behaviour.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/vision/gaze/metric/paths.h"

namespace gaze {
namespace {

using test::Path;
using testing::ElementsAre;
using Objects = std::vector<int64_t>;
using Found = std::vector<std::optional<size_t>>;

TEST(Behaviour, ByHand) {
  // New 3, stays, new 7, back to 3, stays, new 1, back to 7 (the target).
  const Behaviour b = behaviour(Objects{3, 3, 7, 3, 3, 1, 7}, 7);
  EXPECT_EQ(b.ends_on_target, 1);
  EXPECT_EQ(b.length, 7);
  EXPECT_DOUBLE_EQ(b.search, 3 / 7.0);
  EXPECT_DOUBLE_EQ(b.refixation, 2 / 7.0);
  EXPECT_DOUBLE_EQ(b.revisit, 2 / 7.0);
  EXPECT_EQ(behaviour(Objects{7, 3}, 7).ends_on_target, 0);
}

TEST(Behaviour, SharesSumToOne) {
  auto random = attn::random::Rng::keyed({41});
  for (int t = 0; t < 200; ++t) {
    Objects objects(static_cast<size_t>(1 + random.below(60)));
    for (int64_t& o : objects) o = random.below(9);
    const Behaviour b = behaviour(objects, 4);
    EXPECT_NEAR(b.search + b.refixation + b.revisit, 1, 1e-12);
    EXPECT_EQ(b.ends_on_target == 1, objects.back() == 4);
  }
}

TEST(Behaviour, MeansAndDelta) {
  const Behaviour human{0.8, 10, 0.7, 0.2, 0.1}, model{0.4, 15, 0.7, 0.1, 0.2};
  EXPECT_DOUBLE_EQ(behaviour_delta(model, human), (0.5 + 0.5 + 0 + 0.5 + 1) / 5);
  EXPECT_EQ(behaviour_delta(human, human), 0);
  EXPECT_TRUE(std::isnan(behaviour_delta(model, {0.8, 10, 0.8, 0.2, 0})));
  EXPECT_TRUE(std::isnan(behaviour_delta({}, human)));
  const Behaviour mean = mean_behaviour(std::vector<Behaviour>{human, {}, model});
  EXPECT_DOUBLE_EQ(mean.length, 12.5);
  EXPECT_DOUBLE_EQ(mean.ends_on_target, 0.6);
  EXPECT_TRUE(std::isnan(mean_behaviour({}).length));
  EXPECT_TRUE(std::isnan(behaviour({}, 7).search));
  EXPECT_TRUE(std::isnan(behaviour(Objects{1, kNowhere}, 7).search));
}

TEST(ObjectSimilarity, IsTheProbabilityOfTheNext) {
  const std::vector<double> p{0.5, 0.2, 0.3};
  EXPECT_EQ(object_similarity(p, 1), 0.2);
  EXPECT_TRUE(std::isnan(object_similarity(p, 3)));
  EXPECT_TRUE(std::isnan(object_similarity(p, -1)));
  EXPECT_TRUE(std::isnan(object_similarity({}, 0)));
  EXPECT_TRUE(std::isnan(object_similarity(std::vector<double>{0.5, 0.2}, 0)));
  EXPECT_TRUE(std::isnan(object_similarity(std::vector<double>{1.5, -0.5}, 0)));
  EXPECT_TRUE(std::isnan(object_similarity(std::vector<double>{kNaN, 0.5}, 1)));
}

TEST(ScanpathRatio, OfStraightAndCrookedWays) {
  const Box target{90, -10, 110, 10};  // centre (100, 0)
  const Path straight{{0, 0}, {50, 0}, {100, 0}, {500, 500}}, crooked{{0, 0}, {0, 100}, {100, 0}};
  EXPECT_EQ(first_in(straight, target), 2U);
  EXPECT_EQ(scanpath_ratio(straight, first_in(straight, target), target), 1);
  EXPECT_DOUBLE_EQ(scanpath_ratio(crooked, 2, target), 100 / (100 + std::hypot(100, 100)));
  // Shorter than to the centre: cut to 1.
  EXPECT_EQ(scanpath_ratio(Path{{0, 0}, {90, 0}}, 1, target), 1);
}

TEST(ScanpathRatio, Undefined) {
  const Box target{90, -10, 110, 10};
  const Path path{{0, 0}, {100, 0}}, still{{100, 0}, {100, 0}}, lost{{0, 0}, {kNaN, 0}, {100, 0}};
  EXPECT_FALSE(first_in(Path{{0, 0}, {kNaN, 0}}, target));
  EXPECT_FALSE(first_in({}, target));
  for (const double ratio :
       {scanpath_ratio(path, std::nullopt, target), scanpath_ratio(path, 0, target),
        scanpath_ratio(still, 1, target), scanpath_ratio(lost, 2, target)})
    EXPECT_TRUE(std::isnan(ratio));
  EXPECT_THROW(scanpath_ratio(path, 2, target), std::logic_error);
}

TEST(Found, CurveAndItsSums) {
  EXPECT_EQ(first_on(Objects{3, 7, 7}, 7), 1U);
  EXPECT_FALSE(first_on(Objects{3}, 7));
  const Found found{0, 2, std::nullopt, 9};
  const auto curve = found_by_step(found, 3);
  EXPECT_THAT(curve, ElementsAre(0.25, 0.25, 0.5, 0.5));
  EXPECT_EQ(curve_auc(curve), 1.5);
  EXPECT_EQ(found_by_step(found).size(), 7U);
  EXPECT_EQ(curve_mismatch(curve, curve), 0);
  EXPECT_EQ(curve_mismatch(curve, found_by_step(Found{1, 1}, 3)), 0.25 + 0.75 + 0.5 + 0.5);
  EXPECT_TRUE(std::isnan(curve_mismatch(curve, found_by_step(found, 2))));
  EXPECT_TRUE(std::isnan(curve_auc(found_by_step({}, 3))));
}

}  // namespace
}  // namespace gaze
