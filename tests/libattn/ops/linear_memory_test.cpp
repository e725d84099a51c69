// Peak memory of linear attention with Taylor features at 32,768 tokens, forward and backward: the
// features of all tokens would be 281 MB, a matrix of N x N 4 GB.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>

#include "attn/linear.h"
#include "tests/support/memory.h"

namespace {

TEST(LinearAttentionMemory, HoldsNoFeaturesOfAllTokens) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  constexpr int64_t kTokens = 32768, kWidth = 64;
  at::manual_seed(1);
  const auto leaf = [&] { return at::randn({1, 1, kTokens, kWidth}).requires_grad_(true); };
  const at::Tensor q = leaf(), k = leaf(), v = leaf();
  attn::LinearAttentionOptions options;
  options.map = attn::FeatureMap::taylor, options.normalise = true;
  {
    const at::Tensor warm = q.detach().narrow(2, 0, 64);
    attn::linear_attention(warm, warm, warm, options);
  }
  const double before = attn::test::status_mb("VmRSS");
  ASSERT_GT(before, 0);
  const at::Tensor out = attn::linear_attention(q, k, v, options).out;
  const auto g = torch::autograd::grad({out.sum()}, {q, k, v});
  const double growth = attn::test::status_mb("VmHWM") - before;
  EXPECT_TRUE(at::isfinite(g[0]).all().item<bool>());
  RecordProperty("growth_mb", std::to_string(growth));
  EXPECT_LT(growth, 150) << "MB more than before";
  EXPECT_GT(growth, 8) << "the output alone is 8 MB: the measure does not work";
}

}  // namespace
