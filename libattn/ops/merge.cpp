// merge_attention: partial results over disjoint keys through the kernels.
#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "attn/attention.h"
#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/merge_call.h"
#include "libattn/ops/views.h"

namespace attn {
namespace {

using ops::MergeBackwardCall;
using ops::MergeCall;
using ops::MergeResults;
using tensor_list = std::vector<at::Tensor>;

constexpr const char* kOp = "merge_attention";

using Parts = std::vector<AttentionResult>;

core::MergeSizes sizes_of(const AttentionResult& r) {
  const at::Tensor& out = r.out;
  if (out.dim() == 3) return {1, out.size(1), out.size(0), out.size(2)};  // packed
  return {out.size(0), out.size(1), out.size(2), out.size(3)};
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
    out.push_back({ops::contiguous_rows(p.out.detach()),
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
  const at::Tensor dout = incoming[0].defined() ? ops::contiguous_rows(incoming[0]) : at::Tensor();
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

/// Of a number per head and row: (B,H,N), packed (H,T).
std::vector<int64_t> row_sizes(const at::Tensor& out) {
  if (out.dim() == 3) return {out.size(1), out.size(0)};
  return {out.size(0), out.size(1), out.size(2)};
}

/// What comes in beside the parts, which are checked.
void check_backward(const MergeBackwardCall& b) {
  const at::Tensor& like = b.out.front();
  const std::vector<int64_t> rows = row_sizes(like);
  const auto check = [&](const char* name, const std::optional<at::Tensor>& t,
                         at::IntArrayRef sizes) {
    if (t) ops::check_sizes("merge_attention_backward", name, *t, sizes, like);
  };
  check("merged_out", b.merged_out, like.sizes());
  check("merged_lse", b.merged_lse, rows);
  check("merged_entropy", b.merged_entropy, rows);
  check("dout", b.dout, like.sizes());
  check("dlse", b.dlse, rows);
  check("dentropy", b.dentropy, rows);
}

/// The parts of a call, checked.
Parts parts_of(const MergeCall& c) {
  const size_t n = c.out.size();
  if (c.lse.size() != n || c.entropy.size() != n || c.lse_tail.size() != n ||
      (!c.row_max.empty() && c.row_max.size() != n))
    throw Error(std::string(kOp) + ": " + std::to_string(n) + " tensors out, " +
                std::to_string(c.lse.size()) + " lse, " + std::to_string(c.entropy.size()) +
                " entropy, " + std::to_string(c.lse_tail.size()) + " lse_tail and " +
                std::to_string(c.row_max.size()) +
                " row_max; expected one of each for every part (row_max: or none)");
  Parts parts;
  for (size_t s = 0; s < n; ++s)
    parts.push_back({c.out[s],
                     c.lse[s],
                     c.entropy[s],
                     c.has_row_max() ? c.row_max[s] : at::Tensor(),
                     {},
                     c.lse_tail[s]});
  ops::check_parts(parts);
  return parts;
}

}  // namespace

void ops::check_parts(const Parts& parts) {
  if (parts.empty()) throw Error(std::string(kOp) + ": no parts; expected at least one");
  const AttentionResult& first = parts.front();
  for (size_t s = 0; s < parts.size(); ++s) {
    const AttentionResult& part = parts[s];
    const auto check = [&](const std::string& what, const at::Tensor& t, at::IntArrayRef sizes) {
      const std::string name = "part " + std::to_string(s) + ": " + what;
      ops::check_input(kOp, name.c_str(), t, static_cast<int64_t>(sizes.size()),
                       "the shape of the other parts");
      ops::check_same_type(kOp, name.c_str(), t, "part 0", first.out);
      if (t.sizes() != sizes)
        throw Error(std::string(kOp) + ": " + name + " has shape " + ops::shape_text(t) +
                    "; expected " + ops::shape_text(sizes) + ", as the out of part 0 asks");
    };
    if (!first.out.defined() || (first.out.dim() != 3 && first.out.dim() != 4))
      throw Error(std::string(kOp) + ": part 0: out is no result of attention");
    check("out", part.out, first.out.sizes());
    const std::vector<int64_t> rows = row_sizes(first.out);
    check("lse", part.lse, rows);
    check("entropy", part.entropy, rows);
    if (part.lse_tail.defined()) check("lse_tail", part.lse_tail, rows);
    if (part.row_max.defined()) check("row_max", part.row_max, rows);
    if (part.column_mass.defined())
      throw Error(std::string(kOp) + ": part " + std::to_string(s) +
                  " has column_mass, which cannot be merged from sums over queries; leave it out");
  }
}

MergeResults ops::merge_kernel(const MergeCall& call) {
  const AttentionResult r = run_forward(readable(parts_of(call)));
  return {r.out, r.lse, r.entropy, or_empty(r.row_max, r.lse), r.lse_tail};
}

MergeResults ops::merge_shapes(const MergeCall& c) {
  for (const tensor_list* list : {&c.out, &c.lse, &c.entropy, &c.row_max, &c.lse_tail})
    check_shapes_only(kOp, *list);
  const auto like = [](const at::Tensor& t) {
    return at::empty_symint(t.sym_sizes(), t.options());
  };
  return {like(c.out.at(0)), like(c.lse.at(0)), like(c.lse.at(0)),
          c.has_row_max() ? like(c.lse.at(0)) : at::empty({0}, c.lse.at(0).options()),
          like(c.lse.at(0))};
}

tensor_list ops::merge_backward_kernel(const MergeBackwardCall& b) {
  const Parts parts = readable(parts_of({b.out, b.lse, b.entropy, {}, b.lse_tail}));
  check_backward(b);
  const auto given = [](const std::optional<at::Tensor>& t) { return t.value_or(at::Tensor()); };
  return run_backward(parts, {b.merged_out, b.merged_lse, b.merged_entropy},
                      {given(b.dout), given(b.dlse), given(b.dentropy)});
}

tensor_list ops::merge_backward_shapes(const MergeBackwardCall& b) {
  tensor_list g;
  for (size_t s = 0; s < b.out.size(); ++s)
    for (const at::Tensor& t : {b.out[s], b.lse[s], b.entropy[s]})
      g.push_back(at::empty_symint(t.sym_sizes(), t.options()));
  return g;
}

}  // namespace attn
