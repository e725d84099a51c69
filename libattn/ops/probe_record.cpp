// One call's statistics, from what the kernels leave of it.
#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "libattn/core/attention_head.h"
#include "libattn/core/column_mass.h"
#include "libattn/core/parallel.h"
#include "libattn/ops/check.h"
#include "libattn/ops/probe_scope.h"

namespace attn::ops {

void record(const std::vector<ProbeSums>& heads);  // probe.cpp

namespace {

template <class T>
double exponential_of(T score, T lse, T tail) {
  return std::exp(static_cast<double>(score) - static_cast<double>(lse) -
                  static_cast<double>(tail));
}

/// A backward pass that runs a forward call (checkpointing) repeats one that was recorded.
bool in_backward() {
  return torch::autograd::get_current_node() != nullptr;
}

/// What the rows of a sequence may see, the same for all heads.
struct Sight {
  std::vector<int64_t> keys;  ///< of each query
  int64_t first = -1;         ///< the first key that the mask does not hide; -1: there is none
};

template <class T>
Sight sight_of(const core::AttentionInput<T>& in, int64_t batch) {
  const core::Head<T> head = core::head_of(in, batch, 0);
  Sight sight;
  std::vector<int64_t> before(static_cast<size_t>(head.nk) + 1, 0);  // visible keys before key j
  for (int64_t j = 0; j < head.nk; ++j) {
    const bool visible = head.mask == nullptr || head.mask[j * head.mask_column] != 0;
    if (visible && sight.first < 0) sight.first = j;
    before[static_cast<size_t>(j) + 1] = before[static_cast<size_t>(j)] + (visible ? 1 : 0);
  }
  for (int64_t i = 0; i < head.nq; ++i) {
    const int64_t from = head.key_begin(i), to = std::max(head.key_end(i), from);
    sight.keys.push_back(before[static_cast<size_t>(to)] - before[static_cast<size_t>(from)]);
  }
  return sight;
}

/// The rows of one head. `first_mass`: of all rows together.
template <class T>
ProbeSums head_sums(const core::AttentionInput<T>& in, const core::AttentionOutput<T>& out,
                    const Sight& sight, int64_t batch, int64_t number, double first_mass) {
  const core::Head<T> head = core::head_of(in, batch, number);
  const auto rows = [&](const core::View<T>& view) {
    return rows_of(in, view, batch, number, head.query0);
  };
  const core::Rows<T> lse = rows(out.lse), tail = rows(out.lse_tail), entropy = rows(out.entropy),
                      top = rows(out.row_max);
  ProbeSums sums;
  double learned = 0;
  for (int64_t i = 0; i < head.nq; ++i) {
    const T l = lse.data[i * lse.row], h = entropy.data[i * entropy.row];
    const T m = top.data[i * top.row];
    if (m == -std::numeric_limits<T>::infinity() && !std::isnan(l)) {
      ++sums.dead;
    } else if (!std::isfinite(l) || !std::isfinite(h) || !std::isfinite(m)) {
      ++sums.nonfinite;
    } else {
      const T t = tail.data[i * tail.row];
      const int64_t n = sight.keys[static_cast<size_t>(i)] + (head.has_sink ? 1 : 0);
      sums.add_row(static_cast<double>(n), static_cast<double>(h), exponential_of(m, l, t));
      if (head.has_sink) learned += exponential_of(head.sink, l, t);
    }
  }
  if (head.has_sink) sums.learned_rows = sums.rows, sums.learned = learned;
  // A row that is not finite spoils the sum over rows, which cannot be undone.
  if (sight.first >= 0 && std::isfinite(first_mass) && sums.nonfinite == 0)
    sums.first_rows = sums.rows, sums.first = first_mass;
  return sums;
}

/// Head by head, batch after batch: the order of the sums does not depend on threads.
std::vector<ProbeSums> by_head(const std::vector<ProbeSums>& tasks, int64_t heads) {
  std::vector<ProbeSums> out(static_cast<size_t>(heads));
  for (size_t i = 0; i < tasks.size(); ++i) out[i % out.size()].add(tasks[i]);
  return out;
}

}  // namespace

template <class T>
void record_attention(const core::AttentionInput<T>& in, const core::AttentionOutput<T>& out) {
  if (in_backward()) return;
  std::vector<Sight> sights(static_cast<size_t>(in.batch));
  std::vector<int64_t> first(sights.size(), -1);
  const auto threads = torch_threads();
  const int64_t tasks = in.batch * in.heads;
  if (tasks > 0)
    core::run_tasks(threads, in.batch, [&](int64_t b) {
      const auto at = static_cast<size_t>(b);
      sights[at] = sight_of(in, b);
      first[at] = sights[at].first;
    });
  std::vector<T> mass(static_cast<size_t>(tasks), T(0));
  core::key_mass(in, out, first.data(), mass.data(), threads);
  std::vector<ProbeSums> sums(static_cast<size_t>(tasks));
  core::run_tasks(threads, tasks, [&](int64_t task) {
    const int64_t b = task / in.heads;
    sums[static_cast<size_t>(task)] =
        head_sums(in, out, sights[static_cast<size_t>(b)], b, task % in.heads,
                  static_cast<double>(mass[static_cast<size_t>(task)]));
  });
  record(by_head(sums, in.heads));
}

template <class T>
void record_pool(const core::PoolInput<T>& in, const core::PoolOutput<T>& out) {
  if (in_backward()) return;
  std::vector<ProbeSums> sums(static_cast<size_t>(in.bags * in.heads));
  core::run_tasks(torch_threads(), in.bags, [&](int64_t b) {
    const int64_t n = in.offsets[b + 1] - in.offsets[b];
    for (int64_t k = 0; k < in.heads; ++k) {
      const int64_t at = b * in.heads + k;
      ProbeSums& one = sums[static_cast<size_t>(at)];
      T top = -std::numeric_limits<T>::infinity();
      for (int64_t i = in.offsets[b]; i < in.offsets[b + 1]; ++i)
        top = std::max(top, in.scores[i * in.scores_row + k]);
      if (top == -std::numeric_limits<T>::infinity() && !std::isnan(out.lse[at])) {
        ++one.dead;
      } else if (!std::isfinite(out.lse[at]) || !std::isfinite(out.entropy[at])) {
        ++one.nonfinite;
      } else {
        one.add_row(static_cast<double>(n), static_cast<double>(out.entropy[at]),
                    exponential_of(top, out.lse[at], out.lse_tail[at]));
      }
    }
  });
  record(by_head(sums, in.heads));
}

template void record_attention(const core::AttentionInput<float>&,
                               const core::AttentionOutput<float>&);
template void record_attention(const core::AttentionInput<double>&,
                               const core::AttentionOutput<double>&);
template void record_pool(const core::PoolInput<float>&, const core::PoolOutput<float>&);
template void record_pool(const core::PoolInput<double>&, const core::PoolOutput<double>&);

}  // namespace attn::ops
