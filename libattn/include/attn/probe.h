// Telemetry: what every head of every attention call looks at, by layer and step, collected while a
// program runs. attn/probe_page.h tells it.
//
//   attn::Probe probe;
//   for (int64_t epoch = 1; epoch <= 50; ++epoch) {
//     probe.step(epoch);
//     train_epoch(model);  // ProbeLayer names("encoder.3") in the modules
//   }
//   double h = probe.report().layers[0].steps.back().heads[0].normalised_entropy;
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attn/export.h"

namespace attn {

/// One head of a layer in one step, over the rows (queries; of pooling: bags) of all its calls. A
/// row's n_i is the number of keys that causality, window, mask and packing let it see, one more
/// with a learned sink, which is a key to the entropy, too; a bias of -inf does not count as
/// hiding. Means are over `rows`, unless said; NaN where there is nothing to take them of.
struct ProbeHead {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  int64_t rows = 0;            ///< with a key to see and finite results; the means are over them
  int64_t dead_rows = 0;       ///< that see no key
  int64_t nonfinite_rows = 0;  ///< whose log-sum-exp or entropy is NaN or infinite
  double keys = kNone;         ///< mean n_i
  double entropy = kNone;      ///< mean H_i, nats; H_i = -sum_j p_ij log p_ij
  double entropy_min = kNone, entropy_max = kNone;  ///< over the rows
  double normalised_entropy = kNone;  ///< mean H_i / log n_i, rows with n_i > 1 only; in [0, 1]
  double max_mass = kNone;            ///< mean max_j p_ij, the learned sink not among the j
  /// Mean p on the first visible key of the row's sequence, 0 where a window or a later key hides
  /// it from the row: the "attention sink" (Xiao et al. 2023, arXiv 2309.17453). None of pooling.
  double first_key_mass = kNone;
  double learned_sink_mass = kNone;  ///< mean p of AttentionOptions::sink
};

struct ProbeStep {
  int64_t step = 0;
  int64_t calls = 0;
  std::vector<ProbeHead> heads;
};

struct ProbeLayerReport {
  std::string name;
  std::vector<ProbeStep> steps;  ///< rising; only those in which it was called
};

/// All that a probe has seen.
struct ProbeReport {
  std::string step_name = "step";        ///< what the page calls a step ("epoch")
  std::vector<ProbeLayerReport> layers;  ///< in the order they were first called
  int64_t calls = 0;                     ///< recorded, those of steps thinned out among them
  int64_t calls_left_out = 0;            ///< unnamed ones beyond `Probe::kUnnamed` within a step
};

namespace ops {
class ProbeStore;
struct ProbeScope;
struct ProbeLabel;
}  // namespace ops

/// What another thread needs to record as this one does: the probes that are active here, with
/// their steps and the names of the layers around.
class ATTN_PUBLIC ProbeContext {
 public:
  ProbeContext();  ///< of the calling thread

 private:
  friend class ProbeThread;
  struct One {
    std::shared_ptr<ops::ProbeStore> store;
    int64_t step = 0;
  };
  std::vector<One> probes_;
  std::string label_;
};

/// While it lives, every forward call of `attention`, `attention_pool` and what is made of them on
/// the thread that made it is recorded. Probes nest: all of them record. Recording is under a
/// mutex; it reads results and changes none. Calls made in an autograd backward pass
/// (recomputation) are not recorded. What it costs: without a probe, a test of a thread-local
/// pointer a call; with one, O(N d) a head. Memory: O(layers x heads x steps). To be destroyed on
/// the thread that made it.
class ATTN_PUBLIC Probe {
 public:
  /// Beyond so many steps every other one is dropped, the newest kept, and so on.
  static constexpr int64_t kSteps = 512;
  /// Unnamed calls kept within a step; more of them are what a forgotten `step` looks like.
  static constexpr int64_t kUnnamed = 4096;

  Probe();
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  /// What follows on this thread, and on threads that join later, belongs to step `step` (an epoch,
  /// a batch); 0 until then. One that was there before goes on. Unnamed calls are numbered from 0
  /// again.
  void step(int64_t step);

  /// So far. Layers by name, calls of one name within a step averaged by rows.
  ProbeReport report() const;

 private:
  friend class ProbeThread;
  std::shared_ptr<ops::ProbeStore> store_;
  std::unique_ptr<ops::ProbeScope> scope_;
};

/// `Probe::step` of every probe that is active on this thread: for training loops, which hold none.
ATTN_PUBLIC void probe_step(int64_t step);

/// Lets the calling thread, as long as this lives, record into a probe of another thread, or into
/// all that are active there. Without effect for a probe that records here already.
class ATTN_PUBLIC ProbeThread {
 public:
  explicit ProbeThread(Probe& probe);
  explicit ProbeThread(const ProbeContext& context);
  ~ProbeThread();
  ProbeThread(const ProbeThread&) = delete;
  ProbeThread& operator=(const ProbeThread&) = delete;

 private:
  std::vector<std::unique_ptr<ops::ProbeScope>> scopes_;
  std::unique_ptr<ops::ProbeLabel> label_;
};

/// Names the calls below it on this thread; names within names are joined by ".". Calls without a
/// name are "layer 0", "layer 1", ... by their order within a step. Without effect where no probe
/// is active.
class ATTN_PUBLIC ProbeLayer {
 public:
  explicit ProbeLayer(std::string_view name);
  ~ProbeLayer();
  ProbeLayer(const ProbeLayer&) = delete;
  ProbeLayer& operator=(const ProbeLayer&) = delete;

 private:
  std::unique_ptr<ops::ProbeLabel> label_;
};

/// While it lives, no probe records on this thread: for forward passes that only repeat another.
class ATTN_PUBLIC ProbePause {
 public:
  ProbePause();
  ~ProbePause();
  ProbePause(const ProbePause&) = delete;
  ProbePause& operator=(const ProbePause&) = delete;
};

}  // namespace attn
