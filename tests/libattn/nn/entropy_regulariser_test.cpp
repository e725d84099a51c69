#include "libattn/nn/entropy_regulariser.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "attn/error.h"

namespace attn::nn {
namespace {

TEST(EntropyRegulariser, SchedulesFollowTheirEquations) {
  const EntropyRegulariser constant{0.4, WeightSchedule::constant};
  const EntropyRegulariser cosine{0.4, WeightSchedule::cosine};
  const EntropyRegulariser linear{0.4, WeightSchedule::linear};
  EXPECT_DOUBLE_EQ(constant.weight_at(0.9), 0.4);
  EXPECT_DOUBLE_EQ(cosine.weight_at(0), 0.4);
  EXPECT_NEAR(cosine.weight_at(0.5), 0.2, 1e-16);
  EXPECT_NEAR(cosine.weight_at(1.0 / 3), 0.3, 1e-15);  // 0.2 (1 + cos 60 degrees)
  EXPECT_NEAR(cosine.weight_at(1), 0, 1e-16);
  EXPECT_DOUBLE_EQ(linear.weight_at(0), 0.4);
  EXPECT_DOUBLE_EQ(linear.weight_at(0.75), 0.1);
}

TEST(EntropyRegulariser, TermIsTheSumOfALogAOverHeads) {
  // Two bags, two heads; R = (1/heads) sum over bags, heads and instances of a ln a.
  const at::Tensor a = at::softmax(at::randn({2, 2, 5}, at::kDouble), 2);
  const at::Tensor r = (a * a.log()).sum() / 2;
  const at::Tensor entropy = -(a * a.log()).sum(2);
  const EntropyRegulariser aem{0.1, WeightSchedule::constant};
  EXPECT_NEAR(aem.term(entropy, 0).item<double>(), 0.1 * r.item<double>(), 1e-15);
}

TEST(EntropyRegulariser, AWeightOfZeroIsNoTermAtAll) {
  const at::Tensor broken = at::full({1, 1}, NAN, at::kDouble).requires_grad_();
  const at::Tensor term = EntropyRegulariser{0.0, WeightSchedule::constant}.term(broken, 0);
  EXPECT_EQ(term.item<double>(), 0);
  EXPECT_FALSE(term.requires_grad());
}

TEST(EntropyRegulariser, NamesGoBothWays) {
  for (const char* word : {"constant", "cosine", "linear"})
    EXPECT_EQ(to_string(parse_weight_schedule(word)), word);
  EXPECT_THROW(parse_weight_schedule("cosin"), UsageError);
}

}  // namespace
}  // namespace attn::nn
