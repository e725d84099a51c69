#include "attn/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/linear_problem.h"

namespace attn {
namespace {

using ops::if_defined;
using ops::kLinearArguments;
using ops::LinearProblem;
using ops::LinearSaved;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

/// What is not a tensor of a problem, as the autograd graph keeps it.
struct LinearSettings : torch::CustomClassHolder {
  LinearAttentionOptions options;
};

struct LinearFunction : public Function<LinearFunction> {
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const std::optional<at::Tensor>& log_decay,
                             const std::optional<at::Tensor>& state,
                             const std::optional<at::Tensor>& norm, const LinearProblem& p) {
    const LinearSaved s = ops::linear_forward(p);
    const auto or_none = [](const std::optional<at::Tensor>& t) {
      return t.value_or(at::Tensor());
    };
    ctx->set_materialize_grads(false);
    // Only the denominator's gradient reads the output.
    ctx->save_for_backward({q, k, v, or_none(log_decay), or_none(state), or_none(norm),
                            p.options.normalise ? s.out : at::Tensor(), s.inverse});
    auto settings = c10::make_intrusive<LinearSettings>();
    settings->options = p.options;
    ctx->saved_data["settings"] = at::IValue::make_capsule(settings);
    // An empty tensor stands for z where there is none: a Function returns no undefined ones.
    return {s.out, s.state, s.norm.defined() ? s.norm : at::empty({0}, q.options())};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    tensor_list g(kLinearArguments + 1);
    const bool any = std::any_of(incoming.begin(), incoming.end(),
                                 [](const at::Tensor& t) { return t.defined(); });
    if (!any) return g;
    const tensor_list kept = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["settings"].toCapsule();
    LinearProblem p;
    std::copy_n(kept.begin(), kLinearArguments, p.inputs.begin());
    p.options = static_cast<const LinearSettings&>(*capsule).options;
    LinearSaved s;
    if (p.options.normalise) s.out = kept[6].detach(), s.inverse = kept[7].detach();
    std::array<bool, kLinearArguments> wanted{};
    for (size_t i = 0, edge = 0; i < kLinearArguments; ++i)  // what is not given has no edge
      wanted[i] = p.inputs[i].defined() && ctx->needs_input_grad(edge++);
    tensor_list seen(p.inputs.begin(), p.inputs.end());
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found = ops::first_order("linear_attention", seen, [&] {
      const auto gradients = ops::linear_backward(
          p, s, {incoming[0], incoming[1], p.options.normalise ? incoming[2] : at::Tensor()},
          wanted);
      return tensor_list(gradients.begin(), gradients.end());
    });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

}  // namespace

LinearAttentionResult linear_attention(const at::Tensor& q, const at::Tensor& k,
                                       const at::Tensor& v, const LinearAttentionOptions& options) {
  const LinearProblem p = ops::check_linear(q, k, v, options);
  ops::refuse_forward_mode("linear_attention", p.inputs);
  const bool differentiate = c10::GradMode::is_enabled() &&
                             std::any_of(p.inputs.begin(), p.inputs.end(), [](const at::Tensor& t) {
                               return t.defined() && t.requires_grad();
                             });
  if (!differentiate) {
    const LinearSaved s = ops::linear_forward(p);
    return {s.out, s.state, s.norm};
  }
  const tensor_list r =
      LinearFunction::apply(q, k, v, if_defined(options.log_decay), if_defined(options.state),
                            if_defined(options.norm), p);
  return {r[0], r[1], options.normalise ? r[2] : at::Tensor()};
}

}  // namespace attn
