// What linear attention asks of its arguments.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/linear_problem.h"

namespace attn::ops {
namespace {

constexpr const char* kOp = "linear_attention";

[[noreturn]] void fail(const std::string& what) {
  throw Error(std::string(kOp) + ": " + what);
}

void check_shapes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal) {
  const auto refuse = [&](const std::string& what) {
    fail("q " + shape_text(q) + ", k " + shape_text(k) + " and v " + shape_text(v) + " " + what);
  };
  if (q.size(0) != k.size(0) || k.size(0) != v.size(0)) refuse("differ in batch (dimension 0)");
  if (k.size(1) != v.size(1)) refuse("differ in heads (dimension 1) of k and v");
  if (k.size(1) == 0 ? q.size(1) != 0 : q.size(1) % k.size(1) != 0)
    refuse("do not fit in heads (dimension 1): those of k and v must divide those of q");
  if (q.size(3) != k.size(3)) refuse("differ in head width (dimension 3) of q and k");
  if (k.size(2) != v.size(2)) refuse("differ in keys (dimension 2) of k and v");
  if (q.size(3) == 0) refuse("have no head width (dimension 3); expected at least 1");
  if (causal && q.size(2) != k.size(2))
    refuse("differ in tokens (dimension 2) of q and k, which causality needs to be the same");
}

std::string sizes_text(const std::vector<int64_t>& sizes) {
  std::string text = "(";
  for (const int64_t n : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + ")";
}

/// `layouts`: the shapes allowed, by name.
void check_extra(const char* name, const at::Tensor& tensor, const at::Tensor& q,
                 const std::vector<std::pair<const char*, std::vector<int64_t>>>& layouts) {
  check_same_type(kOp, name, tensor, "q", q);
  const bool placed = tensor.device().is_cpu() && tensor.layout() == at::kStrided;
  std::string wanted;
  for (const auto& [layout, sizes] : layouts) {
    if (placed && tensor.sizes() == at::IntArrayRef(sizes)) return;
    wanted += (wanted.empty() ? "" : " or ") + std::string(layout) + " = " + sizes_text(sizes);
  }
  fail(std::string(name) + " " + shape_text(tensor) + " on " + tensor.device().str() +
       "; expected " + wanted + " on the CPU");
}

void check_decay(const at::Tensor& log_decay, bool causal, const at::Tensor& q, int64_t features) {
  if (!causal)
    fail("log_decay was given without causality, where no key comes before another; leave it out");
  const int64_t b = q.size(0), h = q.size(1), n = q.size(2);
  check_extra("log_decay", log_decay, q,
              {{"(H)", {h}}, {"(B, H, N)", {b, h, n}}, {"(B, H, N, F)", {b, h, n, features}}});
  if (log_decay.numel() == 0) return;
  const c10::NoGradGuard no_grad;
  const double largest = log_decay.max().item<double>();
  if (largest > 0)
    fail("log_decay holds " + std::to_string(largest) +
         "; expected logarithms of factors in [0, 1], so none above 0");
}

}  // namespace

LinearProblem check_linear(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const LinearAttentionOptions& options) {
  check_input(kOp, "q", q, 4, "(B, H, Nq, D): batch, heads, queries, head width");
  check_input(kOp, "k", k, 4, "(B, G, Nk, D): batch, key heads, keys, head width");
  check_input(kOp, "v", v, 4, "(B, G, Nk, Dv): batch, key heads, keys, value width");
  check_same_type(kOp, "k", k, "q", q);
  check_same_type(kOp, "v", v, "q", q);
  check_shapes(q, k, v, options.causal);
  const int64_t b = q.size(0), h = q.size(1), dv = v.size(3);
  const int64_t features = core::feature_count(options.map, q.size(3));
  if (options.log_decay.defined()) check_decay(options.log_decay, options.causal, q, features);
  if (options.state.defined())
    check_extra("state", options.state, q, {{"(B, H, F, Dv)", {b, h, features, dv}}});
  if (options.normalise && options.state.defined() && !options.norm.defined())
    fail("state was given without norm, which normalise divides by: give both, or neither");
  if (options.norm.defined()) {
    if (!options.normalise) fail("norm was given without normalise, which alone reads it");
    check_extra("norm", options.norm, q, {{"(B, H, F)", {b, h, features}}});
  }
  if (!(options.eps >= 0 && std::isfinite(options.eps)))
    fail("eps is " + std::to_string(options.eps) + "; expected a finite number, at least 0");
  if (options.chunk < 0)
    fail("chunk is " + std::to_string(options.chunk) +
         "; expected a number of tokens, or 0 for the chosen one");
  LinearProblem p;
  p.inputs = {q, k, v, options.log_decay, options.state, options.norm};
  p.options = options;
  for (at::Tensor* tensor : {&p.options.log_decay, &p.options.state, &p.options.norm})
    *tensor = at::Tensor();
  return p;
}

}  // namespace attn::ops
