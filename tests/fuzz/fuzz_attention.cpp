#include "tests/fuzz/fuzz_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace attn::fuzz {
namespace {

/// A slot filled, and its view.
attn_array read_array(Bytes& bytes, const AttentionCall& c, Slot& slot, const Shape& shape,
                      Array::Layout layout) {
  slot = std::make_unique<Array>(shape, c.call.type, layout);
  slot->fill(bytes.next() + 256u * bytes.next(), c.level);
  return slot->view();
}

attn_array written_array(Bytes& bytes, const AttentionCall& c, Slot& slot, const Shape& shape) {
  slot = std::make_unique<Array>(shape, c.call.type, written_layout(bytes));
  slot->watch(-77);
  return slot->view();
}

void draw_sizes(Bytes& bytes, attn_attention& c) {
  c.batch = bytes.range(0, 3), c.heads = bytes.range(0, 4);
  const int64_t group = bytes.range(0, 4);
  c.kv_heads = group > 0 && c.heads % group == 0 ? c.heads / group : 0;
  c.nq = bytes.range(0, 40), c.nk = bytes.range(0, 70);
  c.d = bytes.range(1, 20), c.dv = bytes.range(0, 20);
  if (bytes.once_in(8)) c.d = bytes.range(1, 70), c.dv = bytes.range(0, 70);
}

int64_t draw_window(Bytes& bytes) {
  const int64_t kinds[] = {-1, -1, 0, 1, bytes.range(0, 40), INT64_MAX, INT64_MIN};
  return kinds[bytes.range(0, 6)];
}

void draw_options(Bytes& bytes, attn_attention& c) {
  const double scales[] = {NAN, NAN, 1, 0, -0.5, 2};
  c.scale = scales[bytes.range(0, 5)];
  c.causal = static_cast<int32_t>(bytes.range(0, 2));
  c.align = static_cast<int32_t>(bytes.range(0, 1));
  c.window_left = draw_window(bytes), c.window_right = draw_window(bytes);
  if (c.causal != ATTN_CAUSAL_NONE) c.window_right = std::min<int64_t>(c.window_right, 0);
  if (bytes.once_in(3)) c.softcap = 0.125 * static_cast<double>(bytes.range(1, 255));
  if (bytes.once_in(3)) c.dropout = static_cast<double>(bytes.range(1, 255)) / 256;
  c.dropout_seed = bytes.next(), c.dropout_offset = bytes.next();
  c.threads = static_cast<int32_t>(bytes.range(1, 3));
}

std::unique_ptr<Block> block_of(const std::vector<int64_t>& offsets) {
  auto block = std::make_unique<Block>(offsets.size() * sizeof(int64_t));
  std::memcpy(block->data(), offsets.data(), block->size());
  return block;
}

void draw_packing(Bytes& bytes, AttentionCall& c) {
  const std::vector<int64_t> q = draw_offsets(bytes, c.call.batch, c.call.nq),
                             k = draw_offsets(bytes, c.call.batch, c.call.nk);
  c.q_offsets = block_of(q), c.k_offsets = block_of(k);
  c.call.q_offsets = reinterpret_cast<const int64_t*>(c.q_offsets->data());
  c.call.k_offsets = reinterpret_cast<const int64_t*>(c.k_offsets->data());
  c.call.nq = q.back(), c.call.nk = k.back();
}

void draw_mask(Bytes& bytes, AttentionCall& c) {
  const bool shared = bytes.once_in(2);
  const int64_t n = shared ? c.call.nk : c.call.batch * c.call.nk;
  c.mask = std::make_unique<Block>(static_cast<size_t>(c.call.batch == 0 ? 0 : n));
  for (size_t i = 0; i < c.mask->size(); ++i) c.mask->data()[i] = std::byte(bytes.next() % 3);
  c.call.key_mask = reinterpret_cast<const uint8_t*>(c.mask->data());
  c.call.key_mask_batch = shared ? 0 : c.call.nk, c.call.key_mask_column = 1;
}

void draw_bias(Bytes& bytes, AttentionCall& c) {
  const attn_attention& n = c.call;
  c.call.bias = read_array(bytes, c, c.bias, {n.batch, n.heads, n.nq, n.nk}, bias_layout(bytes));
  if (c.bias->empty()) return;
  for (int64_t times = bytes.range(0, 20); times > 0; --times) {
    c.bias->set(bytes.next() % n.batch, bytes.next() % n.heads, bytes.next() % n.nq,
                bytes.next() % n.nk, -INFINITY);
  }
}

void draw_outputs(Bytes& bytes, AttentionCall& c) {
  attn_attention& n = c.call;
  const int64_t batch = c.packed() ? 1 : n.batch;
  const Shape row = {batch, n.heads, n.nq, 1};
  const bool mass = bytes.once_in(3);
  if (!bytes.once_in(4)) n.out = written_array(bytes, c, c.out, {batch, n.heads, n.nq, n.dv});
  if (mass || !bytes.once_in(4)) n.lse = written_array(bytes, c, c.lse, row);
  if (mass || !bytes.once_in(4)) n.lse_tail = written_array(bytes, c, c.lse_tail, row);
  if (!bytes.once_in(4)) n.entropy = written_array(bytes, c, c.entropy, row);
  if (bytes.once_in(2)) n.row_max = written_array(bytes, c, c.row_max, row);
  if (mass) n.column_mass = written_array(bytes, c, c.column_mass, {batch, n.heads, n.nk, 1});
}

std::vector<Array*> there(std::initializer_list<const Slot*> slots) {
  std::vector<Array*> all;
  for (const Slot* slot : slots) {
    if (*slot) all.push_back(slot->get());
  }
  return all;
}

}  // namespace

std::vector<Array*> AttentionCall::written() {
  return there({&out, &lse, &lse_tail, &entropy, &row_max, &column_mass});
}

std::vector<Array*> AttentionCall::gradients() {
  return there({&dq, &dk, &dv, &dbias, &dslopes, &dsink});
}

void draw_attention(Bytes& bytes, AttentionCall& c) {
  attn_attention& n = c.call;
  n.type = static_cast<int32_t>(bytes.range(0, 1));
  const Level levels[] = {Level::moderate, Level::moderate, Level::large, Level::wild};
  c.level = levels[bytes.range(0, 3)];
  draw_sizes(bytes, n);
  draw_options(bytes, n);
  if (bytes.once_in(4)) draw_packing(bytes, c);
  const int64_t batch = c.packed() ? 1 : n.batch, g = n.kv_heads > 0 ? n.kv_heads : n.heads;
  n.q = read_array(bytes, c, c.q, {batch, n.heads, n.nq, n.d}, read_layout(bytes));
  n.k = read_array(bytes, c, c.k, {batch, g, n.nk, n.d}, read_layout(bytes));
  n.v = read_array(bytes, c, c.v, {batch, g, n.nk, n.dv}, read_layout(bytes));
  if (!c.packed() && bytes.once_in(4)) draw_bias(bytes, c);
  if (!c.packed() && bytes.once_in(4)) draw_mask(bytes, c);
  const Shape head = {n.batch, n.heads, 1, 1};
  if (bytes.once_in(4)) n.slopes = read_array(bytes, c, c.slopes, head, read_layout(bytes));
  if (bytes.once_in(4)) n.sink = read_array(bytes, c, c.sink, head, read_layout(bytes));
  draw_outputs(bytes, c);
}

void draw_gradient(Bytes& bytes, AttentionCall& c) {
  const attn_attention& n = c.call;
  attn_attention_gradient& g = c.gradient;
  const int64_t batch = c.packed() ? 1 : n.batch, kv = n.kv_heads > 0 ? n.kv_heads : n.heads;
  const Shape row = {batch, n.heads, n.nq, 1}, head = {n.batch, n.heads, 1, 1};
  const Level level = c.level;
  if (c.level == Level::large) c.level = Level::moderate;
  if (c.out && !bytes.once_in(3))
    g.dout = read_array(bytes, c, c.dout, c.out->shape(), read_layout(bytes));
  if (bytes.once_in(2)) g.dlse = read_array(bytes, c, c.dlse, row, read_layout(bytes));
  if (c.entropy && !bytes.once_in(3))
    g.dentropy = read_array(bytes, c, c.dentropy, row, read_layout(bytes));
  if (bytes.once_in(4))
    g.dcolumn_mass =
        read_array(bytes, c, c.dcolumn_mass, {batch, n.heads, n.nk, 1}, read_layout(bytes));
  c.level = level;
  if (!bytes.once_in(4)) g.dq = written_array(bytes, c, c.dq, c.q->shape());
  if (!bytes.once_in(4)) g.dk = written_array(bytes, c, c.dk, {batch, kv, n.nk, n.d});
  if (!bytes.once_in(4)) g.dv = written_array(bytes, c, c.dv, {batch, kv, n.nk, n.dv});
  if (c.bias && !bytes.once_in(3)) {
    const Array::Layout layouts[] = {Array::Layout::contiguous,    Array::Layout::padded,
                                     Array::Layout::shared,        Array::Layout::one_row,
                                     Array::Layout::columns_first, Array::Layout::one_number};
    c.dbias = std::make_unique<Array>(c.bias->shape(), n.type, layouts[bytes.range(0, 5)]);
    c.dbias->watch(0);
    g.dbias = c.dbias->view();
  }
  if (c.slopes && !bytes.once_in(3)) g.dslopes = written_array(bytes, c, c.dslopes, head);
  if (c.sink && !bytes.once_in(3)) {
    const bool shared = bytes.once_in(2);
    // Of sums over no batch and no head there is one.
    const Shape one = {std::max<int64_t>(head.batch, 1), std::max<int64_t>(head.head, 1), 1, 1};
    c.dsink = std::make_unique<Array>(shared ? one : head, n.type,
                                      shared ? Array::Layout::shared : Array::Layout::contiguous);
    c.dsink->watch(-77);
    g.dsink = c.dsink->view();
  }
}

namespace {

bool all_untouched(const std::vector<Array*>& arrays) {
  return std::all_of(arrays.begin(), arrays.end(), [](const Array* a) { return a->untouched(); });
}

/// Backward of a call that forward has answered.
void fuzz_backward(Bytes& bytes, AttentionCall& c) {
  if (!c.lse || !c.lse_tail) {
    const attn_status status = attn_attention_backward(&c.call, &c.gradient);
    const bool rows = (c.packed() ? 1 : c.call.batch) * c.call.heads * c.call.nq > 0;
    require(status == (rows ? ATTN_INVALID : ATTN_OK), "backward needs lse where there are rows");
    return;
  }
  draw_gradient(bytes, c);
  if (bytes.once_in(6) && sabotage_gradient(bytes, c)) {
    require(attn_attention_backward(&c.call, &c.gradient) == ATTN_INVALID, "a fault is refused");
    require(all_untouched(c.gradients()), "nothing is written when an argument is refused");
    return;
  }
  const attn_status status = attn_attention_backward(&c.call, &c.gradient);
  require(status == ATTN_OK, "a valid backward call succeeds");
  check_backward(c);
}

}  // namespace

void fuzz_attention(Bytes& bytes) {
  AttentionCall c;
  draw_attention(bytes, c);
  if (bytes.once_in(4) && sabotage_call(bytes, c)) {
    require(attn_attention_forward(&c.call) == ATTN_INVALID, "a fault is refused");
    require(std::strlen(attn_error_message()) > 8, "the message says something");
    require(all_untouched(c.written()), "nothing is written when an argument is refused");
    return;
  }
  require(attn_attention_forward(&c.call) == ATTN_OK, "a valid forward call succeeds");
  check_forward(c);
  fuzz_backward(bytes, c);
}

}  // namespace attn::fuzz
