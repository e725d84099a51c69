// How much attention each key receives.
#pragma once

#include "attn/core.h"

namespace attn::core {

/// mass_j = sum_i p_ij into out.column_mass, from out.lse and out.lse_tail as attention_forward
/// leaves them: the scores once more, without values.
template <class T>
void column_mass(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                 const Parallel& parallel);

}  // namespace attn::core
