// The C face of merging.
#include <string>
#include <vector>

#include "libattn/core/c_api.h"

namespace attn::c_api {
namespace {

struct MergeExtents {
  explicit MergeExtents(const attn_merge& c)
      : out{c.batch, c.heads, c.nq, c.dv}, row{c.batch, c.heads, c.nq, 1} {}
  Extent out, row;
};

/// One array of a part. `wanted`: of what is merged, or of its gradient.
void check_part(const std::string& part, const char* array, const attn_array& found,
                const char* wanted, bool needed, const Extent& n, int32_t type, Access access) {
  const std::string name = part + "." + array;
  demand(!needed || n.empty() || found.data != nullptr, name, " has NULL data and ", wanted);
  check_array(name.c_str(), found, n, type, access);
}

std::string part_name(const char* of, int64_t s) {
  return std::string(of) + "[" + std::to_string(s) + "]";
}

void check_parts(const attn_merge& c) {
  const MergeExtents n(c);
  const attn_part& m = c.merged;
  for (int64_t s = 0; s < c.parts_count; ++s) {
    const attn_part& p = c.parts[s];
    const std::string name = part_name("parts", s);
    check_part(name, "lse", p.lse, "merging needs it", true, n.row, c.type, Access::read);
    check_part(name, "lse_tail", p.lse_tail, "", false, n.row, c.type, Access::read);
    check_part(name, "out", p.out, "merged.out is not NULL", m.out.data != nullptr, n.out, c.type,
               Access::read);
    check_part(name, "entropy", p.entropy, "merged.entropy is not NULL", m.entropy.data != nullptr,
               n.row, c.type, Access::read);
    check_part(name, "row_max", p.row_max, "merged.row_max is not NULL", m.row_max.data != nullptr,
               n.row, c.type, Access::read);
  }
  check_array("merged.out", m.out, n.out, c.type, Access::write);
  check_array("merged.lse", m.lse, n.row, c.type, Access::write);
  check_array("merged.lse_tail", m.lse_tail, n.row, c.type, Access::write);
  check_array("merged.entropy", m.entropy, n.row, c.type, Access::write);
  check_array("merged.row_max", m.row_max, n.row, c.type, Access::write);
}

void check_merge(const attn_merge* call) {
  demand(call != nullptr, "call is NULL");
  const attn_merge& c = *call;
  demand_type(c.version, c.type, "attn_merge_init");
  demand_size(c.batch, "batch");
  demand_size(c.heads, "heads");
  demand_size(c.nq, "nq");
  demand_size(c.dv, "dv");
  demand_size(c.parts_count, "parts_count", 1);
  demand(c.parts != nullptr, "parts is NULL");
  check_threads(c.threads);
  check_parts(c);
}

void check_merge_gradient(const attn_merge& c, const attn_merge_gradient* gradient) {
  demand(gradient != nullptr, "gradient is NULL");
  const attn_merge_gradient& g = *gradient;
  const MergeExtents n(c);
  demand(g.parts != nullptr, "gradient parts is NULL");
  check_array("dout", g.dout, n.out, c.type, Access::read);
  check_array("dlse", g.dlse, n.row, c.type, Access::read);
  check_array("dentropy", g.dentropy, n.row, c.type, Access::read);
  const attn_part& m = c.merged;
  for (int64_t s = 0; s < c.parts_count; ++s) {
    const attn_part& to = g.parts[s];
    const std::string name = part_name("gradient parts", s);
    check_array((name + ".out").c_str(), to.out, n.out, c.type, Access::write);
    check_array((name + ".lse").c_str(), to.lse, n.row, c.type, Access::write);
    check_array((name + ".entropy").c_str(), to.entropy, n.row, c.type, Access::write);
    if (to.lse.data == nullptr || n.row.empty()) continue;
    const bool by_out = g.dout.data != nullptr && !n.out.empty(),
               by_entropy = g.dentropy.data != nullptr;
    demand(!by_out || (m.out.data != nullptr && c.parts[s].out.data != nullptr), name,
           ".lse is wanted and dout is given: it needs out of merged and of every part");
    demand(!by_entropy || (m.entropy.data != nullptr && c.parts[s].entropy.data != nullptr), name,
           ".lse is wanted and dentropy is given: it needs entropy of merged and of every part");
  }
}

template <class T>
core::AttentionOutput<T> part_of(const attn_part& p) {
  return {view<T>(p.out),     view<T>(p.lse),     view<T>(p.lse_tail),
          view<T>(p.entropy), view<T>(p.row_max), {}};
}

template <class T>
std::vector<core::AttentionOutput<T>> all_parts(const attn_part* parts, int64_t count) {
  std::vector<core::AttentionOutput<T>> all;
  for (int64_t s = 0; s < count; ++s) all.push_back(part_of<T>(parts[s]));
  return all;
}

core::MergeSizes sizes_of(const attn_merge& c) {
  return {c.batch, c.heads, c.nq, c.dv};
}

bool wants_any(const attn_part& p, const MergeExtents& n) {
  return wanted(p.out, n.out) || wanted(p.lse, n.row) || wanted(p.lse_tail, n.row) ||
         wanted(p.entropy, n.row) || wanted(p.row_max, n.row);
}

void merge(const attn_merge& c) {
  if (!wants_any(c.merged, MergeExtents(c))) return;
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    core::attention_merge<T>(sizes_of(c), all_parts<T>(c.parts, c.parts_count),
                             part_of<T>(c.merged), threads_of(c.threads));
  });
}

void merge_backward(const attn_merge& c, const attn_merge_gradient& g) {
  bool any = false;
  for (int64_t s = 0; s < c.parts_count; ++s) any = any || wants_any(g.parts[s], MergeExtents(c));
  if (!any) return;
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    core::MergeGradient<T> gradient;
    gradient.dout = view<const T>(g.dout);
    gradient.dlse = view<const T>(g.dlse);
    gradient.dentropy = view<const T>(g.dentropy);
    gradient.parts = all_parts<T>(g.parts, c.parts_count);
    core::attention_merge_backward<T>(sizes_of(c), all_parts<T>(c.parts, c.parts_count),
                                      part_of<T>(c.merged), gradient, threads_of(c.threads));
  });
}

}  // namespace
}  // namespace attn::c_api

extern "C" {

attn_merge attn_merge_init(void) {
  attn_merge call{};
  call.version = attn::c_api::kCallVersion;
  return call;
}

attn_status attn_merge_forward(const attn_merge* call) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_merge(call);
    attn::c_api::merge(*call);
  });
}

attn_status attn_merge_backward(const attn_merge* call, const attn_merge_gradient* gradient) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_merge(call);
    attn::c_api::check_merge_gradient(*call, gradient);
    attn::c_api::merge_backward(*call, *gradient);
  });
}

}  // extern "C"
