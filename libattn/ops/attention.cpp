// The attention operator differentiable, and its C++ face.
#include "attn/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <string>

#include "attn/error.h"
#include "libattn/ops/attention_call.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/layout.h"

namespace attn {
namespace {

using ops::AttentionCall;
using ops::kArguments;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "attention";

/// What is not a tensor of a call, as the autograd graph keeps it.
struct Settings : torch::CustomClassHolder {
  AttentionOptions options;  // its tensors are empty
};

std::array<at::Tensor, kArguments> inputs_of(const AttentionCall& c) {
  const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  return {c.q, c.k, c.v, given(c.bias), given(c.slopes), given(c.sink)};
}

/// The options without their tensors.
AttentionOptions settings_of(const AttentionCall& c) {
  AttentionOptions o = ops::options_of(c);
  for (at::Tensor* t :
       {&o.bias, &o.key_padding_mask, &o.slopes, &o.sink, &o.q_offsets, &o.k_offsets})
    *t = at::Tensor();
  return o;
}

/// The call again, from `settings` and what the graph kept.
AttentionCall call_again(const AttentionOptions& settings, const tensor_list& kept) {
  AttentionOptions o = settings;
  o.bias = kept[3], o.slopes = kept[4], o.sink = kept[5];
  o.key_padding_mask = kept[6], o.q_offsets = kept[7], o.k_offsets = kept[8];
  return ops::call_of(kept[0], kept[1], kept[2], o);
}

tensor_list list_of(const ops::AttentionResults& results) {
  return std::apply([](const auto&... t) { return tensor_list{t...}; }, results);
}

struct AttentionFunction : public Function<AttentionFunction> {
  /// The tensors that are differentiated come first: they make the edges of the graph.
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const std::optional<at::Tensor>& bias,
                             const std::optional<at::Tensor>& slopes,
                             const std::optional<at::Tensor>& sink, const AttentionCall& call) {
    const at::AutoDispatchBelowADInplaceOrView below;
    tensor_list r = list_of(ops::dispatch_attention(call));
    const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({q, k, v, given(bias), given(slopes), given(sink),
                            given(call.key_padding_mask), given(call.q_offsets),
                            given(call.k_offsets), r[0], r[1], r[5], r[2]});
    auto settings = c10::make_intrusive<Settings>();
    settings->options = settings_of(call);
    ctx->saved_data["settings"] = at::IValue::make_capsule(settings);
    tensor_list constant{r[5]};
    if (!call.row_max) constant.push_back(r[3]);
    if (!call.column_mass) constant.push_back(r[4]);
    ctx->mark_non_differentiable(constant);
    return r;
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    tensor_list g(kArguments + 1);
    if (incoming[3].defined())
      throw Error(std::string(kOp) +
                  ": row_max was differentiated; a maximum has no gradient where keys tie, and "
                  "none is given here: use lse, or row_max.detach()");
    const bool any = std::any_of(incoming.begin(), incoming.end(),
                                 [](const at::Tensor& t) { return t.defined(); });
    if (!any) return g;
    const tensor_list kept = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["settings"].toCapsule();
    const auto& settings = static_cast<const Settings&>(*capsule);
    std::array<bool, kArguments> wanted{};
    for (size_t i = 0, edge = 0; i < kArguments; ++i)  // what is not given has no edge
      wanted[i] = kept[i].defined() && ctx->needs_input_grad(edge++);
    tensor_list seen(kept.begin(), kept.begin() + kArguments);
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found = ops::first_order(
        kOp, seen, [&] { return run_backward(settings.options, kept, incoming, wanted); });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }

  static tensor_list run_backward(const AttentionOptions& settings, const tensor_list& kept,
                                  const tensor_list& incoming,
                                  const std::array<bool, kArguments>& wanted) {
    tensor_list plain;
    for (const at::Tensor& t : kept) plain.push_back(t.defined() ? t.detach() : t);
    ops::AttentionBackwardCall call;
    call.dout = ops::if_defined(incoming[0]);
    call.dlse = ops::if_defined(incoming[1]);
    call.dentropy = ops::if_defined(incoming[2]);
    call.dcolumn_mass = ops::if_defined(incoming[4]);
    call.out = plain[9], call.lse = plain[10], call.lse_tail = plain[11], call.entropy = plain[12];
    call.wanted = wanted;
    call.forward = call_again(settings, plain);
    tensor_list g = list_of(ops::dispatch_attention_backward(call));
    for (size_t i = 0; i < kArguments; ++i) g[i] = ops::if_asked(wanted[i], g[i]);
    return g;
  }
};

}  // namespace

ops::AttentionResults ops::attention_autograd(const AttentionCall& call) {
  const auto inputs = inputs_of(call);
  refuse_forward_mode(kOp, inputs);
  const bool differentiate = c10::GradMode::is_enabled() &&
                             std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& t) {
                               return t.defined() && t.requires_grad();
                             });
  if (!differentiate) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return dispatch_attention(call);
  }
  const tensor_list r =
      AttentionFunction::apply(call.q, call.k, call.v, call.bias, call.slopes, call.sink, call);
  return {r[0], r[1], r[2], r[3], r[4], r[5]};
}

AttentionResult attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionOptions& options) {
  if (!q.defined() || !k.defined() || !v.defined())
    ops::check_attention(q, k, v, options);  // the dispatcher has no word for it
  const auto [out, lse, entropy, row_max, column_mass, lse_tail] =
      ops::dispatch_attention(ops::call_of(q, k, v, options));
  return {out,
          lse,
          entropy,
          ops::if_asked(options.row_max, row_max),
          ops::if_asked(options.column_mass, column_mass),
          lse_tail};
}

}  // namespace attn
