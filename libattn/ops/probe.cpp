// Which probes a thread records into, and under which names.
#include "attn/probe.h"

#include "libattn/ops/probe_store.h"

namespace attn {
namespace ops {

constinit thread_local ProbeScope* probe_scopes = nullptr;
constinit thread_local int probe_pauses = 0;

namespace {

constinit thread_local ProbeLabel* labels = nullptr;

/// Puts `one` in front of a thread's list.
template <class T>
void link(T*& first, T* one) {
  one->outer = first;
  first = one;
}

/// Takes it out, wherever it is: scopes in std::optional need not end in the order they began.
template <class T>
void unlink(T*& first, const T* one) {
  for (T** at = &first; *at != nullptr; at = &(*at)->outer) {
    if (*at != one) continue;
    *at = one->outer;
    return;
  }
}

bool records_here(const ProbeStore& store) {
  for (const ProbeScope* s = probe_scopes; s != nullptr; s = s->outer)
    if (s->store.get() == &store) return true;
  return false;
}

void begin_step(ProbeScope& scope, int64_t step) {
  scope.step = step;
  scope.unnamed = 0;
  scope.store->set_step(step);
}

std::unique_ptr<ProbeScope> join(std::shared_ptr<ProbeStore> store, int64_t step) {
  auto scope = std::make_unique<ProbeScope>();
  scope->store = std::move(store);
  scope->step = step;
  link(probe_scopes, scope.get());
  return scope;
}

std::string label_here() {
  std::string name;
  for (const ProbeLabel* l = labels; l != nullptr; l = l->outer)
    name.insert(0, name.empty() ? l->name : l->name + ".");
  return name;
}

}  // namespace

void record(const std::vector<ProbeSums>& heads) {
  const std::string label = label_here();
  for (ProbeScope* s = probe_scopes; s != nullptr; s = s->outer) {
    if (!label.empty()) {
      s->store->add(label, s->step, heads);
    } else if (s->unnamed < Probe::kUnnamed) {
      s->store->add("layer " + std::to_string(s->unnamed++), s->step, heads);
    } else {
      s->store->leave_out();
    }
  }
}

}  // namespace ops

Probe::Probe() : store_(std::make_shared<ops::ProbeStore>()), scope_(ops::join(store_, 0)) {}

Probe::~Probe() {
  ops::unlink(ops::probe_scopes, scope_.get());
}

void Probe::step(int64_t step) {
  bool here = false;
  for (ops::ProbeScope* s = ops::probe_scopes; s != nullptr; s = s->outer) {
    if (s->store != store_) continue;
    ops::begin_step(*s, step);
    here = true;
  }
  if (!here) store_->set_step(step);
}

ProbeReport Probe::report() const {
  return store_->report();
}

void probe_step(int64_t step) {
  for (ops::ProbeScope* s = ops::probe_scopes; s != nullptr; s = s->outer)
    ops::begin_step(*s, step);
}

ProbeContext::ProbeContext() : label_(ops::label_here()) {
  for (const ops::ProbeScope* s = ops::probe_scopes; s != nullptr; s = s->outer)
    probes_.push_back({s->store, s->step});
}

ProbeThread::ProbeThread(Probe& probe) {
  if (!ops::records_here(*probe.store_))
    scopes_.push_back(ops::join(probe.store_, probe.store_->step()));
}

ProbeThread::ProbeThread(const ProbeContext& context) {
  for (const auto& [store, step] : context.probes_)
    if (!ops::records_here(*store)) scopes_.push_back(ops::join(store, step));
  if (scopes_.empty() || context.label_.empty()) return;
  label_ = std::make_unique<ops::ProbeLabel>();
  label_->name = context.label_;
  ops::link(ops::labels, label_.get());
}

ProbeThread::~ProbeThread() {
  if (label_) ops::unlink(ops::labels, label_.get());
  for (const auto& scope : scopes_) ops::unlink(ops::probe_scopes, scope.get());
}

ProbeLayer::ProbeLayer(std::string_view name) {
  if (!ops::probing()) return;
  label_ = std::make_unique<ops::ProbeLabel>();
  label_->name = name;
  ops::link(ops::labels, label_.get());
}

ProbeLayer::~ProbeLayer() {
  if (label_) ops::unlink(ops::labels, label_.get());
}

ProbePause::ProbePause() {
  ++ops::probe_pauses;
}

ProbePause::~ProbePause() {
  --ops::probe_pauses;
}

}  // namespace attn
