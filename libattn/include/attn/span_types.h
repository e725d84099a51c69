// Sizes, options and arrays of attn/span.h.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

namespace attn::spans {

template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, double>;

enum class Causal { none, top_left, bottom_right };
enum class Align { bottom_right, top_left };

/// q (B,H,Nq,D), k (B,G,Nk,D), v (B,G,Nk,Dv); packed (offsets given): q (H,Tq,D), k (G,Tk,D),
/// v (G,Tk,Dv), where Tq = nq and Tk = nk are the rows of all sequences.
struct Sizes {
  int64_t batch = 1, heads = 1;
  int64_t kv_heads = 0;  ///< G, divides heads; 0: as many
  int64_t nq = 0, nk = 0, d = 0, dv = 0;
};

struct Options {
  std::optional<double> scale = {};  ///< default 1 / sqrt(D)
  Causal causal = Causal::none;
  Align align = Align::bottom_right;            ///< diagonal of windows where not causal
  int64_t window_left = -1, window_right = -1;  ///< -1: no limit
  double softcap = 0, dropout = 0;              ///< 0: none
  uint64_t dropout_seed = 0;
  uint32_t dropout_offset = 0;
  int threads = 0;  ///< 0: one for each core
};

/// bias (B,H,Nq,Nk) or (Nq,Nk); slopes, sink (B,H) or (H); key_mask (B,Nk), not 0 = visible;
/// offsets (B+1), both or neither.
template <Number T>
struct Inputs {
  std::span<const T> q = {}, k = {}, v = {}, bias = {}, slopes = {}, sink = {};
  std::span<const uint8_t> key_mask = {};
  std::span<const int64_t> q_offsets = {}, k_offsets = {};
};

/// out (B,H,Nq,Dv), column_mass (B,H,Nk), the others (B,H,Nq). lse_tail: what rounding cut from
/// lse; column_mass and backward need both.
template <Number T>
struct Outputs {
  std::span<T> out = {}, lse = {}, lse_tail = {}, entropy = {}, row_max = {}, column_mass = {};
};

/// As forward wrote them: lse and lse_tail always, out where dout is given, entropy where dentropy.
template <Number T>
struct Saved {
  std::span<const T> out = {}, lse = {}, lse_tail = {}, entropy = {};
};

/// Gradients coming in, of the sizes of Outputs.
template <Number T>
struct Incoming {
  std::span<const T> dout = {}, dlse = {}, dentropy = {}, dcolumn_mass = {};
};

/// Gradients wanted, of the sizes of Inputs; all are written.
template <Number T>
struct Gradients {
  std::span<T> dq = {}, dk = {}, dv = {}, dbias = {}, dslopes = {}, dsink = {};
};

/// One part of a merge, or of its gradient.
template <Number T>
struct Part {
  std::span<T> out = {}, lse = {}, lse_tail = {}, entropy = {}, row_max = {};
};
struct MergeSizes {
  int64_t batch = 1, heads = 1, nq = 0, dv = 0;
};

/// scores (T,K), values (T,D), bag b rows offsets[b] ... offsets[b + 1] - 1.
template <Number T>
struct Bags {
  int64_t heads = 1, d = 0;
  std::span<const int64_t> offsets = {};
  std::span<const T> scores = {}, values = {};
};
/// out (B,K,D), the others (B,K).
template <Number T>
struct Pooled {
  std::span<T> out = {}, lse = {}, lse_tail = {}, entropy = {};
};

}  // namespace attn::spans
