#include "libattn/core/backward_plan.h"

#include <algorithm>

namespace attn::core {
namespace {

/// Key heads times chunks are brought up to this number, so that few long heads still feed several
/// threads. Each chunk costs one dK and dV of memory. Eight: two threads end within one part in
/// sixteen of each other under causality, too.
constexpr int64_t kUnits = 8;
/// Chunks are no shorter than this and a multiple of it (a multiple of every target's block of
/// queries).
constexpr int64_t kChunkQueries = 256;
/// Keys merged by one task.
constexpr int64_t kMergeKeys = 1024;

int64_t divided_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

template <class T>
BackwardPlan<T>::BackwardPlan(const AttentionInput<T>& in, const AttentionGradient<T>& gradient)
    : in_(in),
      gradient_(gradient),
      kv_heads_(kv_heads(in)),
      sequences_(static_cast<size_t>(in.batch)) {
  if (in.batch == 0 || in.heads == 0) return;
  group_ = in.heads / kv_heads_;
  const int64_t wanted = divided_up(kUnits, in.batch * kv_heads_);
  int64_t parts = 0;
  for (int64_t b = 0; b < in.batch; ++b) {
    Sequence& s = sequences_[static_cast<size_t>(b)];
    const int64_t pieces = group_ * divided_up(queries_of(in, b), kChunkQueries);
    // Chunks add to the same dbias where it has no rows, and where the heads of a group share it:
    // then there is one.
    const bool one = gradient.dbias.data != nullptr &&
                     (gradient.dbias.row == 0 || (gradient.dbias.head == 0 && group_ > 1));
    s.chunks = one ? 1 : std::clamp<int64_t>(wanted, 1, std::max<int64_t>(pieces, 1));
    s.first_part = parts;
    if (s.chunks > 1) parts += kv_heads_ * s.chunks * keys_of(in, b);
    most_chunks_ = std::max(most_chunks_, s.chunks);
  }
  if (parts > 0 && gradient.dk.data != nullptr)
    dk_parts_.reset(new T[static_cast<size_t>(parts * in.d)]);
  if (parts > 0 && gradient.dv.data != nullptr)
    dv_parts_.reset(new T[static_cast<size_t>(parts * in.dv)]);
  const auto scalars = static_cast<size_t>(in.batch * in.heads * most_chunks_);
  if (gradient.dslope.data != nullptr) dslope_parts_.resize(scalars);
  if (gradient.dsink.data != nullptr) dsink_parts_.resize(scalars);
  plan_tasks();
}

template <class T>
std::vector<BackwardPiece> BackwardPlan<T>::pieces_of(int64_t batch, int64_t kv_head,
                                                      int64_t chunk) const {
  const int64_t nq = queries_of(in_, batch), chunks = sequences_[static_cast<size_t>(batch)].chunks;
  const int64_t of_head = divided_up(nq, kChunkQueries), all = group_ * of_head;
  const int64_t from = chunk * all / chunks, to = (chunk + 1) * all / chunks;
  std::vector<BackwardPiece> pieces;
  for (int64_t g = 0; g < group_; ++g) {
    const int64_t first = std::clamp<int64_t>(from - g * of_head, 0, of_head) * kChunkQueries;
    const int64_t last = std::clamp<int64_t>(to - g * of_head, 0, of_head) * kChunkQueries;
    if (first < last) pieces.push_back({kv_head * group_ + g, first, std::min(last, nq)});
  }
  return pieces;
}

template <class T>
void BackwardPlan<T>::plan_tasks() {
  const bool biased = gradient_.dbias.data != nullptr;
  const int64_t batch_groups = biased && gradient_.dbias.batch == 0 ? 1 : in_.batch;
  const int64_t head_groups = biased && gradient_.dbias.head == 0 ? 1 : kv_heads_;
  // The last chunk first: under causality it is the longest.
  for (int64_t chunk = most_chunks_ - 1; chunk >= 0; --chunk) {
    for (int64_t group = 0; group < batch_groups * head_groups; ++group) {
      std::vector<BackwardUnit> task;
      for (int64_t b = group / head_groups; b < in_.batch; b += batch_groups) {
        if (chunk >= sequences_[static_cast<size_t>(b)].chunks) continue;
        for (int64_t h = group % head_groups; h < kv_heads_; h += head_groups)
          task.push_back({b, h, chunk, pieces_of(b, h, chunk)});
      }
      if (!task.empty()) tasks_.push_back(std::move(task));
    }
  }
}

template <class T>
int64_t BackwardPlan<T>::part_row(const BackwardUnit& unit) const {
  const Sequence& s = sequences_[static_cast<size_t>(unit.batch)];
  return s.first_part + (unit.kv_head * s.chunks + unit.chunk) * keys_of(in_, unit.batch);
}

template <class T>
Rows<T> BackwardPlan<T>::key_gradient(const BackwardUnit& unit) const {
  if (gradient_.dk.data == nullptr) return {};
  if (sequences_[static_cast<size_t>(unit.batch)].chunks > 1)
    return {dk_parts_.get() + part_row(unit) * in_.d, in_.d};
  const int64_t key0 = in_.k_offsets == nullptr ? 0 : in_.k_offsets[unit.batch];
  return rows_of(in_, gradient_.dk, unit.batch, unit.kv_head, key0);
}

template <class T>
Rows<T> BackwardPlan<T>::value_gradient(const BackwardUnit& unit) const {
  if (gradient_.dv.data == nullptr) return {};
  if (sequences_[static_cast<size_t>(unit.batch)].chunks > 1)
    return {dv_parts_.get() + part_row(unit) * in_.dv, in_.dv};
  const int64_t key0 = in_.k_offsets == nullptr ? 0 : in_.k_offsets[unit.batch];
  return rows_of(in_, gradient_.dv, unit.batch, unit.kv_head, key0);
}

template <class T>
size_t BackwardPlan<T>::scalar_index(int64_t batch, int64_t head, int64_t chunk) const {
  return static_cast<size_t>((batch * in_.heads + head) * most_chunks_ + chunk);
}

template <class T>
double& BackwardPlan<T>::slope_gradient(const BackwardUnit& unit, int64_t head) const {
  return dslope_parts_[scalar_index(unit.batch, head, unit.chunk)];
}

template <class T>
double& BackwardPlan<T>::sink_gradient(const BackwardUnit& unit, int64_t head) const {
  return dsink_parts_[scalar_index(unit.batch, head, unit.chunk)];
}

template <class T>
void BackwardPlan<T>::merge_keys(const View<T>& whole, const T* parts, int64_t columns,
                                 int64_t batch, int64_t kv_head, int64_t first,
                                 int64_t last) const {
  if (whole.data == nullptr) return;
  const int64_t nk = keys_of(in_, batch), chunks = sequences_[static_cast<size_t>(batch)].chunks;
  const int64_t key0 = in_.k_offsets == nullptr ? 0 : in_.k_offsets[batch];
  const Rows<T> to = rows_of(in_, whole, batch, kv_head, key0);
  const T* from = parts + part_row({batch, kv_head, 0, {}}) * columns;
  for (int64_t j = first; j < last; ++j) {
    T* sum = to.data + j * to.row;
    std::copy_n(from + j * columns, columns, sum);
    for (int64_t chunk = 1; chunk < chunks; ++chunk) {
      const T* next = from + (chunk * nk + j) * columns;
      for (int64_t c = 0; c < columns; ++c) sum[c] += next[c];
    }
  }
}

template <class T>
void BackwardPlan<T>::merge_scalars(const HeadView<T>& whole,
                                    const std::vector<double>& parts) const {
  if (whole.data == nullptr) return;
  const int64_t batches = whole.batch == 0 ? 1 : in_.batch, heads = whole.head == 0 ? 1 : in_.heads;
  std::vector<double> sums(static_cast<size_t>(batches * heads));
  for (int64_t b = 0; b < in_.batch; ++b) {
    for (int64_t h = 0; h < in_.heads; ++h) {
      for (int64_t chunk = 0; chunk < most_chunks_; ++chunk)
        sums[static_cast<size_t>(b % batches * heads + h % heads)] +=
            parts[scalar_index(b, h, chunk)];
    }
  }
  for (int64_t b = 0; b < batches; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      whole.data[b * whole.batch + h * whole.head] =
          static_cast<T>(sums[static_cast<size_t>(b * heads + h)]);
    }
  }
}

template <class T>
void BackwardPlan<T>::merge(const Parallel& parallel) const {
  merge_scalars(gradient_.dslope, dslope_parts_);
  merge_scalars(gradient_.dsink, dsink_parts_);
  if (most_chunks_ == 1) return;
  std::vector<int64_t> counts(sequences_.size());
  const auto pieces = [&](int64_t batch) { return divided_up(keys_of(in_, batch), kMergeKeys); };
  for (int64_t b = 0; b < in_.batch; ++b) {
    const auto at = static_cast<size_t>(b);
    counts[at] = sequences_[at].chunks > 1 ? kv_heads_ * pieces(b) : 0;
  }
  const TaskTable table(counts);
  run_tasks(parallel, table.tasks(), [&](int64_t task) {
    const auto [batch, number] = table.locate(task);
    const int64_t kv_head = number / pieces(batch), first = number % pieces(batch) * kMergeKeys;
    const int64_t last = std::min(first + kMergeKeys, keys_of(in_, batch));
    merge_keys(gradient_.dk, dk_parts_.get(), in_.d, batch, kv_head, first, last);
    merge_keys(gradient_.dv, dv_parts_.get(), in_.dv, batch, kv_head, first, last);
  });
}

template class BackwardPlan<float>;
template class BackwardPlan<double>;

}  // namespace attn::core
