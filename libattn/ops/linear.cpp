// Linear attention differentiable, and its C++ face.
#include "attn/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/linear_call.h"

namespace attn {
namespace {

using ops::kLinearArguments;
using ops::LinearCall;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "linear_attention";

/// What is not a tensor of a call, as the autograd graph keeps it.
struct LinearSettings : torch::CustomClassHolder {
  LinearAttentionOptions options;  // its tensors are empty
};

ops::LinearTensors inputs_of(const LinearCall& c) {
  const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  return {c.q, c.k, c.v, given(c.log_decay), given(c.state), given(c.norm)};
}

/// The call again, from `settings` and what the graph kept.
LinearCall call_again(const LinearAttentionOptions& settings, const tensor_list& kept) {
  LinearAttentionOptions o = settings;
  o.log_decay = kept[ops::kLogDecay], o.state = kept[ops::kState], o.norm = kept[ops::kNorm];
  return ops::call_of(kept[ops::kLinearQ], kept[ops::kLinearK], kept[ops::kLinearV], o);
}

tensor_list run_backward(const LinearAttentionOptions& settings, const tensor_list& kept,
                         const tensor_list& incoming,
                         const std::array<bool, kLinearArguments>& wanted) {
  tensor_list plain;
  for (const at::Tensor& t : kept) plain.push_back(t.defined() ? t.detach() : t);
  ops::LinearBackwardCall b;
  b.dout = ops::if_defined(incoming[0]);
  b.dstate = ops::if_defined(incoming[1]);
  if (settings.normalise) b.dnorm = ops::if_defined(incoming[2]);
  b.out = plain[kLinearArguments], b.inverse = plain[kLinearArguments + 1];
  b.wanted = wanted;
  b.forward = call_again(settings, plain);
  const auto found = ops::dispatch_linear_backward(b);
  tensor_list g = std::apply([](const auto&... t) { return tensor_list{t...}; }, found);
  for (size_t i = 0; i < kLinearArguments; ++i) g[i] = ops::if_asked(wanted[i], g[i]);
  return g;
}

struct LinearFunction : public Function<LinearFunction> {
  /// The tensors that are differentiated come first: they make the edges of the graph.
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const std::optional<at::Tensor>& log_decay,
                             const std::optional<at::Tensor>& state,
                             const std::optional<at::Tensor>& norm, const LinearCall& call) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, last_state, last_norm, inverse] = ops::dispatch_linear(call);
    const auto or_none = [](const std::optional<at::Tensor>& t) {
      return t.value_or(at::Tensor());
    };
    ctx->set_materialize_grads(false);
    // Only the denominator's gradient reads the output: an empty one is kept where there is none.
    ctx->save_for_backward({q, k, v, or_none(log_decay), or_none(state), or_none(norm),
                            call.normalise ? out : at::empty({0}, q.options()), inverse});
    auto settings = c10::make_intrusive<LinearSettings>();
    settings->options = ops::options_of(call);
    for (at::Tensor* t :
         {&settings->options.log_decay, &settings->options.state, &settings->options.norm})
      *t = at::Tensor();
    ctx->saved_data["settings"] = at::IValue::make_capsule(settings);
    tensor_list constant{inverse};
    if (!call.normalise) constant.push_back(last_norm);
    ctx->mark_non_differentiable(constant);
    return {out, last_state, last_norm, inverse};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    tensor_list g(kLinearArguments + 1);
    const bool any = std::any_of(incoming.begin(), incoming.end(),
                                 [](const at::Tensor& t) { return t.defined(); });
    if (!any) return g;
    const tensor_list kept = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["settings"].toCapsule();
    const auto& settings = static_cast<const LinearSettings&>(*capsule);
    std::array<bool, kLinearArguments> wanted{};
    for (size_t i = 0, edge = 0; i < kLinearArguments; ++i)  // what is not given has no edge
      wanted[i] = kept[i].defined() && ctx->needs_input_grad(edge++);
    tensor_list seen(kept.begin(), kept.begin() + kLinearArguments);
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found = ops::first_order(
        kOp, seen, [&] { return run_backward(settings.options, kept, incoming, wanted); });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

}  // namespace

ops::LinearResults ops::linear_autograd(const LinearCall& c) {
  const auto inputs = inputs_of(c);
  refuse_forward_mode(kOp, inputs);
  const bool differentiate = c10::GradMode::is_enabled() &&
                             std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& t) {
                               return t.defined() && t.requires_grad();
                             });
  if (!differentiate) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return dispatch_linear(c);
  }
  const tensor_list r = LinearFunction::apply(c.q, c.k, c.v, c.log_decay, c.state, c.norm, c);
  return {r[0], r[1], r[2], r[3]};
}

LinearAttentionResult linear_attention(const at::Tensor& q, const at::Tensor& k,
                                       const at::Tensor& v, const LinearAttentionOptions& options) {
  if (!q.defined() || !k.defined() || !v.defined())
    ops::check_linear(q, k, v, options);  // the dispatcher has no word for it
  const auto [out, state, norm, inverse] = ops::dispatch_linear(ops::call_of(q, k, v, options));
  return {out, state, ops::if_asked(options.normalise, norm)};
}

}  // namespace attn
