// Pooling under fuzz: packed bags.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz_attention.h"

namespace attn::fuzz {
namespace {

struct PoolCall {
  attn_pool call = attn_pool_init();
  attn_pool_gradient gradient{};
  Level level = Level::moderate;
  std::unique_ptr<Block> offsets;
  Slot scores, values, out, lse, lse_tail, entropy, dout, dlse, dentropy, dscores, dvalues;

  Shape row() const { return {1, 1, call.bags, call.heads}; }
  Shape matrix() const { return {1, call.bags, call.heads, call.d}; }
  std::vector<const Array*> written() const {
    std::vector<const Array*> all;
    for (const Slot* slot : {&out, &lse, &lse_tail, &entropy, &dscores, &dvalues}) {
      if (*slot) all.push_back(slot->get());
    }
    return all;
  }
};

void* draw_read(Bytes& bytes, PoolCall& c, Slot& slot, const Shape& shape, Array::Layout layout) {
  slot = std::make_unique<Array>(shape, c.call.type, layout);
  slot->fill(bytes.next() + 256u * bytes.next(), c.level);
  return slot->view().data;
}

void* draw_written(PoolCall& c, Slot& slot, const Shape& shape) {
  slot = std::make_unique<Array>(shape, c.call.type, Array::Layout::contiguous);
  slot->watch(-77);
  return slot->view().data;
}

void draw_pool(Bytes& bytes, PoolCall& c) {
  attn_pool& n = c.call;
  n.type = static_cast<int32_t>(bytes.range(0, 1));
  c.level = static_cast<Level>(bytes.range(0, 2));
  n.bags = bytes.range(0, 5), n.heads = bytes.range(0, 5), n.d = bytes.range(0, 70);
  n.threads = static_cast<int32_t>(bytes.range(1, 3));
  const std::vector<int64_t> offsets = draw_offsets(bytes, n.bags, bytes.once_in(8) ? 600 : 40);
  n.rows = offsets.back();
  c.offsets = std::make_unique<Block>(offsets.size() * sizeof(int64_t));
  std::memcpy(c.offsets->data(), offsets.data(), c.offsets->size());
  n.offsets = reinterpret_cast<const int64_t*>(c.offsets->data());
  const auto layout = [&] {
    return bytes.once_in(2) ? Array::Layout::padded : Array::Layout::contiguous;
  };
  n.scores = draw_read(bytes, c, c.scores, {1, 1, n.rows, n.heads}, layout());
  n.values = draw_read(bytes, c, c.values, {1, 1, n.rows, n.d}, layout());
  n.scores_row = c.scores->view().row, n.values_row = c.values->view().row;
  if (!bytes.once_in(4)) n.out = draw_written(c, c.out, c.matrix());
  if (!bytes.once_in(4)) n.lse = draw_written(c, c.lse, c.row());
  if (!bytes.once_in(4)) n.lse_tail = draw_written(c, c.lse_tail, c.row());
  if (!bytes.once_in(4)) n.entropy = draw_written(c, c.entropy, c.row());
}

/// True where the call must now be refused.
bool sabotage(Bytes& bytes, PoolCall& c) {
  attn_pool& n = c.call;
  auto* offsets = reinterpret_cast<int64_t*>(c.offsets->data());
  switch (bytes.range(0, 8)) {
    case 0:
      n.version = 3;
      return true;
    case 1:
      n.type = 4;
      return true;
    case 2:
      n.bags = bytes.once_in(2) ? -1 : int64_t{1} << 62;
      return true;
    case 3:
      n.d = -2;
      return true;
    case 4:
      n.offsets = nullptr;
      return true;
    case 5:
      offsets[0] = 1;
      return true;
    case 6:
      offsets[n.bags] -= 1;
      return true;
    case 7:
      n.scores = nullptr;
      return n.rows * n.heads > 0;
    default:
      n.threads = 5000;
      return true;
  }
}

void check_pooled(const PoolCall& c) {
  const attn_pool& n = c.call;
  if (c.level == Level::wild) return;
  double most_value = 0;
  c.values->each([&](double x) { most_value = std::max(most_value, std::abs(x)); });
  for (int64_t b = 0; b < n.bags; ++b) {
    const int64_t size = n.offsets[b + 1] - n.offsets[b];
    for (int64_t k = 0; k < n.heads; ++k) {
      if (c.entropy) {
        const double entropy = c.entropy->at(0, 0, b, k);
        const double most = size > 0 ? std::log(static_cast<double>(size)) + 1e-5 : 0;
        require(entropy >= 0 && entropy <= most, "entropy of a bag in its bounds");
      }
      if (c.lse) {
        const double lse = c.lse->at(0, 0, b, k);
        require(size > 0 ? std::isfinite(lse) : lse == -INFINITY, "lse of a bag");
      }
      if (!c.out) continue;
      for (int64_t x = 0; x < n.d; ++x) {
        const double out = std::abs(c.out->at(0, b, k, x));
        require(out <= (size > 0 ? most_value * (1 + 1e-4) : 0), "out of a bag among its values");
      }
    }
  }
}

void fuzz_gradient(Bytes& bytes, PoolCall& c) {
  attn_pool_gradient& g = c.gradient;
  const attn_pool& n = c.call;
  if (c.level == Level::large) c.level = Level::moderate;
  if (c.out) g.dout = draw_read(bytes, c, c.dout, c.matrix(), Array::Layout::contiguous);
  if (bytes.once_in(2)) g.dlse = draw_read(bytes, c, c.dlse, c.row(), Array::Layout::contiguous);
  if (c.entropy) g.dentropy = draw_read(bytes, c, c.dentropy, c.row(), Array::Layout::contiguous);
  if (!bytes.once_in(4)) g.dscores = draw_written(c, c.dscores, {1, 1, n.rows, n.heads});
  if (!bytes.once_in(4)) g.dvalues = draw_written(c, c.dvalues, {1, 1, n.rows, n.d});
  const bool able = n.bags * n.heads == 0 || (c.lse && c.lse_tail);
  const attn_status status = attn_pool_backward(&c.call, &g);
  require(status == (able ? ATTN_OK : ATTN_INVALID), "backward of pooling needs lse and lse_tail");
  if (c.level == Level::wild || !able) return;
  if (c.dscores) require(c.dscores->finite(), "dscores are finite");
  if (c.dvalues) require(c.dvalues->finite(), "dvalues are finite");
}

}  // namespace

void fuzz_pool(Bytes& bytes) {
  PoolCall c;
  draw_pool(bytes, c);
  if (bytes.once_in(4) && sabotage(bytes, c)) {
    require(attn_pool_forward(&c.call) == ATTN_INVALID, "a fault of pooling is refused");
    for (const Array* a : c.written())
      require(a->untouched(), "nothing is written when pooling is refused");
    return;
  }
  require(attn_pool_forward(&c.call) == ATTN_OK, "a valid pooling succeeds");
  check_pooled(c);
  fuzz_gradient(bytes, c);
}

}  // namespace attn::fuzz
