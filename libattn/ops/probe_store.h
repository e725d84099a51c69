// What a probe has seen, by layer, step and head.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "attn/probe.h"
#include "libattn/ops/probe_scope.h"

namespace attn::ops {

class ProbeStore {
 public:
  /// One call of the layer `name` in `step`, a head each.
  void add(const std::string& name, int64_t step, const std::vector<ProbeSums>& heads);
  void leave_out();
  void set_step(int64_t step);
  int64_t step() const;
  ProbeReport report() const;

 private:
  struct Entry {
    int64_t calls = 0;
    std::vector<ProbeSums> heads;
  };
  /// Of one step, by layer.
  using Layers = std::unordered_map<size_t, Entry>;

  bool on_grid(int64_t step) const;
  bool admit(int64_t step);
  void thin();

  mutable std::mutex mutex_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, size_t> numbers_;  // of the names
  std::map<int64_t, Layers> steps_;
  // Kept are the steps at multiples of stride_ from the first, and the newest: which steps stay
  // does not depend on the order in which threads come by later.
  int64_t first_ = 0;
  uint64_t stride_ = 1;
  int64_t newest_step_ = 0;
  int64_t calls_ = 0, left_out_ = 0, step_ = 0;
};

}  // namespace attn::ops
