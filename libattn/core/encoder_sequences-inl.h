// Per-target: packed sequences through turned blocks, several short ones on a desk side by side.
// Included once per target.
#if defined(ATTN_ENCODER_SEQUENCES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ENCODER_SEQUENCES_INL_H_
#undef ATTN_ENCODER_SEQUENCES_INL_H_
#else
#define ATTN_ENCODER_SEQUENCES_INL_H_
#endif

#include <algorithm>
#include <map>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_turned-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

/// Sequence s is tokens offsets[s] ... offsets[s + 1] - 1.
struct Offsets {
  const int64_t* offsets = nullptr;
  int64_t sequences = 0;
};

inline int64_t longest(const Offsets& in) {
  int64_t most = 1;
  for (int64_t s = 0; s < in.sequences; ++s)
    most = std::max(most, in.offsets[s + 1] - in.offsets[s]);
  return most;
}

/// Sequences [first, last) that are worked on together.
struct Piece {
  int64_t first = 0, last = 0;
};

/// Those of `all` in pieces of up to `tokens_each` tokens, or one longer sequence.
inline std::vector<Piece> pieces_of(const Offsets& in, const Piece& all, int64_t tokens_each) {
  std::vector<Piece> pieces;
  for (int64_t s = all.first; s < all.last;) {
    const int64_t begin = in.offsets[s];
    Piece p{s, s + 1};
    while (p.last < all.last && in.offsets[p.last + 1] - begin <= tokens_each) ++p.last;
    pieces.push_back(p);
    s = p.last;
  }
  return pieces;
}

/// Tokens of a piece: enough pieces for all threads, few enough that what they share is made
/// seldom.
inline constexpr int64_t kPieceTokens = 1024;
/// Tokens on a desk: short sequences lie beside each other, so that few lanes stay empty, as long
/// as the desk stays in a core's nearest caches.
inline constexpr int64_t kDeskTokens = 160;

/// The tokens on a desk: `tokens` of all from `begin` on, in `ld` lanes.
struct TokenRange {
  int64_t begin = 0, tokens = 0, ld = 0;
};

/// One worker's desk, for sequences of up to `longest` tokens, and room for `more` rows of lanes.
class TurnedWorker {
 public:
  TurnedWorker(const Encoder& n, int64_t longest, int64_t more)
      : n_(n),
        most_(std::max(longest, kDeskTokens)),
        tile_(padded(longest) * kN),
        room_(turned_desk_size(n, most_, tile_) + more * padded(most_)),
        desk_(turned_desk(n, most_, tile_, room_)),
        more_(room_.take(more * padded(most_))) {}

  const TurnedDesk& desk() const { return desk_; }
  float* more() const { return more_; }

  TokenRange lay(const Offsets& in, const Piece& p) {
    TokenRange r{in.offsets[p.first], in.offsets[p.last] - in.offsets[p.first], 0};
    r.ld = padded(r.tokens);
    parts_.clear();
    for (int64_t s = p.first; s < p.last; ++s)
      if (in.offsets[s + 1] > in.offsets[s])
        parts_.push_back({in.offsets[s] - r.begin, &of(in.offsets[s + 1] - in.offsets[s])});
    return r;
  }

  HWY_NOINLINE void run(const TokenRange& r, const std::vector<const float*>& key_values) const {
    for (size_t b = 0; b < n_.blocks.size(); ++b)
      turned_block(n_, r.tokens, parts_, b, key_values[b], desk_);
  }

 private:
  struct Known {
    Room room;
    TurnedLength of;
  };

  const TurnedLength& of(int64_t length) {
    const auto found = known_.find(length);
    if (found != known_.end()) return found->second.of;
    Known& k =
        known_.try_emplace(length, Known{Room(turned_length_size(n_, length)), {}}).first->second;
    k.of = turned_length(n_, length, k.room);
    return k.of;
  }

  const Encoder& n_;
  int64_t most_, tile_;
  Room room_;
  TurnedDesk desk_;
  float* more_;
  std::map<int64_t, Known> known_;
  std::vector<TurnedPart> parts_;
};

/// All sequences: enter(desk, range, more) leaves h in the desk, leave(desk, range, more) finds it
/// there behind the last block; `more`: rows of lanes of their own. What becomes of a token depends
/// on its sequence alone, as long as they treat every lane alike.
template <class Enter, class Leave>
void over_turned(const Encoder& n, const Offsets& in, int64_t more, const Parallel& parallel,
                 const Enter& enter, const Leave& leave) {
  const int64_t length = longest(in);
  Room room(turned_weights_size(n) + 1);
  const std::vector<const float*> key_values = turn_weights(n, room);
  const std::vector<Piece> pieces = pieces_of(in, {0, in.sequences}, kPieceTokens);
  run_tasks(parallel, static_cast<int64_t>(pieces.size()), [&](int64_t i) {
    TurnedWorker worker(n, length, more);
    // Rotary positions are of one sequence.
    for (const Piece& beside :
         pieces_of(in, pieces[static_cast<size_t>(i)], n.theta > 0 ? 0 : kDeskTokens)) {
      const TokenRange r = worker.lay(in, beside);
      if (r.tokens == 0) continue;
      enter(worker.desk(), r, worker.more());
      worker.run(r, key_values);
      leave(worker.desk(), r, worker.more());
    }
  });
}

}  // namespace attn::core::encoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ENCODER_SEQUENCES_INL_H_
