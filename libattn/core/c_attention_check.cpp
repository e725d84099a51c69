#include "libattn/core/c_attention_check.h"

#include <cmath>
#include <limits>

namespace attn::c_api {
namespace {

void check_sizes(const attn_attention& c) {
  demand_type(c.version, c.type, "attn_attention_init");
  demand_size(c.batch, "batch");
  demand_size(c.heads, "heads");
  demand_size(c.kv_heads, "kv_heads");
  demand_size(c.nq, "nq");
  demand_size(c.nk, "nk");
  demand_size(c.d, "d", 1);
  demand_size(c.dv, "dv");
  demand(c.kv_heads == 0 || c.heads % c.kv_heads == 0, "kv_heads is ", c.kv_heads,
         ", which does not divide heads, ", c.heads);
}

void check_packing(const attn_attention& c) {
  demand((c.q_offsets == nullptr) == (c.k_offsets == nullptr),
         c.q_offsets == nullptr ? "q_offsets is NULL and k_offsets is not"
                                : "k_offsets is NULL and q_offsets is not",
         "; packed sequences need both");
  if (c.q_offsets == nullptr) return;
  demand(c.bias.data == nullptr, "bias with packed sequences; expected NULL data");
  demand(c.key_mask == nullptr, "key_mask with packed sequences; expected NULL");
  check_offsets(c.q_offsets, "q_offsets", c.batch, c.nq);
  check_offsets(c.k_offsets, "k_offsets", c.batch, c.nk);
}

/// In the type of the arrays they must be what they are here: neither 0 nor infinite.
void check_in_type(const attn_attention& c) {
  const bool single = c.type == ATTN_FLOAT32;
  const double most =
      single ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const double least =
      single ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  demand(std::isnan(c.scale) || std::abs(c.scale) <= most, "scale is ", c.scale,
         "; expected a number of at most ", most, ", or NaN for 1 / sqrt(d)");
  demand(c.softcap == 0 || (c.softcap >= least && c.softcap <= most), "softcap is ", c.softcap,
         "; expected ", least, " to ", most, ", or 0 for none");
}

void check_numbers(const attn_attention& c) {
  check_in_type(c);
  demand(c.causal >= ATTN_CAUSAL_NONE && c.causal <= ATTN_CAUSAL_BOTTOM_RIGHT, "causal is ",
         int64_t{c.causal}, "; expected an attn_causal");
  demand(c.align == ATTN_ALIGN_BOTTOM_RIGHT || c.align == ATTN_ALIGN_TOP_LEFT, "align is ",
         int64_t{c.align}, "; expected an attn_align");
  demand(c.dropout >= 0 && c.dropout < 1, "dropout is ", c.dropout,
         "; expected a number in [0, 1)");
  demand(c.causal == ATTN_CAUSAL_NONE || c.window_right <= 0, "window_right is ", c.window_right,
         " under causality; expected 0, or negative for no limit");
  check_threads(c.threads);
}

void check_arrays(const attn_attention& c, const AttentionExtents& n) {
  demand(n.q.empty() || c.q.data != nullptr, "q has NULL data");
  demand(n.k.empty() || n.q.empty() || c.k.data != nullptr, "k has NULL data");
  check_array("q", c.q, n.q, c.type, Access::read);
  check_array("k", c.k, n.k, c.type, Access::read);
  check_array("v", c.v, n.v, c.type, Access::read);
  check_array("bias", c.bias, n.bias, c.type, Access::read, Columns::free);
  check_array("slopes", c.slopes, n.head, c.type, Access::read);
  check_array("sink", c.sink, n.head, c.type, Access::read);
  check_bytes("key_mask", c.key_mask, c.batch, c.key_mask_batch, c.nk, c.key_mask_column);
  check_array("out", c.out, n.out, c.type, Access::write);
  check_array("lse", c.lse, n.row, c.type, Access::write);
  check_array("lse_tail", c.lse_tail, n.row, c.type, Access::write);
  check_array("entropy", c.entropy, n.row, c.type, Access::write);
  check_array("row_max", c.row_max, n.row, c.type, Access::write);
  check_array("column_mass", c.column_mass, n.key, c.type, Access::write);
}

void check_saved(const attn_attention& c, const attn_attention_gradient& g,
                 const AttentionExtents& n) {
  if (n.row.empty()) return;
  demand(c.lse.data != nullptr, "lse has NULL data; backward needs it as forward wrote it");
  demand(c.lse_tail.data != nullptr,
         "lse_tail has NULL data; backward needs it as forward wrote it");
  demand(n.v.empty() || c.v.data != nullptr, "v has NULL data");
  demand(g.dout.data == nullptr || n.out.empty() || c.out.data != nullptr,
         "dout is given and out has NULL data; backward needs out as forward wrote it");
  demand(g.dentropy.data == nullptr || c.entropy.data != nullptr,
         "dentropy is given and entropy has NULL data; backward needs it as forward wrote it");
}

}  // namespace

AttentionExtents::AttentionExtents(const attn_attention& c) {
  const int64_t batch = c.q_offsets == nullptr ? c.batch : 1, g = kv_heads(c);
  q = {batch, c.heads, c.nq, c.d};
  k = {batch, g, c.nk, c.d};
  v = {batch, g, c.nk, c.dv};
  out = {batch, c.heads, c.nq, c.dv};
  row = {batch, c.heads, c.nq, 1};
  bias = {batch, c.heads, c.nq, c.nk};
  key = {batch, c.heads, c.nk, 1};
  head = {c.batch, c.heads, 1, 1};
}

int64_t kv_heads(const attn_attention& c) {
  return c.kv_heads > 0 ? c.kv_heads : c.heads;
}

void check_call(const attn_attention* call) {
  demand(call != nullptr, "call is NULL");
  check_sizes(*call);
  check_packing(*call);
  check_numbers(*call);
  check_arrays(*call, AttentionExtents(*call));
}

void check_forward(const attn_attention& c) {
  const AttentionExtents n(c);
  demand(c.out.data == nullptr || n.out.empty() || n.v.empty() || c.v.data != nullptr,
         "out is wanted and v has NULL data");
  if (c.column_mass.data == nullptr || n.row.empty() || n.key.empty()) return;
  demand(c.lse.data != nullptr, "column_mass is wanted and lse has NULL data; it needs lse");
  demand(c.lse_tail.data != nullptr,
         "column_mass is wanted and lse_tail has NULL data; it needs lse_tail");
}

void check_gradient(const attn_attention& c, const attn_attention_gradient* gradient) {
  demand(gradient != nullptr, "gradient is NULL");
  const attn_attention_gradient& g = *gradient;
  const AttentionExtents n(c);
  check_saved(c, g, n);
  demand(g.dslopes.data == nullptr || c.slopes.data != nullptr,
         "dslopes is wanted and slopes has NULL data");
  demand(g.dsink.data == nullptr || c.sink.data != nullptr,
         "dsink is wanted and sink has NULL data");
  demand(g.dbias.data == nullptr || c.bias.data != nullptr,
         "dbias is wanted and bias has NULL data");
  check_array("dout", g.dout, n.out, c.type, Access::read);
  check_array("dlse", g.dlse, n.row, c.type, Access::read);
  check_array("dentropy", g.dentropy, n.row, c.type, Access::read);
  check_array("dcolumn_mass", g.dcolumn_mass, n.key, c.type, Access::read);
  check_array("dq", g.dq, n.q, c.type, Access::write);
  check_array("dk", g.dk, n.k, c.type, Access::write);
  check_array("dv", g.dv, n.v, c.type, Access::write);
  check_array("dbias", g.dbias, n.bias, c.type, Access::add, Columns::free);
  check_array("dslopes", g.dslopes, summed(g.dslopes, n.head), c.type, Access::add);
  check_array("dsink", g.dsink, summed(g.dsink, n.head), c.type, Access::add);
}

}  // namespace attn::c_api
