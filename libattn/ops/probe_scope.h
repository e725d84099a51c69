// Inside the operators: whether a probe is active on this thread, and what is told to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "attn/core.h"

namespace attn::ops {

class ProbeStore;

/// One probe as one thread knows it; a thread's form a list.
struct ProbeScope {
  std::shared_ptr<ProbeStore> store;
  int64_t step = 0;
  int64_t unnamed = 0;  ///< calls without a name in this step
  ProbeScope* outer = nullptr;
};

/// A name around the calls of a thread, and those around it.
struct ProbeLabel {
  std::string name;
  ProbeLabel* outer = nullptr;
};

extern constinit thread_local ProbeScope* probe_scopes;
extern constinit thread_local int probe_pauses;  ///< how many ProbePause live on this thread

/// What a call costs where no probe is active.
inline bool probing() {
  return probe_scopes != nullptr && probe_pauses == 0;
}

/// Sums over the rows of one head, added up over batches, calls and threads.
struct ProbeSums {
  int64_t rows = 0, dead = 0, nonfinite = 0;
  int64_t normalised_rows = 0, first_rows = 0, learned_rows = 0;
  double keys = 0, entropy = 0, entropy_min = 0, entropy_max = 0, normalised = 0;
  double max_mass = 0, first = 0, learned = 0;

  /// A row of n outcomes (keys, and the learned sink) with entropy h and largest weight `top`.
  void add_row(double n, double h, double top);
  void add(const ProbeSums& other);
};

/// One forward call, told to every probe of this thread. Everything of `out` but column_mass is
/// there. Called only while probing().
template <class T>
void record_attention(const core::AttentionInput<T>& in, const core::AttentionOutput<T>& out);
template <class T>
void record_pool(const core::PoolInput<T>& in, const core::PoolOutput<T>& out);

}  // namespace attn::ops
