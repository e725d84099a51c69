#include "libattn/ops/linear_call.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/names.h"
#include "libattn/ops/registration.h"

namespace attn::ops {
namespace {

constexpr const char* kOp = "linear_attention";
constexpr std::pair<std::string_view, FeatureMap> kMaps[] = {
    {"identity", FeatureMap::identity}, {"elu", FeatureMap::elu},
    {"relu", FeatureMap::relu},         {"exponential", FeatureMap::exponential},
    {"hedgehog", FeatureMap::hedgehog}, {"taylor", FeatureMap::taylor}};

at::Tensor given(const std::optional<at::Tensor>& t) {
  return t.value_or(at::Tensor());
}

LinearProblem problem_of(const LinearCall& c) {
  return check_linear(c.q, c.k, c.v, options_of(c));
}

/// Shapes of what backward is given beside the call, which is checked.
void check_backward(const LinearBackwardCall& b) {
  const LinearCall& c = b.forward;
  const int64_t batch = c.q.size(0), heads = c.q.size(1), dv = c.v.size(3);
  const int64_t features = core::feature_count(options_of(c).map, c.q.size(3));
  const auto check = [&](const char* name, const std::optional<at::Tensor>& t,
                         at::IntArrayRef sizes) {
    if (t) check_sizes("linear_attention_backward", name, *t, sizes, c.q);
  };
  check("dout", b.dout, {batch, heads, c.q.size(2), dv});
  check("dstate", b.dstate, {batch, heads, features, dv});
  check_wanted("linear_attention_backward", "log_decay", b.wanted[kLogDecay], c.log_decay);
  check_wanted("linear_attention_backward", "state", b.wanted[kState], c.state);
  check_wanted("linear_attention_backward", "norm", b.wanted[kNorm], c.norm);
  if (!c.normalise) {
    if (b.dnorm) throw Error("linear_attention_backward: dnorm was given without normalise");
    return;
  }
  check("dnorm", b.dnorm, {batch, heads, features});
  check("out", b.out, {batch, heads, c.q.size(2), dv});
  check("inverse", b.inverse, {batch, heads, c.q.size(2)});
}

}  // namespace

LinearCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const LinearAttentionOptions& o) {
  return {q,
          k,
          v,
          if_defined(o.log_decay),
          if_defined(o.state),
          if_defined(o.norm),
          name_of(o.map, kMaps),
          o.causal,
          o.normalise,
          o.eps,
          o.chunk};
}

LinearAttentionOptions options_of(const LinearCall& c) {
  LinearAttentionOptions o;
  o.map = value_of(kOp, "map", c.map, kMaps);
  o.causal = c.causal, o.normalise = c.normalise;
  o.eps = c.eps, o.chunk = c.chunk;
  o.log_decay = given(c.log_decay), o.state = given(c.state), o.norm = given(c.norm);
  return o;
}

LinearResults dispatch_linear(const LinearCall& c) {
  register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::linear_attention", "")
                             .typed<LinearSignature>();
  return op.call(c.q, c.k, c.v, c.log_decay, c.state, c.norm, c.map, c.causal, c.normalise, c.eps,
                 c.chunk);
}

LinearGradients dispatch_linear_backward(const LinearBackwardCall& b) {
  register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::linear_attention_backward", "")
                             .typed<LinearBackwardSignature>();
  const LinearCall& c = b.forward;
  return op.call(b.dout, b.dstate, b.dnorm, b.out, b.inverse, b.wanted, c.q, c.k, c.v, c.log_decay,
                 c.state, c.norm, c.map, c.causal, c.normalise, c.eps, c.chunk);
}

LinearResults linear_kernel(const LinearCall& c) {
  const LinearSaved s = linear_forward(problem_of(c));
  return {s.out, s.state, or_empty(s.norm, c.q), or_empty(s.inverse, c.q)};
}

LinearResults linear_shapes(const LinearCall& c) {
  check_shapes_only(kOp, {c.q, c.k, c.v, given(c.log_decay), given(c.state), given(c.norm)});
  const c10::SymInt b = c.q.sym_size(0), h = c.q.sym_size(1), dv = c.v.sym_size(3);
  const c10::SymInt features =
      core::detail::feature_count<c10::SymInt>(options_of(c).map, c.q.sym_size(3));
  const auto normalised = [&](at::SymIntArrayRef sizes) {
    return c.normalise ? at::empty_symint(sizes, c.q.options()) : at::empty({0}, c.q.options());
  };
  return {empty_as(c.q, dv), at::empty_symint({b, h, features, dv}, c.q.options()),
          normalised({b, h, features}), normalised({b, h, c.q.sym_size(2)})};
}

LinearResults linear_autocast(const LinearCall& call) {
  const c10::impl::ExcludeDispatchKeyGuard off(c10::DispatchKey::AutocastCPU);
  const auto cast = [](const at::Tensor& t) {
    return at::autocast::cached_cast(at::kFloat, t, c10::DeviceType::CPU);
  };
  LinearCall c = call;
  for (at::Tensor* t : {&c.q, &c.k, &c.v}) *t = cast(*t);
  for (std::optional<at::Tensor>* t : {&c.log_decay, &c.state, &c.norm})
    if (t->has_value()) *t = cast(**t);
  return dispatch_linear(c);
}

LinearGradients linear_backward_kernel(const LinearBackwardCall& b) {
  const LinearProblem p = problem_of(b.forward);
  check_backward(b);
  LinearSaved saved;
  if (p.options.normalise) saved.out = contiguous_rows(b.out), saved.inverse = b.inverse;
  const LinearTensors g =
      linear_backward(p, saved, {given(b.dout), given(b.dstate), given(b.dnorm)}, b.wanted);
  const auto at = [&](size_t i) { return or_empty(g[i], b.forward.q); };
  return {at(kLinearQ), at(kLinearK), at(kLinearV), at(kLogDecay), at(kState), at(kNorm)};
}

LinearGradients linear_backward_shapes(const LinearBackwardCall& b) {
  const LinearCall& c = b.forward;
  // Of heads that share keys the gradients are summed into new, contiguous tensors.
  const bool shared = c.q.sym_size(1) != c.k.sym_size(1);
  const auto plain = [&](size_t i, const at::Tensor& t) {
    return b.wanted[i] ? at::empty_symint(t.sym_sizes(), t.options())
                       : at::empty({0}, c.q.options());
  };
  const auto rows = [&](size_t i, const at::Tensor& t) {
    return b.wanted[i] && !(shared && i != kLinearQ) ? empty_as(t, t.sym_size(3)) : plain(i, t);
  };
  return {rows(kLinearQ, c.q),           rows(kLinearK, c.k),
          rows(kLinearV, c.v),           plain(kLogDecay, given(c.log_decay)),
          plain(kState, given(c.state)), plain(kNorm, given(c.norm))};
}

}  // namespace attn::ops
