#include "libattn/ops/probe_store.h"

#include <algorithm>
#include <cmath>

namespace attn::ops {
namespace {

double mean(double sum, int64_t rows) {
  return rows > 0 ? sum / static_cast<double>(rows) : ProbeHead::kNone;
}

ProbeHead head_of(const ProbeSums& s) {
  ProbeHead head;
  head.rows = s.rows;
  head.dead_rows = s.dead;
  head.nonfinite_rows = s.nonfinite;
  head.keys = mean(s.keys, s.rows);
  head.entropy = mean(s.entropy, s.rows);
  if (s.rows > 0) head.entropy_min = s.entropy_min, head.entropy_max = s.entropy_max;
  head.normalised_entropy = mean(s.normalised, s.normalised_rows);
  head.max_mass = mean(s.max_mass, s.rows);
  head.first_key_mass = mean(s.first, s.first_rows);
  head.learned_sink_mass = mean(s.learned, s.learned_rows);
  return head;
}

}  // namespace

void ProbeSums::add_row(double n, double h, double top) {
  entropy_min = rows == 0 ? h : std::min(entropy_min, h);
  entropy_max = rows == 0 ? h : std::max(entropy_max, h);
  ++rows;
  keys += n;
  entropy += h;
  max_mass += top;
  if (n <= 1) return;
  ++normalised_rows;
  normalised += h / std::log(n);
}

void ProbeSums::add(const ProbeSums& other) {
  if (other.rows > 0) {
    entropy_min = rows == 0 ? other.entropy_min : std::min(entropy_min, other.entropy_min);
    entropy_max = rows == 0 ? other.entropy_max : std::max(entropy_max, other.entropy_max);
  }
  rows += other.rows;
  dead += other.dead;
  nonfinite += other.nonfinite;
  normalised_rows += other.normalised_rows;
  first_rows += other.first_rows;
  learned_rows += other.learned_rows;
  keys += other.keys;
  entropy += other.entropy;
  normalised += other.normalised;
  max_mass += other.max_mass;
  first += other.first;
  learned += other.learned;
}

void ProbeStore::add(const std::string& name, int64_t step, const std::vector<ProbeSums>& heads) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  const auto [at, fresh] = numbers_.emplace(name, names_.size());
  if (fresh) names_.push_back(name);
  if (!admit(step)) return;
  Entry& entry = steps_[step][at->second];
  ++entry.calls;
  if (entry.heads.size() < heads.size()) entry.heads.resize(heads.size());
  for (size_t h = 0; h < heads.size(); ++h) entry.heads[h].add(heads[h]);
}

void ProbeStore::leave_out() {
  const std::lock_guard lock(mutex_);
  ++left_out_;
}

void ProbeStore::set_step(int64_t step) {
  const std::lock_guard lock(mutex_);
  step_ = step;
}

int64_t ProbeStore::step() const {
  const std::lock_guard lock(mutex_);
  return step_;
}

bool ProbeStore::on_grid(int64_t step) const {
  const auto distance = step >= first_
                            ? static_cast<uint64_t>(step) - static_cast<uint64_t>(first_)
                            : static_cast<uint64_t>(first_) - static_cast<uint64_t>(step);
  return distance % stride_ == 0;
}

/// Makes room for `step`; false where it is one of those thinned out.
bool ProbeStore::admit(int64_t step) {
  if (steps_.empty()) first_ = newest_step_ = step;
  if (steps_.contains(step)) return true;
  if (step > newest_step_) {
    if (!on_grid(newest_step_)) steps_.erase(newest_step_);
    newest_step_ = step;
  } else if (!on_grid(step)) {
    return false;
  }
  steps_[step];
  thin();
  return steps_.contains(step);
}

void ProbeStore::thin() {
  while (static_cast<int64_t>(steps_.size()) > Probe::kSteps) {
    stride_ *= 2;
    std::erase_if(
        steps_, [&](const auto& one) { return one.first != newest_step_ && !on_grid(one.first); });
  }
}

ProbeReport ProbeStore::report() const {
  const std::lock_guard lock(mutex_);
  ProbeReport report;
  report.calls = calls_;
  report.calls_left_out = left_out_;
  for (const std::string& name : names_) report.layers.push_back({name, {}});
  for (const auto& [step, layers] : steps_) {
    for (const auto& [layer, entry] : layers) {
      ProbeStep one{step, entry.calls, {}};
      for (const ProbeSums& sums : entry.heads) one.heads.push_back(head_of(sums));
      report.layers[layer].steps.push_back(std::move(one));
    }
  }
  std::erase_if(report.layers, [](const ProbeLayerReport& layer) { return layer.steps.empty(); });
  return report;
}

}  // namespace attn::ops
