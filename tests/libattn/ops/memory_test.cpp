// Peak memory of attention at 65,536 tokens, forward and backward: one matrix of N x N would be 17
// GB.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>

#include "attn/attention.h"
#include "tests/support/memory.h"

namespace {

TEST(AttentionMemory, GrowsWithTokensNotWithTheirSquare) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  constexpr int64_t kTokens = 65536, kWidth = 16;
  at::manual_seed(1);
  const auto leaf = [&] { return at::randn({1, 1, kTokens, kWidth}).requires_grad_(true); };
  const at::Tensor q = leaf(), k = leaf(), v = leaf();
  {
    const at::Tensor warm = q.detach().narrow(2, 0, 64);
    attn::attention(warm, warm, warm);
  }
  const double before = attn::test::status_mb("VmRSS");
  ASSERT_GT(before, 0);
  const attn::AttentionResult r = attn::attention(q, k, v);
  const auto g = torch::autograd::grad({r.out.sum() + r.entropy.sum()}, {q, k, v});
  const double growth = attn::test::status_mb("VmHWM") - before;
  EXPECT_TRUE(at::isfinite(g[0]).all().item<bool>());
  RecordProperty("growth_mb", std::to_string(growth));
  EXPECT_LT(growth, 200) << "MB more than before";
  EXPECT_GT(growth, 4) << "the output alone is 4 MB: the measure does not work";
}

}  // namespace
