// Calls that must be refused.
#include <cmath>
#include <limits>

#include "tests/fuzz/fuzz_attention.h"

namespace attn::fuzz {
namespace {

constexpr int64_t kHuge = int64_t{1} << 62;

bool wrong_size(Bytes& bytes, attn_attention& c) {
  int64_t* sizes[] = {&c.batch, &c.heads, &c.kv_heads, &c.nq, &c.nk, &c.d, &c.dv};
  const int64_t values[] = {-1, -2, kHuge, INT64_MIN, (int64_t{1} << 31) + 1};
  *sizes[bytes.range(0, 6)] = values[bytes.range(0, 4)];
  return true;
}

bool wrong_option(Bytes& bytes, attn_attention& c) {
  const double bad[] = {NAN, -1, INFINITY};
  switch (bytes.range(0, 9)) {
    case 0:
      c.version += 1;
      return true;
    case 1:
      c.type = bytes.once_in(2) ? 2 : -1;
      return true;
    case 2:
      c.causal = bytes.once_in(2) ? 3 : -1;
      return true;
    case 3:
      c.align = 2;
      return true;
    case 4:
      c.softcap = bad[bytes.range(0, 2)];
      return true;
    case 5:
      c.dropout = bytes.once_in(2) ? 1 : bad[bytes.range(0, 2)];
      return true;
    case 6:
      c.causal = ATTN_CAUSAL_TOP_LEFT, c.window_right = 1;
      return true;
    case 7:
      c.threads = bytes.once_in(2) ? -1 : 5000;
      return true;
    case 8:
      c.scale = -INFINITY;
      return true;
    default:
      c.kv_heads = c.heads + 1;
      return c.heads > 0;
  }
}

bool wrong_offsets(Bytes& bytes, AttentionCall& c) {
  attn_attention& n = c.call;
  if (!c.packed()) {
    c.q_offsets = std::make_unique<Block>(8 * static_cast<size_t>(n.batch + 1));
    n.k_offsets = reinterpret_cast<const int64_t*>(c.q_offsets->data());
    return true;
  }
  auto* q = reinterpret_cast<int64_t*>(c.q_offsets->data());
  switch (bytes.range(0, 5)) {
    case 0:
      n.k_offsets = nullptr;
      return true;
    case 1:
      q[0] = 1;
      return true;
    case 2:
      q[n.batch] += 1;
      return true;
    case 3:
      q[n.batch] = -1;
      return true;
    case 4:
      n.key_mask = reinterpret_cast<const uint8_t*>(q);
      return true;
    default:
      n.nk += 1;
      return true;
  }
}

/// Of an array that is there: a place, a stride or a column that cannot be.
bool wrong_array(Bytes& bytes, attn_array& a, const Slot& slot, bool written) {
  if (!slot || slot->empty()) return false;
  const Shape& n = slot->shape();
  switch (bytes.range(0, 3)) {
    case 0:
      a.data = static_cast<std::byte*>(a.data) + bytes.range(1, 3);
      return true;
    case 1:
      a.column = bytes.once_in(2) ? 2 : 0;
      return n.column > 1;
    case 2:
      a.row = 0;
      return written && n.row > 1;
    default:
      a.batch = a.head = bytes.once_in(2) ? INT64_MAX : INT64_MIN / 2;
      return n.batch > 1 || n.head > 1;
  }
}

bool wrong_absence(Bytes& bytes, AttentionCall& c) {
  attn_attention& n = c.call;
  switch (bytes.range(0, 3)) {
    case 0:
      n.q.data = nullptr;
      return !c.q->empty();
    case 1:
      n.k.data = nullptr;
      return !c.q->empty() && !c.k->empty();
    case 2:
      n.v.data = nullptr;
      return c.out && !c.out->empty() && !c.v->empty();
    default:
      n.lse.data = nullptr;
      return c.column_mass && !c.column_mass->empty() && !c.q->empty();
  }
}

}  // namespace

bool sabotage_call(Bytes& bytes, AttentionCall& c) {
  const attn_attention before = c.call;
  attn_attention& n = c.call;
  attn_array* arrays[] = {&n.q, &n.k, &n.v, &n.out, &n.lse, &n.entropy, &n.column_mass};
  const Slot* slots[] = {&c.q, &c.k, &c.v, &c.out, &c.lse, &c.entropy, &c.column_mass};
  const int64_t which = bytes.range(0, 6);
  bool certain = false;
  switch (bytes.range(0, 4)) {
    case 0:
      certain = wrong_size(bytes, n);
      break;
    case 1:
      certain = wrong_option(bytes, n);
      break;
    case 2:
      certain = wrong_offsets(bytes, c);
      break;
    case 3:
      certain = wrong_array(bytes, *arrays[which], *slots[which], which > 2);
      break;
    default:
      certain = wrong_absence(bytes, c);
  }
  if (!certain) n = before;
  return certain;
}

bool sabotage_gradient(Bytes& bytes, AttentionCall& c) {
  const attn_attention_gradient before = c.gradient;
  attn_attention_gradient& g = c.gradient;
  attn_array* arrays[] = {&g.dout, &g.dlse, &g.dcolumn_mass, &g.dq, &g.dk, &g.dv};
  const Slot* slots[] = {&c.dout, &c.dlse, &c.dcolumn_mass, &c.dq, &c.dk, &c.dv};
  const int64_t which = bytes.range(0, 6);
  bool certain = false;
  if (which < 6) {
    certain = wrong_array(bytes, *arrays[which], *slots[which], which > 2);
  } else {
    if (!c.sink) g.dsink = c.q->view(), certain = true;
    if (!c.bias) g.dbias = c.q->view(), certain = true;
  }
  if (!certain) g = before;
  return certain;
}

}  // namespace attn::fuzz
