#include "timeseries/forecast/segment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "attn/error.h"
#include "libattn/train/seed.h"
#include "tests/libattn/ops/gradcheck.h"

namespace timeseries {
namespace {

using attn::test::expect_gradients;
using attn::train::make_generator;

const std::vector<int64_t> kOffsets{0, 3, 3, 4, 11, 11};

at::Tensor offsets() {
  return at::tensor(kOffsets, at::kLong);
}

TEST(Segment, MaximumOfEachRun) {
  const at::Tensor x = at::randn({11, 5}, make_generator(1), at::kDouble) - 3;
  const at::Tensor y = segment_max(x, offsets());
  for (size_t p = 0; p + 1 < kOffsets.size(); ++p) {
    const int64_t count = kOffsets[p + 1] - kOffsets[p];
    const at::Tensor wanted =
        count == 0 ? at::zeros({5}, at::kDouble) : x.narrow(0, kOffsets[p], count).amax(0);
    EXPECT_TRUE(at::equal(y[static_cast<int64_t>(p)], wanted)) << p;
  }
}

TEST(Segment, EachRowOfARunIsItsRow) {
  const at::Tensor x = at::randn({5, 3}, make_generator(1), at::kFloat);
  const at::Tensor y = segment_expand(x, offsets());
  ASSERT_EQ(y.sizes(), (at::IntArrayRef{11, 3}));
  for (size_t p = 0; p + 1 < kOffsets.size(); ++p)
    for (int64_t t = kOffsets[p]; t < kOffsets[p + 1]; ++t)
      EXPECT_TRUE(at::equal(y[t], x[static_cast<int64_t>(p)]));
}

TEST(Segment, Gradients) {
  const at::Tensor weight = at::randn({5, 4}, make_generator(2), at::kDouble);
  expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        return (segment_max(in[0], offsets()).square() * weight).sum();
      },
      {at::randn({11, 4}, make_generator(3), at::kDouble)}, "segment_max");
  const at::Tensor wide = at::randn({11, 4}, make_generator(4), at::kDouble);
  expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        return (segment_expand(in[0], offsets()).square() * wide).sum();
      },
      {at::randn({5, 4}, make_generator(5), at::kDouble)}, "segment_expand");
}

TEST(Segment, TheFirstOfEqualMaximaTakesTheGradient) {
  const at::Tensor x = at::zeros({11, 1}, at::kDouble).requires_grad_(true);
  segment_max(x, offsets()).sum().backward();
  const at::Tensor wanted = at::zeros({11, 1}, at::kDouble);
  for (const int64_t t : {0, 3, 4}) wanted[t] = 1;
  EXPECT_TRUE(at::equal(x.grad(), wanted));
}

TEST(Segment, RowsOfAPeriodicTable) {
  const at::Tensor table = at::randn({2, 5}, make_generator(1), at::kDouble);
  const at::Tensor row = at::tensor({1, 0, 1}, at::kLong), phase = at::tensor({0, 4, 3}, at::kLong);
  const at::Tensor y = periodic_rows(table, row, phase, -7, 12);
  for (int64_t n = 0; n < 3; ++n) {
    for (int64_t t = 0; t < 12; ++t) {
      const int64_t at = (phase[n].item<int64_t>() - 7 + t + 50) % 5;
      EXPECT_EQ(y[n][t].item<double>(), table[row[n].item<int64_t>()][at].item<double>());
    }
  }
  const at::Tensor weight = at::randn({3, 12}, make_generator(2), at::kDouble);
  expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        return (periodic_rows(in[0], row, phase, -7, 12).square() * weight).sum();
      },
      {table}, "periodic_rows");
}

TEST(Segment, RefusesWhatDoesNotFit) {
  const at::Tensor x = at::zeros({11, 2});
  EXPECT_THROW(segment_max(x, at::tensor({0, 3}, at::kLong)), attn::Error);
  EXPECT_THROW(segment_max(x, at::tensor({0, 12, 11}, at::kLong)), attn::Error);
  EXPECT_THROW(segment_expand(x, offsets()), attn::Error);
  const at::Tensor row = at::tensor({2}, at::kLong), phase = at::tensor({0}, at::kLong);
  EXPECT_THROW(periodic_rows(at::zeros({2, 5}), row, phase, 0, 3), attn::Error);
}

}  // namespace
}  // namespace timeseries
