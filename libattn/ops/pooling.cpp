#include "attn/pooling.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/ops/check.h"

namespace attn {

PoolResult attention_pool(const at::Tensor& scores, const at::Tensor& values,
                          const at::Tensor& offsets) {
  constexpr const char* kOp = "attention_pool";
  ops::check_input(kOp, "scores", scores, 2, "(T, K): instances, heads");
  ops::check_input(kOp, "values", values, 2, "(T, D): instances, features");
  ops::check_same_type(kOp, "values", values, "scores", scores);
  if (scores.size(0) != values.size(0)) {
    throw Error(std::string(kOp) + ": scores have " + std::to_string(scores.size(0)) +
                " rows and values " + std::to_string(values.size(0)) +
                "; expected one row of each per instance");
  }
  const at::Tensor packed = ops::check_offsets(kOp, offsets, scores.size(0));
  const int64_t* at = packed.const_data_ptr<int64_t>();
  std::vector<at::Tensor> out, lse, entropy;
  for (int64_t b = 0; b + 1 < packed.size(0); ++b) {
    const int64_t n = at[b + 1] - at[b];
    const at::Tensor s = scores.narrow(0, at[b], n), v = values.narrow(0, at[b], n);
    const at::Tensor l =
        n > 0 ? at::logsumexp(s, 0) : at::full({s.size(1)}, -INFINITY, s.options());
    const at::Tensor log_p = n > 0 ? s - l : s;
    const at::Tensor p = log_p.exp();
    out.push_back(at::matmul(p.t(), v));
    lse.push_back(l);
    entropy.push_back(-(p * log_p.clamp_min(-1e30)).sum(0));
  }
  if (out.empty()) {
    return {at::zeros({0, scores.size(1), values.size(1)}, scores.options()),
            at::zeros({0, scores.size(1)}, scores.options()),
            at::zeros({0, scores.size(1)}, scores.options())};
  }
  return {at::stack(out), at::stack(lse), at::stack(entropy)};
}

at::Tensor pool_weights(const at::Tensor& scores, const at::Tensor& lse,
                        const at::Tensor& offsets) {
  constexpr const char* kOp = "pool_weights";
  ops::check_input(kOp, "scores", scores, 2, "(T, K): instances, heads");
  ops::check_input(kOp, "lse", lse, 2, "(B, K): bags, heads");
  ops::check_same_type(kOp, "lse", lse, "scores", scores);
  const at::Tensor packed = ops::check_offsets(kOp, offsets, scores.size(0));
  if (lse.size(0) != packed.size(0) - 1 || lse.size(1) != scores.size(1)) {
    throw Error(std::string(kOp) + ": lse has shape " + ops::shape_text(lse) + "; expected (" +
                std::to_string(packed.size(0) - 1) + ", " + std::to_string(scores.size(1)) +
                "): bags, heads");
  }
  const at::Tensor length = at::diff(packed);
  return (scores.detach() - at::repeat_interleave(lse.detach(), length, 0, scores.size(0))).exp();
}

}  // namespace attn
