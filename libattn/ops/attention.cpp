#include "attn/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <string>

#include "attn/error.h"
#include "libattn/ops/attention_problem.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn {
namespace {

using ops::AttentionProblem;
using ops::AttentionSaved;
using ops::if_defined;
using ops::kArguments;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "attention";

/// What is not a tensor of a problem, as the autograd graph keeps it.
struct Settings : torch::CustomClassHolder {
  AttentionOptions options;
  double scale = 1;
};

AttentionResult result_of(const AttentionSaved& s) {
  return {s.out, s.lse, s.entropy, s.row_max, s.column_mass, s.lse_tail};
}

struct AttentionFunction : public Function<AttentionFunction> {
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const std::optional<at::Tensor>& bias,
                             const std::optional<at::Tensor>& slopes,
                             const std::optional<at::Tensor>& sink, const AttentionProblem& p) {
    const AttentionSaved s = ops::attention_forward(p);
    const auto or_none = [](const std::optional<at::Tensor>& t) {
      return t.value_or(at::Tensor());
    };
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({q, k, v, or_none(bias), or_none(slopes), or_none(sink), p.mask,
                            p.q_offsets, p.k_offsets, s.out, s.lse, s.lse_tail, s.entropy});
    auto settings = c10::make_intrusive<Settings>();
    settings->options = p.options;
    settings->scale = p.scale;
    ctx->saved_data["settings"] = at::IValue::make_capsule(settings);
    // Empty tensors stand for what was not asked for: a Function returns no undefined ones.
    const auto or_empty = [&](const at::Tensor& t) {
      return t.defined() ? t : at::empty({0}, q.options());
    };
    ctx->mark_non_differentiable({s.lse_tail});
    return {s.out, s.lse, s.entropy, or_empty(s.row_max), or_empty(s.column_mass), s.lse_tail};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    tensor_list g(7);
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
    AttentionProblem p;
    std::copy_n(kept.begin(), kArguments, p.inputs.begin());
    p.mask = kept[6], p.q_offsets = kept[7], p.k_offsets = kept[8];
    p.options = settings.options;
    p.scale = settings.scale;
    AttentionSaved s;
    s.out = kept[9].detach(), s.lse = kept[10].detach();
    s.lse_tail = kept[11].detach(), s.entropy = kept[12].detach();
    std::array<bool, kArguments> wanted{};
    for (size_t i = 0, edge = 0; i < kArguments; ++i)  // what is not given has no edge
      wanted[i] = p.inputs[i].defined() && ctx->needs_input_grad(edge++);
    tensor_list seen(p.inputs.begin(), p.inputs.end());
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found = ops::first_order(kOp, seen, [&] {
      const auto gradients = ops::attention_backward(
          p, s, {incoming[0], incoming[1], incoming[2], incoming[4]}, wanted);
      return tensor_list(gradients.begin(), gradients.end());
    });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

}  // namespace

AttentionResult attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionOptions& options) {
  const AttentionProblem p = ops::check_attention(q, k, v, options);
  const bool differentiate = c10::GradMode::is_enabled() &&
                             std::any_of(p.inputs.begin(), p.inputs.end(), [](const at::Tensor& t) {
                               return t.defined() && t.requires_grad();
                             });
  if (!differentiate) return result_of(ops::attention_forward(p));
  const tensor_list r = AttentionFunction::apply(q, k, v, if_defined(p.inputs[ops::kBias]),
                                                 if_defined(p.inputs[ops::kSlopes]),
                                                 if_defined(p.inputs[ops::kSink]), p);
  return {r[0],
          r[1],
          r[2],
          options.row_max ? r[3] : at::Tensor(),
          options.column_mass ? r[4] : at::Tensor(),
          r[5]};
}

}  // namespace attn
