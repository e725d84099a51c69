// What must hold of attention, by counting the keys that each query sees.
#include <algorithm>
#include <cmath>

#include "tests/fuzz/fuzz_attention.h"

namespace attn::fuzz {
namespace {

/// Query i of a sequence, and where its rows are: batch and row of the arrays.
struct Query {
  int64_t sequence, batch, head, i, nq, nk, row0, key0;
  int64_t row() const { return row0 + i; }
};

bool sees(const AttentionCall& c, const Query& q, int64_t j) {
  const attn_attention& n = c.call;
  const bool top_left = n.causal == ATTN_CAUSAL_TOP_LEFT ||
                        (n.causal == ATTN_CAUSAL_NONE && n.align == ATTN_ALIGN_TOP_LEFT);
  const int64_t behind = j - (q.i + (top_left ? 0 : q.nk - q.nq));  // of the diagonal
  if (n.causal != ATTN_CAUSAL_NONE && behind > 0) return false;
  if (n.window_left >= 0 && -behind > n.window_left) return false;
  if (n.window_right >= 0 && behind > n.window_right) return false;
  if (n.key_mask != nullptr && n.key_mask[q.batch * n.key_mask_batch + j] == 0) return false;
  return !c.bias || c.bias->at(q.batch, q.head, q.i, j) != -INFINITY;
}

template <class Work>
void each_query(const AttentionCall& c, const Work& work) {
  const attn_attention& n = c.call;
  for (int64_t b = 0; b < n.batch; ++b) {
    Query q{b, b, 0, 0, n.nq, n.nk, 0, 0};
    if (c.packed()) {
      q.batch = 0, q.row0 = n.q_offsets[b], q.key0 = n.k_offsets[b];
      q.nq = n.q_offsets[b + 1] - q.row0, q.nk = n.k_offsets[b + 1] - q.key0;
    }
    for (q.head = 0; q.head < n.heads; ++q.head) {
      for (q.i = 0; q.i < q.nq; ++q.i) work(q);
    }
  }
}

int64_t keys_seen(const AttentionCall& c, const Query& q) {
  int64_t seen = 0;
  for (int64_t j = 0; j < q.nk; ++j) seen += sees(c, q, j) ? 1 : 0;
  return seen;
}

void check_dead_row(const AttentionCall& c, const Query& q) {
  const int64_t b = q.batch, h = q.head, i = q.row();
  if (c.out) {
    for (int64_t x = 0; x < c.call.dv; ++x)
      require(c.out->at(b, h, i, x) == 0, "out of a row without keys is 0");
  }
  if (c.entropy) require(c.entropy->at(b, h, i, 0) == 0, "entropy of a row without keys is 0");
  if (c.row_max) require(c.row_max->at(b, h, i, 0) == -INFINITY, "row_max without keys is -inf");
  const double lse = c.sink ? c.sink->at(q.sequence, h, 0, 0) : -INFINITY;
  if (c.lse) require(c.lse->at(b, h, i, 0) == lse, "lse without keys is -inf, or the sink");
}

void check_live_row(const AttentionCall& c, const Query& q, int64_t seen, double most_value) {
  const int64_t b = q.batch, h = q.head, i = q.row();
  const double exact = c.call.type == ATTN_FLOAT32 ? 1e-5 : 1e-12;
  if (c.entropy) {
    const double entropy = c.entropy->at(b, h, i, 0);
    const double most = std::log(static_cast<double>(seen + (c.sink ? 1 : 0)));
    require(entropy >= 0, "entropy is not negative");
    require(entropy <= most + exact, "entropy is at most log of the keys");
  }
  if (c.lse) require(std::isfinite(c.lse->at(b, h, i, 0)), "lse is finite");
  if (c.lse && c.row_max) {
    const double lse = c.lse->at(b, h, i, 0), top = c.row_max->at(b, h, i, 0);
    require(lse >= top - exact * (1 + std::abs(top)), "lse is at least row_max");
  }
  if (!c.out) return;
  const double most = most_value / (1 - c.call.dropout) * (1 + 10 * exact) + exact;
  for (int64_t x = 0; x < c.call.dv; ++x)
    require(std::abs(c.out->at(b, h, i, x)) <= most, "out lies among the values");
}

void check_column_mass(const AttentionCall& c, double live) {
  double total = 0;
  c.column_mass->each([&](double mass) {
    require(mass >= 0 && mass <= live + 1e-3, "mass of a key is a number of queries");
    total += mass;
  });
  require(total <= live * (1 + 1e-4) + 1e-3, "mass is at most one for each query");
  if (!c.sink) require(total >= live * (1 - 1e-4) - 1e-3, "mass is one for each query");
}

}  // namespace

void check_forward(const AttentionCall& c) {
  AttentionCall& all = const_cast<AttentionCall&>(c);
  for (const Array* a : all.written()) require(a->padding_untouched(), "only elements are written");
  double most_value = 0, live = 0;
  c.v->each([&](double x) { most_value = std::max(most_value, std::abs(x)); });
  const bool wild = c.level == Level::wild;
  each_query(c, [&](const Query& q) {
    const int64_t seen = keys_seen(c, q);
    live += seen > 0 ? 1 : 0;
    if (seen == 0 && !wild) check_dead_row(c, q);
    if (seen > 0 && !wild) check_live_row(c, q, seen, most_value);
  });
  if (c.column_mass && !wild) check_column_mass(c, live);
}

void check_backward(const AttentionCall& c) {
  AttentionCall& all = const_cast<AttentionCall&>(c);
  for (const Array* a : all.gradients()) {
    require(a->padding_untouched(), "only elements of gradients are written");
    if (c.level != Level::wild) require(a->finite(), "gradients are finite");
  }
  if (!c.dq || c.level == Level::wild) return;
  each_query(c, [&](const Query& q) {
    if (keys_seen(c, q) > 0) return;
    for (int64_t x = 0; x < c.call.d; ++x)
      require(c.dq->at(q.batch, q.head, q.row(), x) == 0, "dq of a row without keys is 0");
  });
}

}  // namespace attn::fuzz
