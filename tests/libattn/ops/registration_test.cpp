// The operators by name in the dispatcher: shapes alone, autocast, names that are none.
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/error.h"
#include "attn/linear.h"
#include "attn/pooling.h"
#include "tests/support/refusal.h"

namespace {

using attn::AttentionOptions;
using attn::AttentionResult;

std::vector<at::Tensor> tensors_of(const AttentionResult& r) {
  return {r.out, r.lse, r.entropy, r.row_max, r.column_mass, r.lse_tail};
}

TEST(Registration, ShapesWithoutDataAreThoseOfTheKernels) {
  AttentionOptions o;
  o.row_max = o.column_mass = true;
  const at::Tensor q = at::randn({2, 5, 4, 3}).transpose(1, 2), k = at::randn({2, 2, 7, 3}),
                   v = at::randn({2, 2, 7, 6});
  const auto real = tensors_of(attn::attention(q, k, v, o));
  const auto meta =
      tensors_of(attn::attention(q.to(at::kMeta), k.to(at::kMeta), v.to(at::kMeta), o));
  for (size_t i = 0; i < real.size(); ++i) {
    EXPECT_EQ(meta[i].sizes(), real[i].sizes()) << i;
    EXPECT_EQ(meta[i].strides(), real[i].strides()) << i;
    EXPECT_EQ(meta[i].scalar_type(), real[i].scalar_type()) << i;
    EXPECT_TRUE(meta[i].is_meta()) << i;
  }
}

TEST(Registration, AutocastComputesInSinglePrecision) {
  const at::Tensor x = at::randn({1, 2, 5, 4});
  const at::Tensor half = x.to(at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const AttentionResult r = attn::attention(half, half, half);
  const attn::PoolResult pool =
      attn::attention_pool(half[0][0], half[0][1], at::tensor({0, 5}, at::kLong));
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(r.out.scalar_type(), at::kFloat);
  EXPECT_EQ(pool.out.scalar_type(), at::kFloat);
  const at::Tensor same = half.to(at::kFloat);
  EXPECT_TRUE(at::equal(r.out, attn::attention(same, same, same).out));
  EXPECT_THROW(attn::attention(half, half, half), attn::Error);
}

/// The same of linear attention, whose maps change the size of the state.
TEST(Registration, ShapesOfLinearAttentionAreThoseOfTheKernels) {
  for (const attn::FeatureMap map :
       {attn::FeatureMap::elu, attn::FeatureMap::hedgehog, attn::FeatureMap::taylor}) {
    attn::LinearAttentionOptions o;
    o.map = map, o.normalise = true;
    const at::Tensor q = at::randn({2, 7, 4, 3}).transpose(1, 2), k = at::randn({2, 2, 7, 3}),
                     v = at::randn({2, 2, 7, 6});
    const auto real = attn::linear_attention(q, k, v, o);
    const auto meta = attn::linear_attention(q.to(at::kMeta), k.to(at::kMeta), v.to(at::kMeta), o);
    for (const auto& [shape, value] :
         {std::pair(meta.out, real.out), {meta.state, real.state}, {meta.norm, real.norm}}) {
      EXPECT_EQ(shape.sizes(), value.sizes());
      EXPECT_EQ(shape.strides(), value.strides());
      EXPECT_EQ(shape.scalar_type(), value.scalar_type());
      EXPECT_TRUE(shape.is_meta());
    }
  }
}

/// torch.ops.attn.linear_attention_backward of `x` as q, k and v, as Python calls it.
void linear_backward_boxed(const at::Tensor& x, const at::Tensor& dnorm, bool wants_state,
                           bool normalise, const std::string& map) {
  const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("attn::linear_attention_backward", "");
  const c10::List<bool> wanted({true, true, true, false, wants_state, false});
  const at::Tensor none = at::empty({0});
  torch::jit::Stack stack{
      x, c10::IValue(), dnorm.defined() ? c10::IValue(dnorm) : c10::IValue(), x, none, wanted, x, x,
      x};
  for (int i = 0; i < 3; ++i) stack.emplace_back();  // log_decay, state, norm
  stack.emplace_back(map);
  stack.emplace_back(true);
  stack.emplace_back(normalise);
  stack.emplace_back(1e-6);
  stack.emplace_back(int64_t{0});
  op.callBoxed(stack);
}

TEST(Registration, LinearBackwardIsCheckedAsWell) {
  const at::Tensor x = at::randn({1, 2, 5, 4});
  attn::linear_attention(x, x, x);  // the library is linked in
  linear_backward_boxed(x, {}, false, false, "elu");
  const auto refused = [&](const at::Tensor& dnorm, bool wants_state, bool normalise,
                           const char* map, const char* part) {
    attn::test::expect_refusal(
        [&] { linear_backward_boxed(x, dnorm, wants_state, normalise, map); }, part);
  };
  refused(at::zeros({1, 1, 1}), false, false, "elu", "dnorm was given without normalise");
  refused(at::zeros({1, 1, 1}), false, true, "elu", "dnorm is Float (1, 1, 1)");
  refused({}, true, false, "elu", "the gradient of state is wanted, and none was given");
  refused({}, false, false, "cosine", "map is 'cosine'; expected one of identity, elu");
}

TEST(Registration, LinearAttentionRefusesOneTensorOfShapesAmongData) {
  const at::Tensor x = at::randn({1, 2, 5, 4});
  attn::test::expect_refusal([&] { attn::linear_attention(x, x.to(at::kMeta), x); },
                             "expected one device");
}

TEST(Registration, LinearAttentionUnderAutocastAndOfNegatedViews) {
  const at::Tensor half = at::randn({1, 2, 5, 4}).to(at::kBFloat16);
  const at::Tensor same = half.to(at::kFloat);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor out = attn::linear_attention(half, half, half).out;
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_TRUE(at::equal(out, attn::linear_attention(same, same, same).out));
  EXPECT_THROW(attn::linear_attention(half, half, half), attn::Error);
  // A view whose sign is turned when it is read.
  EXPECT_TRUE(at::equal(attn::linear_attention(same, same, at::_neg_view(same)).out, -out));
}

/// torch.ops.attn.attention(x, x, x, causal=..., dropout_offset=...) as Python calls it.
void call_boxed(const at::Tensor& x, const std::string& causal, int64_t dropout_offset) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("attn::attention", "");
  torch::jit::Stack stack{x, x, x};
  const auto& arguments = op.schema().arguments();
  for (size_t i = 3; i < arguments.size(); ++i) {
    const std::string& name = arguments[i].name();
    if (name == "causal") {
      stack.emplace_back(causal);
    } else if (name == "dropout_offset") {
      stack.emplace_back(dropout_offset);
    } else {
      stack.push_back(*arguments[i].default_value());
    }
  }
  op.callBoxed(stack);
  EXPECT_EQ(stack.size(), 6u);
}

TEST(Registration, BoxedCallsAreCheckedAsTypedOnes) {
  const at::Tensor x = at::randn({1, 2, 5, 4});
  attn::attention(x, x, x);  // the library is linked in
  call_boxed(x, "top_left", 0);
  try {
    call_boxed(x, "left", 0);
    ADD_FAILURE() << "accepted";
  } catch (const attn::Error& e) {
    EXPECT_STREQ(e.what(),
                 "attention: causal is 'left'; expected one of none, top_left, bottom_right");
  }
  try {
    call_boxed(x, "none", -1);
    ADD_FAILURE() << "accepted";
  } catch (const attn::Error& e) {
    EXPECT_STREQ(e.what(), "attention: dropout_offset is -1; expected 0 to 4294967295");
  }
}

TEST(Registration, OneTensorOfShapesAloneAmongOthersIsRefused) {
  const at::Tensor x = at::randn({1, 2, 5, 4});
  AttentionOptions o;
  o.bias = at::empty({5, 5}, at::kMeta);
  EXPECT_THROW(attn::attention(x, x, x, o), attn::Error);
  EXPECT_THROW(attn::attention_pool(x[0][0], x[0][1], at::empty({2}, at::kMeta).to(at::kLong)),
               attn::Error);
}

TEST(Registration, ForwardModeIsRefused) {
  const auto level = torch::autograd::forward_ad::enter_dual_level();
  EXPECT_EQ(level, 0u);
  const at::Tensor x = at::randn({1, 2, 5, 4});
  const at::Tensor dual = at::_make_dual(x, at::ones_like(x), static_cast<int64_t>(level));
  EXPECT_THROW(attn::attention(dual, x, x), attn::Error);
  EXPECT_THROW(attn::linear_attention(dual, x, x), attn::Error);
  EXPECT_THROW(attn::attention_pool(x[0][0], dual[0][1], at::tensor({0, 5}, at::kLong)),
               attn::Error);
  torch::autograd::forward_ad::exit_dual_level(level);
}

}  // namespace
