// merge_attention: partial results over disjoint keys to one.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <string>

#include "attn/attention.h"
#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/views.h"

namespace attn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "merge_attention";

using Parts = std::vector<AttentionResult>;

core::MergeSizes sizes_of(const AttentionResult& r) {
  const at::Tensor& out = r.out;
  if (out.dim() == 3) return {1, out.size(1), out.size(0), out.size(2)};  // packed
  return {out.size(0), out.size(1), out.size(2), out.size(3)};
}

at::Tensor with_contiguous_columns(const at::Tensor& t) {
  return t.size(-1) <= 1 || t.stride(-1) == 1 ? t : t.contiguous();
}

/// Where the kernels read and write a part; columns of `out` are contiguous.
template <class T>
core::AttentionOutput<T> views_of(const AttentionResult& r) {
  core::AttentionOutput<T> v;
  v.out = ops::write_matrix<T>(r.out);
  v.lse = ops::write_rows<T>(r.lse);
  v.lse_tail = ops::write_rows<T>(r.lse_tail);
  v.entropy = ops::write_rows<T>(r.entropy);
  v.row_max = ops::write_rows<T>(r.row_max);
  return v;
}

template <class T>
std::vector<core::AttentionOutput<T>> all_views(const Parts& parts) {
  std::vector<core::AttentionOutput<T>> views;
  for (const AttentionResult& part : parts) views.push_back(views_of<T>(part));
  return views;
}

/// The parts detached, with contiguous columns.
Parts readable(const Parts& parts) {
  Parts out;
  for (const AttentionResult& p : parts) {
    const auto plain = [](const at::Tensor& t) { return t.defined() ? t.detach() : t; };
    out.push_back({with_contiguous_columns(p.out.detach()),
                   p.lse.detach(),
                   p.entropy.detach(),
                   plain(p.row_max),
                   {},
                   plain(p.lse_tail)});
  }
  return out;
}

AttentionResult run_forward(const Parts& parts) {
  const AttentionResult& like = parts.front();
  AttentionResult r;
  r.out = at::empty(like.out.sizes(), like.out.options());
  r.lse = at::empty(like.lse.sizes(), like.lse.options());
  r.lse_tail = at::empty_like(r.lse);
  r.entropy = at::empty_like(r.lse);
  const bool maxima = std::all_of(parts.begin(), parts.end(),
                                  [](const AttentionResult& p) { return p.row_max.defined(); });
  if (maxima) r.row_max = at::empty_like(r.lse);
  if (like.out.scalar_type() == at::kFloat) {
    core::attention_merge<float>(sizes_of(like), all_views<float>(parts), views_of<float>(r),
                                 ops::torch_threads());
  } else {
    core::attention_merge<double>(sizes_of(like), all_views<double>(parts), views_of<double>(r),
                                  ops::torch_threads());
  }
  return r;
}

template <class T>
void run_backward_as(const Parts& parts, const AttentionResult& merged, const tensor_list& incoming,
                     const Parts& outgoing) {
  core::MergeGradient<T> g;
  const at::Tensor dout =
      incoming[0].defined() ? with_contiguous_columns(incoming[0]) : at::Tensor();
  g.dout = ops::read_matrix<T>(dout);
  g.dlse = ops::read_rows<T>(incoming[1]);
  g.dentropy = ops::read_rows<T>(incoming[2]);
  g.parts = all_views<T>(outgoing);
  core::attention_merge_backward<T>(sizes_of(merged), all_views<T>(parts), views_of<T>(merged), g,
                                    ops::torch_threads());
}

/// Gradients of out, lse and entropy of every part, one after another.
tensor_list run_backward(const Parts& parts, const AttentionResult& merged,
                         const tensor_list& incoming) {
  Parts outgoing;
  tensor_list flat;
  for (const AttentionResult& part : parts) {
    AttentionResult g;
    g.out = at::empty(part.out.sizes(), part.out.options());
    g.lse = at::empty(part.lse.sizes(), part.lse.options());
    g.entropy = at::empty_like(g.lse);
    flat.insert(flat.end(), {g.out, g.lse, g.entropy});
    outgoing.push_back(std::move(g));
  }
  if (merged.out.scalar_type() == at::kFloat) {
    run_backward_as<float>(parts, merged, incoming, outgoing);
  } else {
    run_backward_as<double>(parts, merged, incoming, outgoing);
  }
  return flat;
}

struct Merge : public Function<Merge> {
  /// `inputs`: out, lse, entropy of every part, one after another.
  static tensor_list forward(AutogradContext* ctx, at::TensorList inputs, const Parts& parts) {
    const Parts plain = readable(parts);
    const AttentionResult r = run_forward(plain);
    tensor_list kept(inputs.begin(), inputs.end());
    for (const AttentionResult& part : plain) kept.push_back(part.lse_tail);
    kept.insert(kept.end(), {r.out, r.lse, r.entropy});
    ctx->set_materialize_grads(false);
    ctx->saved_data["parts"] = static_cast<int64_t>(parts.size());
    ctx->save_for_backward(kept);
    ctx->mark_non_differentiable({r.lse_tail});
    return {r.out, r.lse, r.entropy, r.row_max.defined() ? r.row_max : at::empty({0}), r.lse_tail};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    const auto n = static_cast<size_t>(ctx->saved_data["parts"].toInt());
    if (incoming[3].defined())
      throw Error(std::string(kOp) +
                  ": row_max was differentiated; a maximum has no gradient where keys tie, and "
                  "none is given here: use lse, or row_max.detach()");
    tensor_list g(3 * n + 1);
    if (!incoming[0].defined() && !incoming[1].defined() && !incoming[2].defined()) return g;
    const tensor_list kept = ctx->get_saved_variables();
    Parts parts(n);
    for (size_t s = 0; s < n; ++s)
      parts[s] = {kept[3 * s], kept[3 * s + 1], kept[3 * s + 2], {}, {}, kept[3 * n + s]};
    AttentionResult merged;
    merged.out = kept[4 * n], merged.lse = kept[4 * n + 1], merged.entropy = kept[4 * n + 2];
    tensor_list seen(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(3 * n));
    seen.insert(seen.end(), incoming.begin(), incoming.end());
    const tensor_list found = ops::first_order(kOp, seen, [&] {
      AttentionResult plain{merged.out.detach(), merged.lse.detach(), merged.entropy.detach()};
      return run_backward(readable(parts), plain, incoming);
    });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

void check_parts(const Parts& parts) {
  if (parts.empty()) throw Error(std::string(kOp) + ": no parts; expected at least one");
  const AttentionResult& first = parts.front();
  for (size_t s = 0; s < parts.size(); ++s) {
    const AttentionResult& part = parts[s];
    const auto check = [&](const std::string& what, const at::Tensor& t, const at::Tensor& like) {
      const std::string name = "part " + std::to_string(s) + ": " + what;
      ops::check_input(kOp, name.c_str(), t, like.dim(), "the shape of the other parts");
      ops::check_same_type(kOp, name.c_str(), t, "part 0", first.out);
      if (t.sizes() != like.sizes())
        throw Error(std::string(kOp) + ": " + name + " has shape " + ops::shape_text(t) +
                    " and that of part 0 " + ops::shape_text(like));
    };
    if (!first.out.defined() || (first.out.dim() != 3 && first.out.dim() != 4))
      throw Error(std::string(kOp) + ": part 0: out is no result of attention");
    check("out", part.out, first.out);
    check("lse", part.lse, first.lse);
    check("entropy", part.entropy, first.lse);
    if (part.column_mass.defined())
      throw Error(std::string(kOp) + ": part " + std::to_string(s) +
                  " has column_mass, which cannot be merged from sums over queries; leave it out");
  }
}

}  // namespace

AttentionResult merge_attention(const std::vector<AttentionResult>& parts) {
  check_parts(parts);
  tensor_list inputs;
  for (const AttentionResult& part : parts)
    inputs.insert(inputs.end(), {part.out, part.lse, part.entropy});
  const bool differentiate =
      c10::GradMode::is_enabled() &&
      std::any_of(inputs.begin(), inputs.end(), [](const auto& t) { return t.requires_grad(); });
  if (!differentiate) return run_forward(readable(parts));
  const tensor_list r = Merge::apply(at::TensorList(inputs), parts);
  const bool maxima = r[3].dim() == r[1].dim();
  return {r[0], r[1], r[2], maxima ? r[3] : at::Tensor(), {}, r[4]};
}

}  // namespace attn
