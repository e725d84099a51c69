// EntroPE's forward pass without gradient: a window at a time, turned, so that it stays in the
// nearest cache from its tokens to its head.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/forecast/entrope_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "timeseries/forecast/entrope_kernel.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/core/swiglu_narrow-inl.h"
#include "libattn/core/swiglu_tiles-inl.h"
#include "libattn/core/turned-inl.h"
#include "timeseries/patch/entropy_layers-inl.h"
#include "timeseries/patch/entropy_turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

using attn::core::TurnedSight;
inline constexpr bool kNarrowRows = simd::kHasNarrow<float>;

/// A layer's weights, those of keys and values turned, its hidden units packed where rows are
/// narrow.
struct Layer {
  EntropeLayer w;
  hwy::AlignedFreeUniquePtr<float[]> key_values, units;
};

/// What all windows share: L, ld = L padded, the patches of the window with most, padded, the
/// greater of both; the causal sight; cosine and sine of every token (d/2,ld), of heads of d
/// features, and of the positions that patches may have, L among them (d/2,ld + kN); of keys by
/// rows (ld + kN,D).
struct Common {
  const EntropeNetwork& n;
  int64_t length = 0, ld = 0, most = 0, span = 0;
  std::vector<Layer> encoder = {}, global = {}, decoder = {};
  TurnedSight<float> causal = {};
  const float *cosine = nullptr, *sine = nullptr, *patch_cosine = nullptr, *patch_sine = nullptr;
  const float *key_cosine = nullptr, *key_sine = nullptr;
  std::vector<hwy::AlignedFreeUniquePtr<float[]>> look = {};  // of keys and values, turned

  int64_t pairs() const { return n.width / n.heads / 2; }
};

hwy::AlignedFreeUniquePtr<float[]> turned_weight(int64_t width, const float* weight) {
  auto turned = hwy::AllocateAligned<float>(static_cast<size_t>(2 * width * width));
  if (turned == nullptr) throw std::bad_alloc();
  turn_weight(width, weight, turned.get());
  return turned;
}

std::vector<Layer> layers_of(const EntropeNetwork& n, const std::vector<EntropeLayer>& given) {
  std::vector<Layer> layers;
  for (const EntropeLayer& w : given) {
    layers.push_back({w, turned_weight(n.width, w.qkv + n.width * n.width), nullptr});
    if (!kNarrowRows || n.width > simd::kNarrow) continue;
    attn::core::SwigluInput<float> in;
    in.w1 = w.w1, in.w3 = w.w3, in.w2 = w.w2, in.width = n.width, in.hidden = w.hidden;
    layers.back().units = simd::pack_units(in);
  }
  return layers;
}

/// Buffers of one window: turned tokens and patches (D,.), what a layer makes of them, keys and
/// values by rows, and what patches and tokens see.
struct WindowDesk {
  static constexpr int64_t kHidden = 64;  // units of the hidden layer at a time

  WindowDesk(const Common& c, Room& room)
      : h(room.zeros(c.n.width * c.ld)),
        patches(room.zeros(c.n.width * c.most)),
        x(room.take(c.n.width * c.span)),
        y(room.take(c.n.width * c.span)),
        z(room.take(3 * c.n.width * c.span)),
        keys(room.take(2 * c.n.width * c.span)),
        hidden(room.take(2 * kHidden * c.span)),
        tile(room.take(c.span * kN)),
        cosine(room.take(c.pairs() * c.most)),
        sine(room.take(c.pairs() * c.most)),
        key_cosine(room.take(c.n.width * c.most)),
        key_sine(room.take(c.n.width * c.most)) {
    for (float** each : {&own_low, &own_high}) *each = room.zeros(c.ld);
    for (float** each : {&look_low, &look_high, &all_low, &all_high}) *each = room.zeros(c.most);
  }
  static int64_t size(const Common& c) {
    return c.n.width * (c.ld + 3 * c.most + 7 * c.span) + 2 * kHidden * c.span + c.span * kN +
           2 * c.pairs() * c.most + 2 * c.ld + 4 * c.most;
  }

  float *h, *patches, *x, *y, *z, *keys, *hidden, *tile, *cosine, *sine, *key_cosine, *key_sine;
  float *own_low, *own_high, *look_low, *look_high, *all_low, *all_high;
};

/// y = w x / sqrt(mean x^2 + eps) of each token.
HWY_NOINLINE void turned_rms(int64_t width, int64_t ld, const float* HWY_RESTRICT x,
                             const float* HWY_RESTRICT weight, float* HWY_RESTRICT y) {
  const Tag d;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(width)), eps = hn::Set(d, kNormEps);
  for (int64_t t = 0; t < ld; t += kN) {
    auto squares = hn::Zero(d);
    for (int64_t c = 0; c < width; ++c) {
      const auto v = hn::Load(d, x + c * ld + t);
      squares = hn::MulAdd(v, v, squares);
    }
    const auto inverse = hn::Div(hn::Set(d, 1.0F), hn::Sqrt(hn::MulAdd(squares, share, eps)));
    for (int64_t c = 0; c < width; ++c)
      hn::Store(hn::Mul(hn::Set(d, weight[c]), hn::Mul(hn::Load(d, x + c * ld + t), inverse)), d,
                y + c * ld + t);
  }
}

/// a = silu(a) b.
HWY_NOINLINE void gate_all(int64_t count, float* HWY_RESTRICT a, const float* HWY_RESTRICT b) {
  const Tag d;
  for (int64_t i = 0; i < count; i += kN) {
    const auto v = hn::Load(d, a + i);
    hn::Store(hn::Mul(hn::Mul(v, simd::sigmoid<float>(v)), hn::Load(d, b + i)), d, a + i);
  }
}

/// h += SwiGLU(x).
void add_swiglu(const Common& c, const Layer& layer, int64_t ld, const float* x, float* h,
                const WindowDesk& desk) {
  const Tag d;
  const int64_t width = c.n.width;
  const EntropeLayer& w = layer.w;
  if constexpr (kNarrowRows) {
    if (layer.units != nullptr) {
      HWY_ALIGN float in[simd::kNarrow * kN] = {}, out[simd::kNarrow * kN];
      for (int64_t t = 0; t < ld; t += kN) {
        for (int64_t i = 0; i < width; ++i) std::copy_n(x + i * ld + t, kN, in + i * kN);
        simd::forward_group(w.hidden, layer.units.get(), in, out);
        for (int64_t i = 0; i < width; ++i) {
          float* to = h + i * ld + t;
          hn::Store(hn::Add(hn::Load(d, to), hn::Load(d, out + i * kN)), d, to);
        }
      }
      return;
    }
  }
  float *a = desk.hidden, *b = desk.hidden + WindowDesk::kHidden * ld;
  for (int64_t m = 0; m < w.hidden; m += WindowDesk::kHidden) {
    const int64_t rows = std::min(WindowDesk::kHidden, w.hidden - m);
    multiply<Start::zero>(rows, width, w.w1 + m * width, width, x, ld, a, ld);
    multiply<Start::zero>(rows, width, w.w3 + m * width, width, x, ld, b, ld);
    gate_all(rows * ld, a, b);
    multiply<Start::add>(width, rows, w.w2 + m, w.hidden, a, ld, h, ld);
  }
}

/// Tokens or patches that lie turned, and what each sees.
struct Lane {
  int64_t length = 0, ld = 0;
  const TurnedSight<float>* sight = nullptr;
  const float *cosine = nullptr, *sine = nullptr, *key_cosine = nullptr, *key_sine = nullptr;
};

/// One transformer layer, in place.
void run_layer(const Common& c, const Layer& layer, const Lane& lane, float* h,
               const WindowDesk& desk) {
  const int64_t width = c.n.width, ld = lane.ld;
  const EntropeLayer& w = layer.w;
  turned_rms(width, ld, h, w.norm1, desk.x);
  multiply<Start::zero>(width, width, w.qkv, width, desk.x, ld, desk.z, ld);
  turned_rotate(c.n.heads, width / c.n.heads, ld, lane.cosine, lane.sine, desk.z);
  key_rows(width, lane.length, desk.x, ld, layer.key_values.get(), lane.key_cosine, lane.key_sine,
           desk.keys);
  turned_attend(c.n.heads, width, *lane.sight, desk.z, ld, desk.keys, desk.tile, desk.x);
  multiply<Start::add>(width, width, w.out, width, desk.x, ld, h, ld);
  turned_rms(width, ld, h, w.norm2, desk.x);
  add_swiglu(c, layer, ld, desk.x, h, desk);
}

/// x = x (+) a; `normed` n(x), where the residual asks for it.
void join(Residual residual, int64_t count, const float* HWY_RESTRICT normed,
          const float* HWY_RESTRICT a, float* HWY_RESTRICT x) {
  const Tag d;
  for (int64_t i = 0; i < count; i += kN) {
    const auto v = hn::Load(d, x + i), more = hn::Load(d, a + i);
    auto sum = hn::Add(v, more);
    if (residual == Residual::doubled) sum = hn::MulAdd(v, hn::Set(d, 2.0F), more);
    if (residual == Residual::doubled_normed)
      sum = hn::Add(hn::Add(v, hn::Load(d, normed + i)), more);
    hn::Store(sum, d, x + i);
  }
}

/// The patches of one window.
struct Cuts {
  const int64_t* begin;
  int64_t count, length;

  int64_t first(int64_t p) const { return begin[p]; }
  int64_t last(int64_t p) const { return p + 1 < count ? begin[p + 1] : length; }
};

/// Where patches and their tokens are, what each sees, and the angles of the patches.
void place(const Common& c, const Cuts& cuts, int64_t lp, const WindowDesk& desk) {
  std::fill_n(desk.look_low, lp, 0.0F), std::fill_n(desk.look_high, lp, 0.0F);
  std::fill_n(desk.all_high, lp, 0.0F);
  for (int64_t p = 0; p < cuts.count; ++p) {
    const auto first = static_cast<float>(cuts.first(p)), last = static_cast<float>(cuts.last(p));
    desk.look_low[p] = first, desk.look_high[p] = last;
    desk.all_high[p] = static_cast<float>(cuts.count);
    std::fill(desk.own_low + cuts.first(p), desk.own_low + cuts.last(p), first);
    std::fill(desk.own_high + cuts.first(p), desk.own_high + cuts.last(p), last);
  }
  for (int64_t p = 0; p < lp; ++p) {
    // A patch without positions, which the published rule ends some rows by, begins at L.
    const int64_t at = p >= cuts.count ? 0 : c.n.patch_time ? cuts.first(p) : p;
    std::copy_n(c.key_cosine + at * c.n.width, c.n.width, desk.key_cosine + p * c.n.width);
    std::copy_n(c.key_sine + at * c.n.width, c.n.width, desk.key_sine + p * c.n.width);
    for (int64_t i = 0; i < c.pairs(); ++i) {
      desk.cosine[i * lp + p] = c.patch_cosine[i * (c.ld + kN) + at];
      desk.sine[i * lp + p] = c.patch_sine[i * (c.ld + kN) + at];
    }
  }
}

/// The greatest of each patch's tokens; 0 of none.
void patch_maxima(const Common& c, const Cuts& cuts, int64_t lp, const WindowDesk& desk) {
  for (int64_t i = 0; i < c.n.width; ++i) {
    const float* from = desk.h + i * c.ld;
    float* to = desk.patches + i * lp;
    std::fill_n(to, lp, 0.0F);
    for (int64_t p = 0; p < cuts.count; ++p) {
      if (cuts.first(p) == cuts.last(p)) continue;
      float top = from[cuts.first(p)];
      for (int64_t t = cuts.first(p) + 1; t < cuts.last(p); ++t)
        top = from[t] > top ? from[t] : top;
      to[p] = top;
    }
  }
}

/// P <- P (+) A of its own tokens.
void look(const Common& c, size_t number, const TurnedSight<float>& sight, int64_t lp,
          const WindowDesk& desk) {
  const int64_t width = c.n.width, ld = c.ld;
  const EntropeLook& w = c.n.look[number];
  float* queries = desk.z;
  turned_rms(width, ld, desk.h, w.norm_key, desk.x);
  key_rows(width, c.length, desk.x, ld, c.look[number].get(), nullptr, nullptr, desk.keys);
  turned_rms(width, lp, desk.patches, w.norm_query, desk.y);
  multiply<Start::zero>(width, width, w.query, width, desk.y, lp, queries, lp);
  turned_attend(c.n.heads, width, sight, queries, lp, desk.keys, desk.tile, desk.x);
  multiply<Start::zero>(width, width, w.out, width, desk.x, lp, queries, lp);
  join(c.n.residual, width * lp, desk.y, queries, desk.patches);
}

/// h <- h (+) what its patch gives.
void give(const Common& c, const EntropeGive& w, const Cuts& cuts, int64_t lp,
          const WindowDesk& desk) {
  const int64_t width = c.n.width;
  float *value = desk.z, *given = value + width * c.span, *spread = given + width * c.span;
  turned_rms(width, lp, desk.patches, w.norm_key, desk.x);
  multiply<Start::zero>(width, width, w.value, width, desk.x, lp, value, lp);
  multiply<Start::zero>(width, width, w.out, width, value, lp, given, lp);
  for (int64_t i = 0; i < width; ++i) {
    float* to = spread + i * c.ld;
    std::fill_n(to, c.ld, 0.0F);
    for (int64_t p = 0; p < cuts.count; ++p)
      std::fill(to + cuts.first(p), to + cuts.last(p), given[i * lp + p]);
  }
  if (w.norm_query != nullptr) turned_rms(width, c.ld, desk.h, w.norm_query, desk.y);
  join(c.n.residual, width * c.ld, desk.y, spread, desk.h);
}

HWY_NOINLINE void run_window(const Common& c, const float* tokens, const Cuts& cuts, float* out,
                             const WindowDesk& desk) {
  const int64_t width = c.n.width, ld = c.ld, lp = padded(cuts.count);
  simd::pack_transposed(tokens, width, static_cast<int>(c.length), width, 1.0F, desk.h, ld,
                        static_cast<int>(ld));
  place(c, cuts, lp, desk);
  using attn::core::sight_of;
  const auto own = sight_of<float>(desk.own_low, desk.own_high, c.length, kN),
             seen = sight_of<float>(desk.look_low, desk.look_high, cuts.count, kN),
             all = sight_of<float>(desk.all_low, desk.all_high, cuts.count, kN);
  const Lane lane{c.length, ld, &c.causal, c.cosine, c.sine, c.key_cosine, c.key_sine};
  Lane within = lane;
  if (c.n.scope == TokenScope::patch) within.sight = &own;
  for (size_t i = 0; i < c.encoder.size(); ++i) {
    run_layer(c, c.encoder[i], within, desk.h, desk);
    if (i == 0) patch_maxima(c, cuts, lp, desk);
    look(c, i, seen, lp, desk);
  }
  const Lane patches{cuts.count, lp, &all, desk.cosine, desk.sine, desk.key_cosine, desk.key_sine};
  for (const Layer& layer : c.global) run_layer(c, layer, patches, desk.patches, desk);
  for (size_t i = 0; i < c.n.give.size(); ++i) {
    give(c, c.n.give[i], cuts, lp, desk);
    if (!c.decoder.empty()) run_layer(c, c.decoder[i], lane, desk.h, desk);
  }
  turned_rms(width, ld, desk.h, c.n.norm, desk.x);
  simd::pack_transposed(desk.x, ld, static_cast<int>(width), c.length, 1.0F, out, width,
                        static_cast<int>(width));
}

void entrope_features_f32(const EntropeNetwork& n, const EntropeWindows& windows, float* out,
                          const attn::core::Parallel& parallel) {
  int64_t most = 1;
  for (int64_t r = 0; r < windows.rows; ++r)
    most = std::max(most, windows.offsets[r + 1] - windows.offsets[r]);
  Common c{n};
  c.length = n.lookback, c.ld = padded(c.length), c.most = padded(most);
  c.span = std::max(c.ld, c.most);
  c.encoder = layers_of(n, n.encoder), c.global = layers_of(n, n.global);
  c.decoder = layers_of(n, n.decoder);
  for (const EntropeLook& w : n.look) c.look.push_back(turned_weight(n.width, w.key_value));
  const int64_t positions = c.ld + kN;
  Room shared(2 * c.ld + 2 * c.pairs() * (c.ld + positions) + 2 * n.width * positions);
  float *low = shared.zeros(c.ld), *high = shared.zeros(c.ld);
  for (int64_t t = 0; t < c.length; ++t) high[t] = static_cast<float>(t + 1);
  c.causal = attn::core::sight_of<float>(low, high, c.length, kN);
  const auto angles = [&](int64_t count, const float*& to_cosine, const float*& to_sine) {
    float *cosine = shared.take(c.pairs() * count), *sine = shared.take(c.pairs() * count);
    fill_angles(n.width / n.heads, 1e4, count, count, cosine, sine);
    to_cosine = cosine, to_sine = sine;
  };
  angles(c.ld, c.cosine, c.sine);
  angles(positions, c.patch_cosine, c.patch_sine);
  float *key_cosine = shared.take(n.width * positions),
        *key_sine = shared.take(n.width * positions);
  fill_row_angles(n.heads, n.width / n.heads, 1e4, positions, key_cosine, key_sine);
  c.key_cosine = key_cosine, c.key_sine = key_sine;
  const int64_t piece =
      std::clamp<int64_t>(windows.rows / (4 * std::max(parallel.threads, 1)), 1, 16);
  attn::core::run_tasks(parallel, (windows.rows + piece - 1) / piece, [&](int64_t task) {
    Room room(WindowDesk::size(c));
    const WindowDesk desk(c, room);
    for (int64_t r = task * piece; r < std::min((task + 1) * piece, windows.rows); ++r) {
      const int64_t first = windows.offsets[r], at = r * c.length * n.width;
      run_window(c, windows.tokens + at,
                 {windows.begin + first, windows.offsets[r + 1] - first, c.length}, out + at, desk);
    }
  });
}

}  // namespace timeseries::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace timeseries {

HWY_EXPORT(entrope_features_f32);

void entrope_features(const EntropeNetwork& network, const EntropeWindows& windows, float* out,
                      const attn::core::Parallel& parallel) {
  if (windows.rows == 0 || network.lookback == 0) return;
  HWY_DYNAMIC_DISPATCH(entrope_features_f32)(network, windows, out, parallel);
}

}  // namespace timeseries
#endif  // HWY_ONCE
