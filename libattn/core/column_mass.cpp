// Column mass: each task owns some keys of one head and goes over the queries that see them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/column_mass.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "libattn/core/column_mass.h"
#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Keys of a task: Q is packed again for every task.
inline constexpr int kMassKeys = 256;
/// Keys of a tile.
inline constexpr int kMassTile = 64;

template <class T>
struct MassState {
  T *qt, *tile, *lse, *tail;
  double* mass;  // kMassKeys
};

/// Adds the weights of a block of queries on keys [key0, key0 + keys) to `mass`.
template <class T>
HWY_NOINLINE void add_mass(const Head<T>& head, const QueryBlock& block, int64_t key0, int keys,
                           const MassState<T>& state, double* mass) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  constexpr int64_t kPanel = int64_t{kMassTile} * kN;
  const Visible visible = visible_keys(head, block, key0, keys);
  finished_scores<T>(head, block, key0, keys, visible, state.qt, state.tile, kPanel, nullptr,
                     nullptr);
  for (int j = 0; j < keys; ++j) {
    auto sum = hn::Zero(d);
    for (int p = 0; p < block.panels; ++p) {
      if (visible.seen[p] <= j) continue;
      const auto s = hn::Load(d, state.tile + p * kPanel + j * kN);
      const auto lse = hn::Load(d, state.lse + p * kN), tail = hn::Load(d, state.tail + p * kN);
      sum = hn::Add(sum, exponential(clamp_exponent<T>(hn::Sub(hn::Sub(s, lse), tail))));
    }
    mass[j] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
}

/// Keys [from, to) of a head; mass: that of key `from` first.
template <class T>
HWY_NOINLINE void mass_of_keys(const Head<T>& head, const Rows<const T>& lse,
                               const Rows<const T>& tail, int64_t from, int64_t to,
                               const Rows<T>& mass) {
  constexpr int kN = kLanes<T>;
  constexpr int kQ = kQueries<T>;
  Scratch scratch(Scratch::size<T>(head.d * kQ) + Scratch::size<T>(kPanels * kMassTile * kN) +
                  2 * Scratch::size<T>(kQ) + Scratch::size<double>(kMassKeys));
  MassState<T> state;
  state.qt = scratch.take<T>(head.d * kQ);
  state.tile = scratch.take<T>(kPanels * kMassTile * kN);
  state.lse = scratch.take<T>(kQ);
  state.tail = scratch.take<T>(kQ);
  state.mass = scratch.take<double>(kMassKeys);
  std::fill_n(state.mass, kMassKeys, 0.0);
  const int64_t first = head.query_begin(from), last = head.query_end(to);
  const int64_t blocks = first < last ? query_blocks<T>(last - first) : 0;
  for (int64_t i = 0; i < blocks; ++i) {
    const QueryBlock block = query_block<T>(first, last, i, blocks);
    pack_transposed(head.q.data + block.first * head.q.row, head.q.row, block.rows, head.d,
                    head.scale, state.qt, kQ, block.panels * kN);
    load_lse(block, lse, tail, state.lse, state.tail);
    for (int64_t key0 = from; key0 < to; key0 += kMassTile) {
      add_mass(head, block, key0, static_cast<int>(std::min<int64_t>(kMassTile, to - key0)), state,
               state.mass + (key0 - from));
    }
  }
  for (int64_t j = from; j < to; ++j)
    mass.data[(j - from) * mass.row] = static_cast<T>(state.mass[j - from]);
}

template <class T>
void all_masses(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                const Parallel& parallel) {
  std::vector<int64_t> counts(static_cast<size_t>(in.batch));
  const auto pieces = [&](int64_t batch) {
    return (keys_of(in, batch) + kMassKeys - 1) / kMassKeys;
  };
  for (int64_t b = 0; b < in.batch; ++b) counts[static_cast<size_t>(b)] = in.heads * pieces(b);
  const TaskTable table(counts);
  run_tasks(parallel, table.tasks(), [&](int64_t task) {
    const auto [batch, number] = table.locate(task);
    const Head<T> head = head_of(in, batch, number / pieces(batch));
    const int64_t from = number % pieces(batch) * kMassKeys;
    const Rows<T> lse = rows_of(in, out.lse, batch, head.head, head.query0);
    const Rows<T> tail = rows_of(in, out.lse_tail, batch, head.head, head.query0);
    const Rows<T> mass = rows_of(in, out.column_mass, batch, head.head, head.key0);
    mass_of_keys<T>(head, {lse.data, lse.row}, {tail.data, tail.row}, from,
                    std::min(from + kMassKeys, head.nk), {mass.data + from * mass.row, mass.row});
  });
}

template <class T>
void one_mass(const AttentionInput<T>& in, const AttentionOutput<T>& out, const int64_t* keys,
              T* mass, const Parallel& parallel) {
  run_tasks(parallel, in.batch * in.heads, [&](int64_t task) {
    const int64_t batch = task / in.heads, key = keys[batch];
    mass[task] = 0;
    if (key < 0) return;
    const Head<T> head = head_of(in, batch, task % in.heads);
    const Rows<T> lse = rows_of(in, out.lse, batch, head.head, head.query0);
    const Rows<T> tail = rows_of(in, out.lse_tail, batch, head.head, head.query0);
    mass_of_keys<T>(head, {lse.data, lse.row}, {tail.data, tail.row}, key, key + 1,
                    {mass + task, 1});
  });
}

void column_mass_f32(const AttentionInput<float>& in, const AttentionOutput<float>& out,
                     const Parallel& parallel) {
  all_masses(in, out, parallel);
}
void column_mass_f64(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                     const Parallel& parallel) {
  all_masses(in, out, parallel);
}

void key_mass_f32(const AttentionInput<float>& in, const AttentionOutput<float>& out,
                  const int64_t* keys, float* mass, const Parallel& parallel) {
  one_mass(in, out, keys, mass, parallel);
}
void key_mass_f64(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                  const int64_t* keys, double* mass, const Parallel& parallel) {
  one_mass(in, out, keys, mass, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(column_mass_f32);
HWY_EXPORT(column_mass_f64);
HWY_EXPORT(key_mass_f32);
HWY_EXPORT(key_mass_f64);

template <>
void column_mass(const AttentionInput<float>& in, const AttentionOutput<float>& out,
                 const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(column_mass_f32)(in, out, parallel);
}
template <>
void column_mass(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                 const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(column_mass_f64)(in, out, parallel);
}

template <>
void key_mass(const AttentionInput<float>& in, const AttentionOutput<float>& out,
              const int64_t* keys, float* mass, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(key_mass_f32)(in, out, keys, mass, parallel);
}
template <>
void key_mass(const AttentionInput<double>& in, const AttentionOutput<double>& out,
              const int64_t* keys, double* mass, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(key_mass_f64)(in, out, keys, mass, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
