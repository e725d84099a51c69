// merge_attention differentiable, and its C++ face.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <string>

#include "attn/attention.h"
#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/merge_call.h"
#include "libattn/ops/registration.h"

namespace attn {
namespace {

using ops::MergeBackwardCall;
using ops::MergeCall;
using ops::MergeResults;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "merge_attention";

MergeResults dispatch_merge(const MergeCall& c) {
  ops::register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::merge_attention", "")
                             .typed<ops::MergeSignature>();
  return op.call(c.out, c.lse, c.entropy, c.row_max, c.lse_tail);
}

tensor_list dispatch_merge_backward(const MergeBackwardCall& b) {
  ops::register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::merge_attention_backward", "")
                             .typed<ops::MergeBackwardSignature>();
  return op.call(b.dout, b.dlse, b.dentropy, b.merged_out, b.merged_lse, b.merged_entropy, b.out,
                 b.lse, b.entropy, b.lse_tail);
}

tensor_list detached(const tensor_list& tensors) {
  tensor_list plain;
  for (const at::Tensor& t : tensors) plain.push_back(t.defined() ? t.detach() : t);
  return plain;
}

/// `count` tensors from `first` on.
tensor_list slice(const tensor_list& all, size_t first, size_t count) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

struct Merge : public Function<Merge> {
  /// `inputs`: out of every part, then lse, then entropy.
  static tensor_list forward(AutogradContext* ctx, at::TensorList inputs, const MergeCall& call) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, lse, entropy, row_max, lse_tail] = dispatch_merge(call);
    tensor_list kept(inputs.begin(), inputs.end());
    kept.insert(kept.end(), call.lse_tail.begin(), call.lse_tail.end());
    kept.insert(kept.end(), {out, lse, entropy});
    ctx->set_materialize_grads(false);
    ctx->saved_data["parts"] = static_cast<int64_t>(call.out.size());
    ctx->save_for_backward(kept);
    tensor_list constant{lse_tail};
    if (!call.has_row_max()) constant.push_back(row_max);
    ctx->mark_non_differentiable(constant);
    return {out, lse, entropy, row_max, lse_tail};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    const auto n = static_cast<size_t>(ctx->saved_data["parts"].toInt());
    if (incoming[3].defined())
      throw Error(std::string(kOp) +
                  ": row_max was differentiated; a maximum has no gradient where keys tie, and "
                  "none is given here: use lse, or row_max.detach()");
    tensor_list g(3 * n + 1);
    if (!incoming[0].defined() && !incoming[1].defined() && !incoming[2].defined()) return g;
    const tensor_list kept = ctx->get_saved_variables(), plain = detached(kept);
    const MergeBackwardCall call{ops::if_defined(incoming[0]),
                                 ops::if_defined(incoming[1]),
                                 ops::if_defined(incoming[2]),
                                 plain[4 * n],
                                 plain[4 * n + 1],
                                 plain[4 * n + 2],
                                 slice(plain, 0, n),
                                 slice(plain, n, n),
                                 slice(plain, 2 * n, n),
                                 slice(plain, 3 * n, n)};
    tensor_list seen = slice(kept, 0, 3 * n);
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found =
        ops::first_order(kOp, seen, [&] { return dispatch_merge_backward(call); });
    for (size_t i = 0; i < 3 * n; ++i) g[i % 3 * n + i / 3] = found[i];
    return g;
  }
};

MergeCall call_of(const std::vector<AttentionResult>& parts) {
  MergeCall c;
  const bool maxima = std::all_of(parts.begin(), parts.end(),
                                  [](const AttentionResult& p) { return p.row_max.defined(); });
  for (const AttentionResult& p : parts) {
    c.out.push_back(p.out);
    c.lse.push_back(p.lse);
    c.entropy.push_back(p.entropy);
    c.lse_tail.push_back(p.lse_tail.defined() ? p.lse_tail : at::zeros_like(p.lse));
    if (maxima) c.row_max.push_back(p.row_max);
  }
  return c;
}

}  // namespace

MergeResults ops::merge_autograd(const MergeCall& c) {
  tensor_list inputs;
  for (const tensor_list* list : {&c.out, &c.lse, &c.entropy})
    inputs.insert(inputs.end(), list->begin(), list->end());
  refuse_forward_mode(kOp, inputs);
  const bool differentiate =
      c10::GradMode::is_enabled() &&
      std::any_of(inputs.begin(), inputs.end(), [](const auto& t) { return t.requires_grad(); });
  if (!differentiate) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return dispatch_merge(c);
  }
  const tensor_list r = Merge::apply(at::TensorList(inputs), c);
  return {r[0], r[1], r[2], r[3], r[4]};
}

AttentionResult merge_attention(const std::vector<AttentionResult>& parts) {
  ops::check_parts(parts);
  const MergeCall call = call_of(parts);
  const auto [out, lse, entropy, row_max, lse_tail] = dispatch_merge(call);
  return {out, lse, entropy, ops::if_asked(call.has_row_max(), row_max), {}, lse_tail};
}

}  // namespace attn
