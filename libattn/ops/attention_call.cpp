#include "libattn/ops/attention_call.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/names.h"
#include "libattn/ops/registration.h"

namespace attn::ops {
namespace {

constexpr std::pair<std::string_view, Causal> kCausal[] = {
    {"none", Causal::none}, {"top_left", Causal::top_left}, {"bottom_right", Causal::bottom_right}};
constexpr std::pair<std::string_view, Align> kAlign[] = {{"bottom_right", Align::bottom_right},
                                                         {"top_left", Align::top_left}};

uint32_t offset_of(int64_t given) {
  if (given < 0 || given > std::numeric_limits<uint32_t>::max())
    throw Error("attention: dropout_offset is " + std::to_string(given) +
                "; expected 0 to 4294967295");
  return static_cast<uint32_t>(given);
}

/// Every tensor of a call; undefined where not given.
std::vector<at::Tensor> tensors_of(const AttentionCall& c) {
  std::vector<at::Tensor> all{c.q, c.k, c.v};
  for (const auto* t :
       {&c.bias, &c.key_padding_mask, &c.slopes, &c.sink, &c.q_offsets, &c.k_offsets})
    all.push_back(t->value_or(at::Tensor()));
  return all;
}

/// Shapes of what backward is given beside the call, which is checked.
void check_backward(const AttentionBackwardCall& b) {
  const at::Tensor &q = b.forward.q, &k = b.forward.k;
  const bool packed = q.dim() == 3;
  const auto rows_of = [&](const at::Tensor& t) -> std::vector<int64_t> {
    if (packed) return {q.size(1), t.size(0)};
    return {t.size(0), q.size(1), t.size(2)};
  };
  std::vector<int64_t> out = q.sizes().vec();
  out.back() = b.forward.v.size(-1);
  const auto check = [&](const char* name, const std::optional<at::Tensor>& t,
                         at::IntArrayRef sizes) {
    if (t) check_sizes("attention_backward", name, *t, sizes, q);
  };
  const AttentionCall& c = b.forward;
  check_wanted("attention_backward", "bias", b.wanted[kBias], c.bias);
  check_wanted("attention_backward", "slopes", b.wanted[kSlopes], c.slopes);
  check_wanted("attention_backward", "sink", b.wanted[kSink], c.sink);
  check("out", b.out, out);
  check("dout", b.dout, out);
  check("lse", b.lse, rows_of(q));
  check("lse_tail", b.lse_tail, rows_of(q));
  check("entropy", b.entropy, rows_of(q));
  check("dlse", b.dlse, rows_of(q));
  check("dentropy", b.dentropy, rows_of(q));
  check("dcolumn_mass", b.dcolumn_mass, rows_of(k));
}

AttentionProblem problem_of(const AttentionCall& c) {
  return check_attention(c.q, c.k, c.v, options_of(c));
}

}  // namespace

AttentionCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const AttentionOptions& o) {
  return {q,
          k,
          v,
          if_defined(o.bias),
          if_defined(o.key_padding_mask),
          if_defined(o.slopes),
          if_defined(o.sink),
          if_defined(o.q_offsets),
          if_defined(o.k_offsets),
          o.scale,
          name_of(o.causal, kCausal),
          name_of(o.align, kAlign),
          o.window_left,
          o.window_right,
          o.softcap,
          o.dropout,
          static_cast<int64_t>(o.dropout_seed),
          static_cast<int64_t>(o.dropout_offset),
          o.row_max,
          o.column_mass};
}

AttentionOptions options_of(const AttentionCall& c) {
  AttentionOptions o;
  o.scale = c.scale;
  o.causal = value_of("attention", "causal", c.causal, kCausal);
  o.align = value_of("attention", "align", c.align, kAlign);
  o.window_left = c.window_left, o.window_right = c.window_right;
  o.bias = c.bias.value_or(at::Tensor());
  o.key_padding_mask = c.key_padding_mask.value_or(at::Tensor());
  o.softcap = c.softcap;
  o.slopes = c.slopes.value_or(at::Tensor());
  o.sink = c.sink.value_or(at::Tensor());
  o.dropout = c.dropout;
  o.dropout_seed = static_cast<uint64_t>(c.dropout_seed);
  o.dropout_offset = offset_of(c.dropout_offset);
  o.q_offsets = c.q_offsets.value_or(at::Tensor());
  o.k_offsets = c.k_offsets.value_or(at::Tensor());
  o.row_max = c.row_max, o.column_mass = c.column_mass;
  return o;
}

AttentionResults dispatch_attention(const AttentionCall& c) {
  register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::attention", "")
                             .typed<AttentionSignature>();
  return op.call(c.q, c.k, c.v, c.bias, c.key_padding_mask, c.slopes, c.sink, c.q_offsets,
                 c.k_offsets, c.scale, c.causal, c.align, c.window_left, c.window_right, c.softcap,
                 c.dropout, c.dropout_seed, c.dropout_offset, c.row_max, c.column_mass);
}

AttentionGradients dispatch_attention_backward(const AttentionBackwardCall& b) {
  register_operators();
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("attn::attention_backward", "")
                             .typed<AttentionBackwardSignature>();
  const AttentionCall& c = b.forward;
  return op.call(b.dout, b.dlse, b.dentropy, b.dcolumn_mass, b.out, b.lse, b.lse_tail, b.entropy,
                 b.wanted, c.q, c.k, c.v, c.bias, c.key_padding_mask, c.slopes, c.sink, c.q_offsets,
                 c.k_offsets, c.scale, c.causal, c.align, c.window_left, c.window_right, c.softcap,
                 c.dropout, c.dropout_seed, c.dropout_offset, c.row_max, c.column_mass);
}

AttentionResults attention_kernel(const AttentionCall& call) {
  const AttentionSaved s = attention_forward(problem_of(call));
  return {s.out,     s.lse, s.entropy, or_empty(s.row_max, call.q), or_empty(s.column_mass, call.q),
          s.lse_tail};
}

AttentionResults attention_shapes(const AttentionCall& c) {
  check_shapes_only("attention", tensors_of(c));
  const c10::SymInt heads = c.q.sym_size(1);
  const auto rows = [&](bool wanted, const at::Tensor& like) {
    return wanted ? empty_rows(like, heads) : at::empty({0}, like.options());
  };
  return {empty_as(c.q, c.v.sym_size(-1)), rows(true, c.q), rows(true, c.q), rows(c.row_max, c.q),
          rows(c.column_mass, c.k),        rows(true, c.q)};
}

AttentionResults attention_autocast(const AttentionCall& call) {
  const c10::impl::ExcludeDispatchKeyGuard off(c10::DispatchKey::AutocastCPU);
  // The kernels know fp32 and fp64; fp64 stays.
  const auto cast = [](const at::Tensor& t) {
    return at::autocast::cached_cast(at::kFloat, t, c10::DeviceType::CPU);
  };
  AttentionCall c = call;
  for (at::Tensor* t : {&c.q, &c.k, &c.v}) *t = cast(*t);
  for (std::optional<at::Tensor>* t : {&c.bias, &c.slopes, &c.sink})
    if (t->has_value()) *t = cast(**t);
  return dispatch_attention(c);
}

AttentionGradients attention_backward_kernel(const AttentionBackwardCall& b) {
  const AttentionProblem p = problem_of(b.forward);
  check_backward(b);
  AttentionSaved saved;
  saved.out = contiguous_rows(b.out);
  saved.lse = b.lse, saved.lse_tail = b.lse_tail, saved.entropy = b.entropy;
  const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  const auto g = attention_backward(
      p, saved, {given(b.dout), given(b.dlse), given(b.dentropy), given(b.dcolumn_mass)}, b.wanted);
  const auto at = [&](size_t i) { return or_empty(g[i], b.forward.q); };
  return {at(kQ), at(kK), at(kV), at(kBias), at(kSlopes), at(kSink)};
}

AttentionGradients attention_backward_shapes(const AttentionBackwardCall& b) {
  const AttentionCall& c = b.forward;
  const auto matrix = [&](size_t i, const at::Tensor& t) {
    return b.wanted[i] ? empty_as(t, t.sym_size(-1)) : at::empty({0}, c.q.options());
  };
  const auto plain = [&](size_t i, const std::optional<at::Tensor>& t) {
    return b.wanted[i] ? at::empty_symint(t->sym_sizes(), t->options())
                       : at::empty({0}, c.q.options());
  };
  return {matrix(kQ, c.q),      matrix(kK, c.k),          matrix(kV, c.v),
          plain(kBias, c.bias), plain(kSlopes, c.slopes), plain(kSink, c.sink)};
}

}  // namespace attn::ops
