// Peak memory of a training step and of entropies over a vocabulary of 20,005 tokens: logits of
// 30,720 positions would be 2.5 GB.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "libattn/train/seed.h"
#include "tests/support/memory.h"
#include "timeseries/patch/entropy_model.h"

namespace timeseries {
namespace {

TEST(EntropyMemory, HoldsNoLogits) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  constexpr int64_t kRows = 320, kLength = 96, kVocabulary = 20005;
  EntropyModelOptions o;
  o.width = 8, o.depth = 1, o.heads = 2, o.vocabulary = kVocabulary;
  const EntropyModel model(o, 1);
  const at::Tensor ids =
      at::randint(5, kVocabulary, {kRows, kLength + 1}, attn::train::make_generator(2), at::kLong);
  const at::Tensor in = ids.narrow(1, 0, kLength).contiguous();
  const at::Tensor targets = ids.narrow(1, 1, kLength).contiguous();
  model.loss(in.narrow(0, 0, 1), targets.narrow(0, 0, 1)).backward();
  model.loss_and_gradients(in.narrow(0, 0, 1), targets.narrow(0, 0, 1));
  const double before = attn::test::status_mb("VmRSS");
  ASSERT_GT(before, 0);
  model.loss(in, targets).backward();
  model.loss_and_gradients(in, targets, {0.1, 3, 2});
  const at::Tensor h = model.entropy(in);
  const double growth = attn::test::status_mb("VmHWM") - before;
  EXPECT_TRUE(at::isfinite(h).all().item<bool>());
  RecordProperty("growth_mb", std::to_string(growth));
  EXPECT_LT(growth, 200) << "MB more than before";
  EXPECT_GT(growth, 1) << "the hidden layer alone is 4 MB: the measure does not work";
}

}  // namespace
}  // namespace timeseries
