// Results over parts of the keys, merged, are the results over all keys.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"

namespace {

using attn::attention;
using attn::AttentionOptions;
using attn::AttentionResult;
using attn::merge_attention;
using attn::test::expect_gradients;

at::Tensor normal(const std::vector<int64_t>& shape, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::TensorOptions().dtype(type));
}

/// The operator over keys [cuts[s], cuts[s + 1]) for every s; the sink is the first part's.
std::vector<AttentionResult> in_parts(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      const std::vector<int64_t>& cuts,
                                      const AttentionOptions& options) {
  std::vector<AttentionResult> parts;
  for (size_t s = 0; s + 1 < cuts.size(); ++s) {
    AttentionOptions o = options;
    const int64_t from = cuts[s], n = cuts[s + 1] - from;
    if (s > 0) o.sink = at::Tensor();
    if (o.bias.defined()) o.bias = o.bias.narrow(-1, from, n);
    if (o.key_padding_mask.defined()) o.key_padding_mask = o.key_padding_mask.narrow(1, from, n);
    parts.push_back(attention(q, k.narrow(2, from, n), v.narrow(2, from, n), o));
  }
  return parts;
}

void expect_close(const at::Tensor& a, const at::Tensor& b, double tolerance,
                  const std::string& what) {
  EXPECT_TRUE(at::allclose(a, b, tolerance, tolerance)) << what << "\n" << a << "\n" << b;
}

TEST(Merge, PartsAreTheWhole) {
  at::manual_seed(1);
  const at::Tensor q = normal({2, 3, 9, 8}), k = normal({2, 3, 40, 8}), v = normal({2, 3, 40, 5});
  AttentionOptions o;
  o.row_max = true;
  o.sink = normal({3});
  o.bias = normal({3, 9, 40});
  o.key_padding_mask = at::ones({2, 40}, at::kBool);
  o.key_padding_mask.narrow(1, 10, 5).fill_(false);  // a part that sees no key
  const AttentionResult whole = attention(q, k, v, o);
  for (const std::vector<int64_t>& cuts :
       std::vector<std::vector<int64_t>>{{0, 40}, {0, 17, 40}, {0, 10, 15, 15, 39, 40}}) {
    const AttentionResult merged = merge_attention(in_parts(q, k, v, cuts, o));
    const std::string what = testing::PrintToString(cuts);
    expect_close(merged.out, whole.out, 1e-13, what + ": out");
    expect_close(merged.lse, whole.lse, 1e-13, what + ": lse");
    expect_close(merged.entropy, whole.entropy, 1e-12, what + ": entropy");
    EXPECT_TRUE(at::equal(merged.row_max, whole.row_max)) << what;
  }
}

TEST(Merge, HasItsGradients) {
  at::manual_seed(2);
  const at::Tensor mask = at::ones({1, 7}, at::kBool);
  mask.narrow(1, 3, 2).fill_(false);
  expect_gradients(
      [&](const std::vector<at::Tensor>& x) {
        AttentionOptions o;
        o.key_padding_mask = mask;
        o.sink = x[3];
        const AttentionResult r = merge_attention(in_parts(x[0], x[1], x[2], {0, 3, 5, 7}, o));
        return r.out.square().sum() + (r.lse * r.lse).sum() + r.entropy.exp().sum();
      },
      {normal({1, 2, 4, 3}), normal({1, 2, 7, 3}), normal({1, 2, 7, 2}), normal({2})}, "merge");
}

TEST(Merge, StaysExactAtLogitsOfAnySize) {
  at::manual_seed(3);
  for (const double offset : {0.0, 1000.0, 10000.0}) {
    const at::Tensor q = normal({1, 1, 16, 4}, at::kFloat), k = normal({1, 1, 64, 4}, at::kFloat);
    AttentionOptions o;
    o.bias = at::full({1}, offset, at::kFloat).expand({16, 64});
    const AttentionResult whole = attention(q.to(at::kDouble), k.to(at::kDouble),
                                            k.to(at::kDouble));  // an offset changes no weight
    const AttentionResult merged = merge_attention(in_parts(q, k, k, {0, 20, 41, 64}, o));
    const double ulp = offset * 1.2e-7;  // of the logits themselves in fp32
    expect_close(merged.entropy.to(at::kDouble), whole.entropy, 4e-6 + 8 * ulp, "entropy");
    expect_close(merged.out.to(at::kDouble), whole.out, 4e-6 + 8 * ulp, "out");
  }
}

TEST(Merge, RowsThatSeeNoKeyAnywhere) {
  const at::Tensor q = normal({1, 1, 2, 3}), k = normal({1, 1, 4, 3});
  AttentionOptions o;
  o.key_padding_mask = at::zeros({1, 4}, at::kBool);
  const AttentionResult r = merge_attention(in_parts(q, k, k, {0, 2, 4}, o));
  EXPECT_TRUE(r.out.eq(0).all().item<bool>() && r.entropy.eq(0).all().item<bool>());
  EXPECT_TRUE((r.lse == -INFINITY).all().item<bool>());
}

TEST(Merge, RefusesWhatDoesNotFit) {
  const at::Tensor q = normal({1, 1, 2, 3});
  const AttentionResult a = attention(q, q, q);
  const auto refusal = [](const std::vector<AttentionResult>& parts) -> std::string {
    try {
      merge_attention(parts);
    } catch (const attn::Error& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal({}), testing::HasSubstr("no parts"));
  EXPECT_THAT(refusal({a, attention(q.narrow(2, 0, 1), q, q)}),
              testing::HasSubstr("part 1: out has shape (1, 1, 1, 3)"));
  EXPECT_THAT(refusal({a, attention(q.to(at::kFloat), q.to(at::kFloat), q.to(at::kFloat))}),
              testing::HasSubstr("part 1: out has type Float"));
  AttentionResult small = a;
  small.lse = small.entropy = normal({1, 1, 1});
  EXPECT_THAT(refusal({small, small}),
              testing::HasSubstr("part 0: lse has shape (1, 1, 1); expected (1, 1, 2)"));
  AttentionResult tail = a;
  tail.lse_tail = normal({1, 1, 1});
  EXPECT_THAT(refusal({a, tail}), testing::HasSubstr("part 1: lse_tail has shape (1, 1, 1)"));
  AttentionOptions o;
  o.column_mass = true;
  EXPECT_THAT(refusal({attention(q, q, q, o)}), testing::HasSubstr("column_mass"));
}

}  // namespace
