// What the attention operator asks of its arguments.
#include <ATen/ATen.h>

#include <cmath>
#include <sstream>
#include <string>

#include "attn/error.h"
#include "libattn/ops/attention_problem.h"
#include "libattn/ops/check.h"

namespace attn::ops {
namespace {

constexpr const char* kOp = "attention";

[[noreturn]] void fail(const std::string& what) {
  throw Error(std::string(kOp) + ": " + what);
}

/// Sizes by name, of packed rows or of batches.
struct Sizes {
  int64_t batch = 0, heads = 0, kv_heads = 0, nq = 0, nk = 0;
};

void check_shapes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool packed) {
  const auto refuse = [&](const std::string& what) {
    fail("q " + shape_text(q) + ", k " + shape_text(k) + " and v " + shape_text(v) + " " + what);
  };
  // (B,H,N,D), or packed (T,H,D).
  const int64_t row = packed ? 0 : 2, last = packed ? 2 : 3;
  if (!packed && (q.size(0) != k.size(0) || k.size(0) != v.size(0)))
    refuse("differ in batch (dimension 0)");
  if (k.size(1) != v.size(1)) refuse("differ in heads (dimension 1) of k and v");
  if (k.size(1) == 0 ? q.size(1) != 0 : q.size(1) % k.size(1) != 0)
    refuse("do not fit in heads (dimension 1): those of k and v must divide those of q");
  if (q.size(last) != k.size(last))
    refuse("differ in head width (dimension " + std::to_string(last) + ") of q and k");
  if (k.size(row) != v.size(row))
    refuse("differ in keys (dimension " + std::to_string(row) + ") of k and v");
  if (q.size(last) == 0)
    refuse("have no head width (dimension " + std::to_string(last) + "); expected at least 1");
}

void check_bias(const at::Tensor& bias, const at::Tensor& q, const Sizes& n) {
  check_same_type(kOp, "bias", bias, "q", q);
  const std::array<int64_t, 4> full = {n.batch, n.heads, n.nq, n.nk};
  bool fits = bias.device().is_cpu() && bias.layout() == at::kStrided && bias.dim() <= 4;
  for (int64_t i = 1; fits && i <= bias.dim(); ++i) {
    const int64_t size = bias.size(bias.dim() - i);
    fits = size == 1 || size == full[static_cast<size_t>(4 - i)];
  }
  if (fits) return;
  fail("bias " + shape_text(bias) + " on " + bias.device().str() +
       " does not broadcast to (B, H, Nq, Nk) = (" + std::to_string(full[0]) + ", " +
       std::to_string(full[1]) + ", " + std::to_string(full[2]) + ", " + std::to_string(full[3]) +
       ") on the CPU");
}

void check_mask(const at::Tensor& mask, const Sizes& n) {
  if (mask.scalar_type() == at::kBool && mask.device().is_cpu() && mask.layout() == at::kStrided &&
      mask.dim() == 2 && mask.size(0) == n.batch && mask.size(1) == n.nk) {
    return;
  }
  fail("key_padding_mask is " + std::string(c10::toString(mask.scalar_type())) + " " +
       shape_text(mask) + " on " + mask.device().str() + "; expected Bool (B, Nk) = (" +
       std::to_string(n.batch) + ", " + std::to_string(n.nk) +
       ") on the CPU, true where the key is visible");
}

void check_per_head(const char* name, const at::Tensor& tensor, const at::Tensor& q,
                    const Sizes& n) {
  check_same_type(kOp, name, tensor, "q", q);
  const bool placed = tensor.device().is_cpu() && tensor.layout() == at::kStrided;
  if (placed && tensor.dim() == 1 && tensor.size(0) == n.heads) return;
  if (placed && tensor.dim() == 2 && tensor.size(0) == n.batch && tensor.size(1) == n.heads) return;
  fail(std::string(name) + " " + shape_text(tensor) + " on " + tensor.device().str() +
       "; expected (H) = (" + std::to_string(n.heads) + ") or (B, H) = (" +
       std::to_string(n.batch) + ", " + std::to_string(n.heads) + ") on the CPU");
}

std::string number_text(double x) {
  std::ostringstream text;
  text << x;
  return text.str();
}

/// Numbers as the kernels will read them, in the type of the tensors.
void check_numbers(const AttentionOptions& o, double scale, at::ScalarType type) {
  const auto in_type = [&](double x) {
    return type == at::kFloat ? static_cast<double>(static_cast<float>(x)) : x;
  };
  if (!std::isfinite(in_type(scale)))
    fail("scale is " + number_text(scale) + "; expected a number that is finite as " +
         c10::toString(type));
  const double cap = in_type(o.softcap);
  if (!(o.softcap == 0 || (cap > 0 && std::isfinite(cap) && std::isfinite(in_type(1 / cap)))))
    fail("softcap is " + number_text(o.softcap) +
         "; expected a positive number that is finite as " + c10::toString(type) +
         ", and its inverse too, or 0 for none");
  if (!(o.dropout >= 0 && o.dropout < 1))
    fail("dropout is " + std::to_string(o.dropout) + "; expected a number in [0, 1)");
  if (o.causal != Causal::none && o.window_right > 0)
    fail("window_right is " + std::to_string(o.window_right) +
         " under causality, which hides all keys behind the diagonal; expected -1 or 0");
}

Sizes sizes_of(const AttentionProblem& p) {
  const at::Tensor &q = p.inputs[kQ], &k = p.inputs[kK];
  if (p.packed()) return {p.q_offsets.size(0) - 1, q.size(1), k.size(1), q.size(0), k.size(0)};
  return {q.size(0), q.size(1), k.size(1), q.size(2), k.size(2)};
}

void check_packed(AttentionProblem& p, const AttentionOptions& options) {
  if (!options.k_offsets.defined() || !options.q_offsets.defined())
    fail("packed sequences need both q_offsets and k_offsets");
  if (options.bias.defined() || options.key_padding_mask.defined())
    fail("packed sequences take neither bias nor key_padding_mask");
  p.q_offsets = check_offsets("attention (q)", options.q_offsets, p.inputs[kQ].size(0));
  p.k_offsets = check_offsets("attention (k)", options.k_offsets, p.inputs[kK].size(0));
  if (p.q_offsets.size(0) != p.k_offsets.size(0))
    fail("q_offsets name " + std::to_string(p.q_offsets.size(0) - 1) + " sequences and k_offsets " +
         std::to_string(p.k_offsets.size(0) - 1));
}

}  // namespace

AttentionProblem check_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const AttentionOptions& options) {
  const bool packed = options.q_offsets.defined() || options.k_offsets.defined();
  const int64_t dim = packed ? 3 : 4;
  check_input(kOp, "q", q, dim,
              packed ? "(Tq, H, D): packed rows, heads, head width"
                     : "(B, H, Nq, D): batch, heads, queries, head width");
  check_input(kOp, "k", k, dim,
              packed ? "(Tk, G, D): packed rows, key heads, head width"
                     : "(B, G, Nk, D): batch, key heads, keys, head width");
  check_input(kOp, "v", v, dim,
              packed ? "(Tk, G, Dv): packed rows, key heads, value width"
                     : "(B, G, Nk, Dv): batch, key heads, keys, value width");
  check_same_type(kOp, "k", k, "q", q);
  check_same_type(kOp, "v", v, "q", q);
  check_shapes(q, k, v, packed);
  AttentionProblem p;
  p.inputs = {q, k, v, options.bias, options.slopes, options.sink};
  if (packed) check_packed(p, options);
  const Sizes n = sizes_of(p);
  if (options.bias.defined()) check_bias(options.bias, q, n);
  if (options.key_padding_mask.defined()) check_mask(options.key_padding_mask, n);
  if (options.slopes.defined()) check_per_head("slopes", options.slopes, q, n);
  if (options.sink.defined()) check_per_head("sink", options.sink, q, n);
  p.mask = options.key_padding_mask;
  p.scale = options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(-1))));
  check_numbers(options, p.scale, q.scalar_type());
  p.options = options;
  for (at::Tensor* tensor : {&p.options.bias, &p.options.key_padding_mask, &p.options.slopes,
                             &p.options.sink, &p.options.q_offsets, &p.options.k_offsets})
    *tensor = at::Tensor();
  return p;
}

}  // namespace attn::ops
