// Merging under fuzz: parts of random results.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/fuzz/fuzz_attention.h"

namespace attn::fuzz {
namespace {

/// A part, or a gradient of one, and its arrays.
struct PartArrays {
  Slot out, lse, lse_tail, entropy, row_max;
  attn_part part{};
};

struct MergeCall {
  attn_merge call = attn_merge_init();
  Level level = Level::moderate;
  std::vector<PartArrays> parts, to;
  PartArrays merged;
  std::vector<attn_part> part_list, to_list;

  Shape row() const { return {call.batch, call.heads, call.nq, 1}; }
  Shape matrix() const { return {call.batch, call.heads, call.nq, call.dv}; }
};

Slot draw_read(Bytes& bytes, const MergeCall& c, const Shape& shape) {
  auto slot = std::make_unique<Array>(shape, c.call.type, read_layout(bytes));
  slot->fill(bytes.next() + 256u * bytes.next(), c.level);
  return slot;
}

Slot draw_written(Bytes& bytes, const MergeCall& c, const Shape& shape) {
  auto slot = std::make_unique<Array>(shape, c.call.type, written_layout(bytes));
  slot->watch(-77);
  return slot;
}

void draw_part(Bytes& bytes, MergeCall& c) {
  PartArrays& p = c.parts.emplace_back();
  p.lse = draw_read(bytes, c, c.row());
  p.out = draw_read(bytes, c, c.matrix());
  p.entropy = draw_read(bytes, c, c.row());
  p.row_max = draw_read(bytes, c, c.row());
  if (c.level != Level::wild) {
    // As attention leaves them: entropies are not negative, parts that saw no key have lse -inf.
    const Shape n = c.row();
    for (int64_t b = 0; b < n.batch; ++b) {
      for (int64_t h = 0; h < n.head; ++h) {
        for (int64_t i = 0; i < n.row; ++i) {
          p.entropy->set(b, h, i, 0, std::abs(p.entropy->at(b, h, i, 0)));
          if (bytes.once_in(8)) p.lse->set(b, h, i, 0, -INFINITY);
        }
      }
    }
  }
  p.part = {p.out->view(), p.lse->view(), {}, p.entropy->view(), p.row_max->view()};
  c.part_list.push_back(p.part);
}

void draw_merge(Bytes& bytes, MergeCall& c) {
  c.call.type = static_cast<int32_t>(bytes.range(0, 1));
  c.level = static_cast<Level>(bytes.range(0, 2));
  c.call.batch = bytes.range(0, 2), c.call.heads = bytes.range(0, 3);
  c.call.nq = bytes.range(0, 40), c.call.dv = bytes.range(0, 20);
  if (bytes.once_in(8)) c.call.nq += 256;  // more than one task
  c.call.threads = static_cast<int32_t>(bytes.range(1, 3));
  for (int64_t s = bytes.range(1, 4); s > 0; --s) draw_part(bytes, c);
  c.call.parts_count = static_cast<int64_t>(c.part_list.size());
  c.call.parts = c.part_list.data();
  PartArrays& m = c.merged;
  if (!bytes.once_in(4))
    m.out = draw_written(bytes, c, c.matrix()), c.call.merged.out = m.out->view();
  if (!bytes.once_in(4)) m.lse = draw_written(bytes, c, c.row()), c.call.merged.lse = m.lse->view();
  if (!bytes.once_in(4))
    m.entropy = draw_written(bytes, c, c.row()), c.call.merged.entropy = m.entropy->view();
  if (bytes.once_in(2))
    m.row_max = draw_written(bytes, c, c.row()), c.call.merged.row_max = m.row_max->view();
}

std::vector<const Array*> arrays_of(const PartArrays& p) {
  std::vector<const Array*> all;
  for (const Slot* slot : {&p.out, &p.lse, &p.lse_tail, &p.entropy, &p.row_max}) {
    if (*slot) all.push_back(slot->get());
  }
  return all;
}

/// True where the call must now be refused.
bool sabotage(Bytes& bytes, MergeCall& c) {
  const bool rows = c.call.batch * c.call.heads * c.call.nq > 0;
  switch (bytes.range(0, 6)) {
    case 0:
      c.call.version = 0;
      return true;
    case 1:
      c.call.nq = -1;
      return true;
    case 2:
      c.call.dv = int64_t{1} << 62;
      return true;
    case 3:
      c.call.parts_count = bytes.once_in(2) ? 0 : -1;
      return true;
    case 4:
      c.call.parts = nullptr;
      return true;
    case 5:
      if (rows) c.part_list.back().lse.data = nullptr;
      return rows;
    default:
      c.call.threads = -1;
      return true;
  }
}

void check_merged(const MergeCall& c) {
  for (const Array* a : arrays_of(c.merged))
    require(a->padding_untouched(), "merging writes elements only");
  if (c.level == Level::wild) return;
  const Shape n = c.row();
  for (int64_t b = 0; b < n.batch; ++b) {
    for (int64_t h = 0; h < n.head; ++h) {
      for (int64_t i = 0; i < n.row; ++i) {
        double top = -INFINITY, most = 0;
        for (const PartArrays& p : c.parts) {
          top = std::max(top, p.lse->at(b, h, i, 0));
          most = std::max(most, p.entropy->at(b, h, i, 0));
        }
        most += std::log(static_cast<double>(c.parts.size()));
        if (c.merged.lse) {
          const double lse = c.merged.lse->at(b, h, i, 0);
          require(lse == top || lse >= top - 1e-5 * std::abs(top),
                  "merged lse is the largest or more");
        }
        if (!c.merged.entropy) continue;
        const double entropy = c.merged.entropy->at(b, h, i, 0);
        require(entropy >= 0 && entropy <= most * (1 + 1e-5) + 1e-5,
                "merged entropy in its bounds");
        if (top == -INFINITY) require(entropy == 0, "merged entropy without keys is 0");
      }
    }
  }
  if (c.merged.out) require(c.merged.out->finite(), "merged out is finite");
}

void fuzz_gradient(Bytes& bytes, MergeCall& c) {
  attn_merge_gradient g{};
  Slot dout, dlse, dentropy;
  if (c.merged.out) dout = draw_read(bytes, c, c.matrix()), g.dout = dout->view();
  if (bytes.once_in(2)) dlse = draw_read(bytes, c, c.row()), g.dlse = dlse->view();
  if (c.merged.entropy) dentropy = draw_read(bytes, c, c.row()), g.dentropy = dentropy->view();
  c.to.resize(c.parts.size());
  for (PartArrays& p : c.to) {
    if (!bytes.once_in(4)) p.out = draw_written(bytes, c, c.matrix()), p.part.out = p.out->view();
    if (!bytes.once_in(4)) p.lse = draw_written(bytes, c, c.row()), p.part.lse = p.lse->view();
    if (!bytes.once_in(4))
      p.entropy = draw_written(bytes, c, c.row()), p.part.entropy = p.entropy->view();
    c.to_list.push_back(p.part);
  }
  g.parts = c.to_list.data();
  require(attn_merge_backward(&c.call, &g) == ATTN_OK, "a valid backward of merging succeeds");
  for (const PartArrays& p : c.to) {
    for (const Array* a : arrays_of(p)) {
      require(a->padding_untouched(), "backward of merging writes elements only");
      if (c.level != Level::wild) require(a->finite(), "gradients of merging are finite");
    }
  }
}

}  // namespace

void fuzz_merge(Bytes& bytes) {
  MergeCall c;
  draw_merge(bytes, c);
  if (bytes.once_in(4) && sabotage(bytes, c)) {
    require(attn_merge_forward(&c.call) == ATTN_INVALID, "a fault of merging is refused");
    for (const Array* a : arrays_of(c.merged))
      require(a->untouched(), "nothing is written when merging is refused");
    return;
  }
  require(attn_merge_forward(&c.call) == ATTN_OK, "a valid merge succeeds");
  check_merged(c);
  fuzz_gradient(bytes, c);
}

}  // namespace attn::fuzz
