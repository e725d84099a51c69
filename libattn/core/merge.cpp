// Partial results over disjoint keys to one. Bound by memory: plain loops that the compiler
// vectorises.
#include <algorithm>
#include <cmath>
#include <limits>

#include "attn/core.h"
#include "libattn/core/parallel.h"

namespace attn::core {
namespace {

/// Rows merged by one task.
constexpr int64_t kMergeRows = 256;

template <class T>
T* at_row(const View<T>& view, int64_t b, int64_t h, int64_t i) {
  return view.data + b * view.batch + h * view.head + i * view.row;
}

/// What a row's parts weigh, in double: log w_s and w_s; LSE is top + log_total.
struct RowWeights {
  std::vector<double> log_weight, weight;
  double top = 0, log_total = 0;
  bool dead = false;  // no part saw a key

  template <class T>
  void find(const std::vector<AttentionOutput<T>>& parts, int64_t b, int64_t h, int64_t i) {
    const size_t n = parts.size();
    log_weight.assign(n, 0), weight.assign(n, 0);
    top = -std::numeric_limits<double>::infinity();
    for (const auto& part : parts) {
      const double lse = *at_row(part.lse, b, h, i);
      if (lse > top || std::isnan(lse)) top = lse;  // NaN stays: nothing is above it
    }
    dead = top == -std::numeric_limits<double>::infinity();
    if (dead) return;
    double total = 0;
    for (size_t s = 0; s < n; ++s) {
      const double tail =
          parts[s].lse_tail.data == nullptr ? 0 : *at_row(parts[s].lse_tail, b, h, i);
      log_weight[s] = (*at_row(parts[s].lse, b, h, i) - top) + tail;
      total += std::exp(log_weight[s]);
    }
    log_total = std::log(total);
    for (size_t s = 0; s < n; ++s) {
      log_weight[s] -= log_total;
      weight[s] = std::exp(log_weight[s]);
    }
  }

  /// H_s - log w_s; 0 for a part that saw no key.
  template <class T>
  double surprise(const std::vector<AttentionOutput<T>>& parts, size_t s, int64_t b, int64_t h,
                  int64_t i) const {
    return weight[s] == 0 ? 0 : *at_row(parts[s].entropy, b, h, i) - log_weight[s];
  }
};

template <class T>
void merge_statistics(const std::vector<AttentionOutput<T>>& parts, const RowWeights& w,
                      const AttentionOutput<T>& to, int64_t b, int64_t h, int64_t i) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  const double exact = w.top + w.log_total;
  const T lse = w.dead ? kLowest : static_cast<T>(exact);
  if (to.lse.data != nullptr) *at_row(to.lse, b, h, i) = lse;
  if (to.lse_tail.data != nullptr)
    *at_row(to.lse_tail, b, h, i) =
        w.dead ? T(0) : static_cast<T>((w.top - static_cast<double>(lse)) + w.log_total);
  if (to.entropy.data != nullptr) {
    double entropy = 0;
    for (size_t s = 0; s < parts.size(); ++s)
      entropy += w.weight[s] * w.surprise(parts, s, b, h, i);
    *at_row(to.entropy, b, h, i) = w.dead ? T(0) : static_cast<T>(std::max(entropy, 0.0));
  }
  if (to.row_max.data != nullptr) {
    T top = kLowest;
    for (const auto& part : parts) {
      const T m = *at_row(part.row_max, b, h, i);
      if (m > top || std::isnan(m)) top = m;
    }
    *at_row(to.row_max, b, h, i) = top;
  }
}

template <class T>
void merge_out(const std::vector<AttentionOutput<T>>& parts, const RowWeights& w,
               const View<T>& out, int64_t dv, int64_t b, int64_t h, int64_t i) {
  if (out.data == nullptr) return;
  T* to = at_row(out, b, h, i);
  std::fill_n(to, dv, T(0));
  for (size_t s = 0; s < parts.size(); ++s) {
    if (w.weight[s] == 0) continue;
    const T* from = at_row(parts[s].out, b, h, i);
    const T weight = static_cast<T>(w.weight[s]);
    for (int64_t c = 0; c < dv; ++c) to[c] += weight * from[c];
  }
}

template <class T, class Row>
void for_rows(const MergeSizes& n, const Parallel& parallel, const Row& row) {
  const int64_t pieces = (n.nq + kMergeRows - 1) / kMergeRows;
  run_tasks(parallel, n.batch * n.heads * pieces, [&](int64_t task) {
    const int64_t piece = task % pieces, head = task / pieces % n.heads,
                  batch = task / pieces / n.heads;
    RowWeights weights;
    for (int64_t i = piece * kMergeRows; i < std::min(n.nq, (piece + 1) * kMergeRows); ++i)
      row(weights, batch, head, i);
  });
}

template <class T>
double dot(const T* a, const T* x, const T* y, int64_t n) {
  T sum = 0;
  for (int64_t c = 0; c < n; ++c) sum += a[c] * (x[c] - y[c]);
  return static_cast<double>(sum);
}

/// The gradients of part s in one row.
template <class T>
void merge_row_backward(const MergeSizes& n, const std::vector<AttentionOutput<T>>& parts,
                        const AttentionOutput<T>& merged, const MergeGradient<T>& g,
                        const RowWeights& w, size_t s, int64_t b, int64_t h, int64_t i) {
  const AttentionOutput<T>& to = g.parts[s];
  const double weight = w.weight[s];
  const double dentropy = g.dentropy.data == nullptr ? 0 : *at_row(g.dentropy, b, h, i);
  const T* dout = g.dout.data == nullptr ? nullptr : at_row(g.dout, b, h, i);
  if (to.out.data != nullptr) {
    T* dout_s = at_row(to.out, b, h, i);
    for (int64_t c = 0; c < n.dv; ++c)
      dout_s[c] = dout == nullptr ? T(0) : static_cast<T>(weight) * dout[c];
  }
  if (to.entropy.data != nullptr) *at_row(to.entropy, b, h, i) = static_cast<T>(weight * dentropy);
  if (to.lse.data == nullptr) return;
  double sum = 0;
  if (weight != 0) {
    if (g.dlse.data != nullptr) sum += *at_row(g.dlse, b, h, i);
    if (dout != nullptr)
      sum += dot(dout, at_row(parts[s].out, b, h, i), at_row(merged.out, b, h, i), n.dv);
    if (dentropy != 0)
      sum += dentropy * (w.surprise(parts, s, b, h, i) - *at_row(merged.entropy, b, h, i));
  }
  *at_row(to.lse, b, h, i) = static_cast<T>(weight * sum);
}

}  // namespace

template <class T>
void attention_merge(const MergeSizes& sizes, const std::vector<AttentionOutput<T>>& parts,
                     const AttentionOutput<T>& merged, const Parallel& parallel) {
  for_rows<T>(sizes, parallel, [&](RowWeights& w, int64_t b, int64_t h, int64_t i) {
    w.find(parts, b, h, i);
    merge_statistics(parts, w, merged, b, h, i);
    merge_out(parts, w, merged.out, sizes.dv, b, h, i);
  });
}

template <class T>
void attention_merge_backward(const MergeSizes& sizes, const std::vector<AttentionOutput<T>>& parts,
                              const AttentionOutput<T>& merged, const MergeGradient<T>& gradient,
                              const Parallel& parallel) {
  for_rows<T>(sizes, parallel, [&](RowWeights& w, int64_t b, int64_t h, int64_t i) {
    w.find(parts, b, h, i);
    for (size_t s = 0; s < parts.size(); ++s)
      merge_row_backward(sizes, parts, merged, gradient, w, s, b, h, i);
  });
}

template void attention_merge(const MergeSizes&, const std::vector<AttentionOutput<float>>&,
                              const AttentionOutput<float>&, const Parallel&);
template void attention_merge(const MergeSizes&, const std::vector<AttentionOutput<double>>&,
                              const AttentionOutput<double>&, const Parallel&);
template void attention_merge_backward(const MergeSizes&,
                                       const std::vector<AttentionOutput<float>>&,
                                       const AttentionOutput<float>&, const MergeGradient<float>&,
                                       const Parallel&);
template void attention_merge_backward(const MergeSizes&,
                                       const std::vector<AttentionOutput<double>>&,
                                       const AttentionOutput<double>&, const MergeGradient<double>&,
                                       const Parallel&);

}  // namespace attn::core
