// How much attention each key receives.
#pragma once

#include "attn/core.h"

namespace attn::core {

/// mass_j = sum_i p_ij into out.column_mass, from out.lse and out.lse_tail as attention_forward
/// leaves them: the scores once more, without values.
template <class T>
void column_mass(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                 const Parallel& parallel);

/// The same of one key of each sequence b, keys[b] (negative: none, 0): `mass` (B,H), contiguous.
/// O(nq d) a head.
template <class T>
void key_mass(const AttentionInput<T>& in, const AttentionOutput<T>& out, const int64_t* keys,
              T* mass, const Parallel& parallel);

}  // namespace attn::core
