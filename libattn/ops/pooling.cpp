#include "attn/pooling.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string>

#include "attn/core.h"
#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/pooling_call.h"
#include "libattn/ops/probe_scope.h"
#include "libattn/ops/registration.h"

namespace attn {
namespace {

using ops::PoolBackwardCall;
using ops::PoolResults;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "attention_pool";

struct Saved {
  at::Tensor out, lse, lse_tail, entropy;
};

template <class T>
core::PoolInput<T> input_of(const at::Tensor& scores, const at::Tensor& values,
                            const at::Tensor& offsets) {
  core::PoolInput<T> in;
  in.bags = offsets.size(0) - 1;
  in.heads = scores.size(1);
  in.d = values.size(1);
  in.offsets = offsets.const_data_ptr<int64_t>();
  in.scores = scores.const_data_ptr<T>();
  in.scores_row = scores.stride(0);
  in.values = values.const_data_ptr<T>();
  in.values_row = values.stride(0);
  return in;
}

template <class T>
core::PoolOutput<T> output_of(const Saved& s) {
  return {s.out.mutable_data_ptr<T>(), s.lse.mutable_data_ptr<T>(),
          s.lse_tail.mutable_data_ptr<T>(), s.entropy.mutable_data_ptr<T>()};
}

template <class T>
void run_forward_as(const at::Tensor& scores, const at::Tensor& values, const at::Tensor& offsets,
                    const Saved& s) {
  const auto in = input_of<T>(scores, values, offsets);
  core::pool_forward(in, output_of<T>(s), ops::torch_threads());
  if (ops::probing()) ops::record_pool(in, output_of<T>(s));
}

Saved run_forward(const at::Tensor& given_scores, const at::Tensor& given_values,
                  const at::Tensor& offsets) {
  const at::Tensor scores = ops::contiguous_rows(given_scores),
                   values = ops::contiguous_rows(given_values);
  const int64_t bags = offsets.size(0) - 1, heads = scores.size(1);
  Saved s;
  s.out = at::empty({bags, heads, values.size(1)}, values.options());
  s.lse = at::empty({bags, heads}, values.options());
  s.lse_tail = at::empty_like(s.lse);
  s.entropy = at::empty_like(s.lse);
  if (scores.scalar_type() == at::kFloat) {
    run_forward_as<float>(scores, values, offsets, s);
  } else {
    run_forward_as<double>(scores, values, offsets, s);
  }
  return s;
}

template <class T>
void run_backward_as(const at::Tensor& scores, const at::Tensor& values, const at::Tensor& offsets,
                     const Saved& s, const tensor_list& incoming, const tensor_list& outgoing) {
  tensor_list held(3);
  const auto read = [&](size_t i) -> const T* {
    if (!incoming[i].defined()) return nullptr;
    held[i] = incoming[i].contiguous();
    return held[i].const_data_ptr<T>();
  };
  core::PoolGradient<T> g;
  g.dout = read(0);
  g.dlse = read(1);
  g.dentropy = read(2);
  if (outgoing[0].defined()) g.dscores = outgoing[0].mutable_data_ptr<T>();
  if (outgoing[1].defined()) g.dvalues = outgoing[1].mutable_data_ptr<T>();
  core::pool_backward(input_of<T>(scores, values, offsets), output_of<T>(s), g,
                      ops::torch_threads());
}

/// Gradients of scores and values; undefined where not wanted.
tensor_list run_backward(const at::Tensor& given_scores, const at::Tensor& given_values,
                         const at::Tensor& offsets, const Saved& s, const tensor_list& incoming,
                         bool want_scores, bool want_values) {
  const at::Tensor scores = ops::contiguous_rows(given_scores),
                   values = ops::contiguous_rows(given_values);
  tensor_list outgoing(2);
  if (want_scores) outgoing[0] = at::empty(scores.sizes(), scores.options());
  if (want_values) outgoing[1] = at::empty(values.sizes(), values.options());
  if (scores.scalar_type() == at::kFloat) {
    run_backward_as<float>(scores, values, offsets, s, incoming, outgoing);
  } else {
    run_backward_as<double>(scores, values, offsets, s, incoming, outgoing);
  }
  return outgoing;
}

PoolResults dispatch_pool(const ops::PoolCall& c) {
  ops::register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::attention_pool", "")
                             .typed<ops::PoolSignature>();
  return op.call(c.scores, c.values, c.offsets);
}

ops::PoolGradients dispatch_pool_backward(const PoolBackwardCall& b) {
  ops::register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::attention_pool_backward", "")
                             .typed<ops::PoolBackwardSignature>();
  return op.call(b.dout, b.dlse, b.dentropy, b.out, b.lse, b.lse_tail, b.entropy, b.wanted,
                 b.forward.scores, b.forward.values, b.forward.offsets);
}

struct PoolFunction : public Function<PoolFunction> {
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& scores,
                             const at::Tensor& values, const at::Tensor& offsets) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, lse, entropy, lse_tail] = dispatch_pool({scores, values, offsets});
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({scores, values, offsets, out, lse, lse_tail, entropy});
    ctx->mark_non_differentiable({lse_tail});
    return {out, lse, entropy, lse_tail};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    const tensor_list kept = ctx->get_saved_variables();
    tensor_list g(3);
    if (!incoming[0].defined() && !incoming[1].defined() && !incoming[2].defined()) return g;
    PoolBackwardCall b;
    b.dout = ops::if_defined(incoming[0]);
    b.dlse = ops::if_defined(incoming[1]);
    b.dentropy = ops::if_defined(incoming[2]);
    b.out = kept[3].detach(), b.lse = kept[4].detach(), b.lse_tail = kept[5].detach();
    b.entropy = kept[6].detach();
    b.wanted = {ctx->needs_input_grad(0), ctx->needs_input_grad(1)};
    b.forward = {kept[0].detach(), kept[1].detach(), kept[2]};
    const tensor_list found =
        ops::first_order(kOp, {kept[0], kept[1], incoming[0], incoming[1], incoming[2]}, [&] {
          const auto [scores, values] = dispatch_pool_backward(b);
          return tensor_list{ops::if_asked(b.wanted[0], scores),
                             ops::if_asked(b.wanted[1], values)};
        });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

/// Throws unless scores and values fit each other; returns the offsets, checked and contiguous.
at::Tensor check_pool(const at::Tensor& scores, const at::Tensor& values,
                      const at::Tensor& offsets) {
  ops::check_input(kOp, "scores", scores, 2, "(T, K): instances, heads");
  ops::check_input(kOp, "values", values, 2, "(T, D): instances, features");
  ops::check_same_type(kOp, "values", values, "scores", scores);
  if (scores.size(0) != values.size(0)) {
    throw Error(std::string(kOp) + ": scores have " + std::to_string(scores.size(0)) +
                " rows and values " + std::to_string(values.size(0)) +
                "; expected one row of each per instance");
  }
  return ops::check_offsets(kOp, offsets, scores.size(0));
}

void check_backward(const PoolBackwardCall& b) {
  constexpr const char* kName = "attention_pool_backward";
  const at::Tensor& values = b.forward.values;
  const int64_t bags = b.forward.offsets.size(0) - 1, heads = b.forward.scores.size(1);
  const auto check = [&](const char* name, const std::optional<at::Tensor>& t,
                         at::IntArrayRef sizes) {
    if (t) ops::check_sizes(kName, name, *t, sizes, values);
  };
  check("out", b.out, {bags, heads, values.size(1)});
  check("dout", b.dout, {bags, heads, values.size(1)});
  check("lse", b.lse, {bags, heads});
  check("lse_tail", b.lse_tail, {bags, heads});
  check("entropy", b.entropy, {bags, heads});
  check("dlse", b.dlse, {bags, heads});
  check("dentropy", b.dentropy, {bags, heads});
}

}  // namespace

PoolResults ops::pool_kernel(const PoolCall& c) {
  const Saved s = run_forward(c.scores, c.values, check_pool(c.scores, c.values, c.offsets));
  return {s.out, s.lse, s.entropy, s.lse_tail};
}

PoolResults ops::pool_shapes(const PoolCall& c) {
  check_shapes_only(kOp, {c.scores, c.values, c.offsets});
  const c10::SymInt bags = c.offsets.sym_size(0) - 1, heads = c.scores.sym_size(1);
  const auto rows = [&] { return at::empty_symint({bags, heads}, c.values.options()); };
  return {at::empty_symint({bags, heads, c.values.sym_size(1)}, c.values.options()), rows(), rows(),
          rows()};
}

PoolResults ops::pool_autograd(const PoolCall& c) {
  refuse_forward_mode(kOp, {c.scores, c.values});
  if (!c10::GradMode::is_enabled() || !(c.scores.requires_grad() || c.values.requires_grad())) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return dispatch_pool(c);
  }
  const tensor_list r = PoolFunction::apply(c.scores, c.values, c.offsets);
  return {r[0], r[1], r[2], r[3]};
}

PoolResults ops::pool_autocast(const PoolCall& c) {
  const c10::impl::ExcludeDispatchKeyGuard off(c10::DispatchKey::AutocastCPU);
  const auto cast = [](const at::Tensor& t) {
    return at::autocast::cached_cast(at::kFloat, t, c10::DeviceType::CPU);
  };
  return dispatch_pool({cast(c.scores), cast(c.values), c.offsets});
}

ops::PoolGradients ops::pool_backward_kernel(const PoolBackwardCall& b) {
  const PoolCall& c = b.forward;
  const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  const at::Tensor offsets = check_pool(c.scores, c.values, c.offsets);
  check_backward(b);
  const tensor_list g = run_backward(
      c.scores, c.values, offsets,
      {b.out.contiguous(), b.lse.contiguous(), b.lse_tail.contiguous(), b.entropy.contiguous()},
      {given(b.dout), given(b.dlse), given(b.dentropy)}, b.wanted[0], b.wanted[1]);
  return {or_empty(g[0], c.scores), or_empty(g[1], c.scores)};
}

ops::PoolGradients ops::pool_backward_shapes(const PoolBackwardCall& b) {
  const auto like = [&](bool wanted, const at::Tensor& t) {
    return wanted ? at::empty_symint(t.sym_sizes(), t.options()) : at::empty({0}, t.options());
  };
  return {like(b.wanted[0], b.forward.scores), like(b.wanted[1], b.forward.values)};
}

PoolResult attention_pool(const at::Tensor& scores, const at::Tensor& values,
                          const at::Tensor& offsets) {
  if (!scores.defined() || !values.defined() || !offsets.defined())
    check_pool(scores, values, offsets);  // the dispatcher has no word for it
  const auto [out, lse, entropy, lse_tail] = dispatch_pool({scores, values, offsets});
  return {out, lse, entropy};
}

at::Tensor pool_weights(const at::Tensor& scores, const at::Tensor& offsets) {
  constexpr const char* kName = "pool_weights";
  ops::check_input(kName, "scores", scores, 2, "(T, K): instances, heads");
  const at::Tensor packed = ops::check_offsets(kName, offsets, scores.size(0));
  const at::NoGradGuard no_graph;
  at::Tensor weights = at::empty(scores.sizes(), scores.options());
  const int64_t* at = packed.const_data_ptr<int64_t>();
  for (int64_t b = 0; b + 1 < packed.size(0); ++b) {
    if (at[b + 1] == at[b]) continue;
    const at::Tensor s = scores.slice(0, at[b], at[b + 1]);
    const at::Tensor dead = s.amax(0, /*keepdim=*/true).isneginf();  // (1,K)
    weights.slice(0, at[b], at[b + 1]).copy_(at::softmax(s, 0).masked_fill(dead, 0));
  }
  return weights;
}

}  // namespace attn
