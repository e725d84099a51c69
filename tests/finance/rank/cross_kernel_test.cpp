// Oracle: the same network through operators, as it is trained.
#include "finance/rank/cross_kernel.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "finance/rank/ranker.h"
#include "tests/support/every_target.h"

namespace finance {
namespace {

const std::vector<int64_t> kLengths{50, 1, 0, 17, 64, 33, 2, 300, 50, 50};

RankBatch batch_of(const RankerOptions& o, const std::vector<int64_t>& lengths) {
  at::manual_seed(5);
  std::vector<int64_t> offsets{0};
  for (const int64_t n : lengths) offsets.push_back(offsets.back() + n);
  const int64_t rows = offsets.back();
  std::vector<at::Tensor> codes{at::zeros({rows, 0}, at::kLong)};
  for (const int64_t count : o.categories)
    codes.push_back(at::randint(count, {rows, 1}, at::kLong));
  return {at::randn({rows, o.features}), at::cat(codes, 1), at::tensor(offsets, at::kLong)};
}

/// The traders from `first` on as one list.
RankBatch one_list(const RankBatch& all, int64_t first, int64_t count) {
  return {all.features.narrow(0, first, count), all.codes.narrow(0, first, count),
          at::tensor(std::vector<int64_t>{0, count}, at::kLong)};
}

at::Tensor fused(const Ranker& ranker, const RankBatch& batch) {
  const c10::NoGradGuard no_grad;
  return ranker.forward(batch);
}

std::vector<RankerOptions> all_options() {
  std::vector<RankerOptions> all;
  for (const RankModel model : {RankModel::cross, RankModel::rankformer})
    for (const std::vector<int64_t>& categories : {std::vector<int64_t>{}, {4, 3}})
      for (const int64_t layers : {0, 2}) {
        RankerOptions o;
        o.model = model, o.categories = categories, o.layers = layers;
        o.features = 18;
        all.push_back(o);
        o.width = 12, o.heads = o.self_heads = 3, o.hidden = 7, o.features = 1, o.bounded = true;
        all.push_back(o);
      }
  return all;
}

TEST(CrossKernel, IsTheNetworkThatIsTrained) {
  attn::test::with_every_target([] {
    for (const RankerOptions& o : all_options()) {
      const Ranker ranker(o, 3);
      const RankBatch batch = batch_of(o, kLengths);
      const at::Tensor want = ranker.forward(batch).detach(), got = fused(ranker, batch);
      ASSERT_EQ(got.sizes(), want.sizes());
      EXPECT_GT(want.std().item<double>(), 1e-2);
      EXPECT_LT((got - want).abs().max().item<double>(), 2e-5) << to_string(o.model);
    }
  });
}

TEST(CrossKernel, ListAloneIsTheSameBitForBit) {
  for (const RankerOptions& o : all_options()) {
    const Ranker ranker(o, 3);
    const RankBatch batch = batch_of(o, kLengths);
    const at::Tensor all = fused(ranker, batch);
    int64_t first = 0;
    for (const int64_t n : kLengths) {
      EXPECT_TRUE(at::equal(all.narrow(0, first, n), fused(ranker, one_list(batch, first, n))));
      first += n;
    }
  }
}

TEST(CrossKernel, ThreadsDoNotMatter) {
  RankerOptions o;
  o.features = 18;
  const Ranker ranker(o, 3);
  const RankBatch batch = batch_of(o, std::vector<int64_t>(200, 30));
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = fused(ranker, batch);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(fused(ranker, batch), one));
  at::set_num_threads(before);
}

TEST(CrossKernel, ProbeSeesAttentionAndChangesNothing) {
  RankerOptions o;
  o.features = 18;
  const Ranker ranker(o, 3);
  const RankBatch batch = batch_of(o, {12, 20});
  const at::Tensor plain = fused(ranker, batch);
  attn::Probe probe;
  EXPECT_TRUE(at::equal(fused(ranker, batch), plain));
  EXPECT_EQ(probe.report().layers.size(), 2U);
}

TEST(CrossKernel, NoTradersAndWrongOffsets) {
  RankerOptions o;
  o.features = 18;
  const Ranker ranker(o, 3);
  EXPECT_EQ(fused(ranker, batch_of(o, {0, 0})).numel(), 0);
  RankBatch batch = batch_of(o, {4});
  batch.offsets = at::tensor(std::vector<int64_t>{0, 5}, at::kLong);
  EXPECT_THROW(fused(ranker, batch), attn::Error);
}

}  // namespace
}  // namespace finance
