#include "libattn/core/backward_plan.h"

namespace attn::core {
namespace {

/// Heads times chunks are brought up to this number, so that few long heads still feed several
/// threads. Each chunk costs one dK and dV of memory. Eight: two threads end within one part in
/// sixteen of each other under causality, too.
constexpr int64_t kUnits = 8;
/// Chunks are no shorter than this and a multiple of it (a multiple of every target's block of
/// queries).
constexpr int64_t kChunkQueries = 256;
/// Keys merged by one task.
constexpr int64_t kMergeKeys = 1024;

}  // namespace

template <class T>
BackwardPlan<T>::BackwardPlan(const AttentionInput<T>& in, const AttentionGradient<T>& gradient)
    : in_(in), gradient_(gradient), batch_groups_(in.batch), head_groups_(in.heads) {
  const int64_t heads = in.batch * in.heads;
  if (heads == 0) return;
  chunks_ = std::clamp<int64_t>((kUnits + heads - 1) / heads, 1,
                                std::max<int64_t>(in.nq / kChunkQueries, 1));
  if (gradient.dbias.data != nullptr) {
    if (gradient.dbias.row == 0) chunks_ = 1;
    if (gradient.dbias.batch == 0) batch_groups_ = 1;
    if (gradient.dbias.head == 0) head_groups_ = 1;
  }
  if (chunks_ == 1) return;
  if (gradient.dk.data != nullptr)
    dk_parts_.reset(new T[static_cast<size_t>(heads * chunks_ * in.nk * in.d)]);
  if (gradient.dv.data != nullptr)
    dv_parts_.reset(new T[static_cast<size_t>(heads * chunks_ * in.nk * in.dv)]);
}

template <class T>
int64_t BackwardPlan<T>::tasks() const {
  return batch_groups_ * head_groups_ * chunks_;
}

template <class T>
std::vector<BackwardUnit> BackwardPlan<T>::units(int64_t task) const {
  const int64_t groups = batch_groups_ * head_groups_;
  // The last chunk first: under causality it is the longest.
  const int64_t chunk = chunks_ - 1 - task / groups, group = task % groups;
  const int64_t batch = group / head_groups_, head = group % head_groups_;
  const int64_t pieces = (in_.nq + kChunkQueries - 1) / kChunkQueries;
  BackwardUnit unit;
  unit.chunk = chunk;
  unit.first = chunks_ == 1 ? 0 : std::min(chunk * pieces / chunks_ * kChunkQueries, in_.nq);
  unit.last =
      chunks_ == 1 ? in_.nq : std::min((chunk + 1) * pieces / chunks_ * kChunkQueries, in_.nq);
  std::vector<BackwardUnit> units;
  for (unit.batch = batch; unit.batch < in_.batch; unit.batch += batch_groups_) {
    for (unit.head = head; unit.head < in_.heads; unit.head += head_groups_) units.push_back(unit);
  }
  return units;
}

template <class T>
View<T> BackwardPlan<T>::part(const View<T>& whole, T* parts, int64_t columns,
                              const BackwardUnit& unit) const {
  View<T> view;
  if (whole.data == nullptr) return view;
  if (chunks_ == 1) {
    view.data = whole.data + unit.batch * whole.batch + unit.head * whole.head;
    view.row = whole.row;
  } else {
    view.data =
        parts + ((unit.batch * in_.heads + unit.head) * chunks_ + unit.chunk) * in_.nk * columns;
    view.row = columns;
  }
  return view;
}

template <class T>
View<T> BackwardPlan<T>::key_gradient(const BackwardUnit& unit) const {
  return part(gradient_.dk, dk_parts_.get(), in_.d, unit);
}

template <class T>
View<T> BackwardPlan<T>::value_gradient(const BackwardUnit& unit) const {
  return part(gradient_.dv, dv_parts_.get(), in_.dv, unit);
}

template <class T>
void BackwardPlan<T>::merge_head(const View<T>& whole, const T* parts, int64_t columns,
                                 int64_t head, int64_t first, int64_t last) const {
  if (whole.data == nullptr) return;
  T* to = whole.data + head / in_.heads * whole.batch + head % in_.heads * whole.head;
  const T* from = parts + head * chunks_ * in_.nk * columns;
  for (int64_t j = first; j < last; ++j) {
    std::copy_n(from + j * columns, columns, to + j * whole.row);
    for (int64_t chunk = 1; chunk < chunks_; ++chunk) {
      const T* next = from + (chunk * in_.nk + j) * columns;
      for (int64_t c = 0; c < columns; ++c) to[j * whole.row + c] += next[c];
    }
  }
}

template <class T>
void BackwardPlan<T>::merge(const Parallel& parallel) const {
  if (chunks_ == 1) return;
  const int64_t pieces = (in_.nk + kMergeKeys - 1) / kMergeKeys;
  run_tasks(parallel, in_.batch * in_.heads * pieces, [&](int64_t task) {
    const int64_t head = task / pieces, first = task % pieces * kMergeKeys;
    const int64_t last = std::min(first + kMergeKeys, in_.nk);
    merge_head(gradient_.dk, dk_parts_.get(), in_.d, head, first, last);
    merge_head(gradient_.dv, dv_parts_.get(), in_.dv, head, first, last);
  });
}

template class BackwardPlan<float>;
template class BackwardPlan<double>;

}  // namespace attn::core
