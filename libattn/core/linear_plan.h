// How linear attention is cut: heads, segments of a sequence that run side by side, chunks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "attn/linear_core.h"
#include "libattn/core/attention_head.h"
#include "libattn/core/parallel.h"

namespace attn::core {

/// One head of a problem; null data: absent.
template <class T>
struct LinearHead {
  Rows<const T> q, k, v, log_decay, state, norm;
};

/// The rows of head (b, h) of a view.
template <class U>
Rows<U> head_rows(const View<U>& view, int64_t b, int64_t h) {
  if (view.data == nullptr) return {};
  return {view.data + b * view.batch + h * view.head, view.row};
}

template <class T>
LinearHead<T> linear_head(const LinearInput<T>& in, int64_t number) {
  const int64_t b = number / in.heads, h = number % in.heads;
  const int64_t g = in.kv_heads > 0 ? h / (in.heads / in.kv_heads) : h;
  return {head_rows(in.q, b, h),         head_rows(in.k, b, g),     head_rows(in.v, b, g),
          head_rows(in.log_decay, b, h), head_rows(in.state, b, h), head_rows(in.norm, b, h)};
}

/// Segments run side by side where there are few heads; finding the states between them costs
/// another half of the forward pass. Cut by shape only.
struct LinearPlan {
  int64_t heads = 0, features = 0, chunk = 0, segments = 1;
  /// Rows [first, second) of segment s of `rows`, cut between chunks.
  std::pair<int64_t, int64_t> rows_of(int64_t s, int64_t rows) const {
    const int64_t chunks = (rows + chunk - 1) / chunk;
    return {std::min(rows, s * chunks / segments * chunk),
            std::min(rows, (s + 1) * chunks / segments * chunk)};
  }
};

/// Tokens of a chunk. Scores cost a chunk's length per token, the state's update its inverse.
inline constexpr int64_t kLinearChunk = 48, kFeatureDecayChunk = 16, kMaxLinearChunk = 256;
/// Heads below which sequences are cut, and the tokens a segment then has at least.
inline constexpr int64_t kBusyHeads = 8, kSegmentTokens = 1024;

template <class T>
LinearPlan plan_linear(const LinearInput<T>& in) {
  LinearPlan plan;
  plan.heads = in.batch * in.heads;
  plan.features = feature_count(in.map, in.d);
  const int64_t chosen = in.decay == Decay::feature ? kFeatureDecayChunk : kLinearChunk;
  const int64_t tokens = std::max<int64_t>(1, std::max(in.nq, in.nk));
  plan.chunk = std::min({in.chunk > 0 ? in.chunk : chosen, kMaxLinearChunk, tokens});
  const int64_t most = std::max<int64_t>(1, tokens / kSegmentTokens);
  plan.segments = std::clamp<int64_t>(kBusyHeads / std::max<int64_t>(plan.heads, 1), 1, most);
  return plan;
}

/// A state per head and segment: S (F,dv) and then z (F), contiguous.
template <class T>
class SegmentStates {
 public:
  SegmentStates(const LinearPlan& plan, int64_t dv)
      : segments_(plan.segments),
        size_(plan.features * (dv + 1)),
        values_(static_cast<size_t>(plan.heads * plan.segments * size_)) {}
  int64_t size() const { return size_; }
  T* at(int64_t head, int64_t segment) {
    return values_.data() + (head * segments_ + segment) * size_;
  }

 private:
  int64_t segments_, size_;
  std::vector<T> values_;
};

/// Pieces of scratch memory, asked for one by one and then taken together.
template <class T>
class Pieces {
 public:
  /// `count` elements to *piece; zeros.
  void add(T** piece, int64_t count) {
    pieces_.emplace_back(piece, count);
    bytes_ += Scratch::size<T>(count);
  }
  size_t bytes() const { return bytes_; }
  void take(Scratch& scratch) const {
    for (const auto& [piece, count] : pieces_) {
      *piece = scratch.take<T>(count);
      std::fill_n(*piece, count, T(0));
    }
  }

 private:
  std::vector<std::pair<T**, int64_t>> pieces_;
  size_t bytes_ = 0;
};

}  // namespace attn::core
