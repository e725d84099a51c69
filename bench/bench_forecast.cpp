// EntroPE as published and as we have it, PatchTST and DLinear: forward, training step, patcher and
// a single window at look-back and horizon 96, 7 channels; the published network beside the same
// one in eager Python LibTorch (peers/entrope.py), in the same run. Ours and the peer take turns:
// a time is the best of its repetitions, since what else runs on the machine only adds; a ratio is
// the median over the repetitions, since both of a pair meet the machine at the same speed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/AutogradState.h>
#include <c10/core/GradMode.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "attn/core.h"
#include "bench/bench_common.h"
#include "bench/peer_process.h"
#include "libattn/train/optimiser.h"
#include "libattn/train/seed.h"
#include "libattn/train/tensor_file.h"
#include "timeseries/forecast/dlinear.h"
#include "timeseries/forecast/entrope.h"
#include "timeseries/forecast/patchtst.h"
#include "timeseries/model/entropy_stage.h"
#include "timeseries/model/model_options.h"
#include "timeseries/series/side_by_side.h"
#include "timeseries/series/simulate.h"
#include "timeseries/window/plan.h"

namespace {

namespace fs = std::filesystem;
using attn::bench::best;
using attn::bench::median_ratio;
using attn::bench::Options;
using attn::bench::PeerProcess;
using attn::bench::processor_seconds_of;
using attn::bench::python_of;
using nlohmann::json;
using timeseries::Forecaster;
using timeseries::WindowBatch;

constexpr const char* kUsage =
    "usage: bench-forecast [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "                      [--peer PYTHON|none] [--write-peer FILE]\n"
    "  --json        one JSON array instead of the table\n"
    "  --threads     numbers of threads, comma-separated (default 1)\n"
    "  --cases       only cases whose name, such as reference/forward-128, contains TEXT\n"
    "  --repeats     repetitions of ours and the peer's in turn (default 15); a time is their "
    "best,\n"
    "                a ratio the median over them\n"
    "  --quick       two repetitions\n"
    "  --peer        a Python with LibTorch (default: that of `./dev peers`, where it is there)\n"
    "  --write-peer  writes the weights and windows that bench/peers/entrope.py takes, and ends\n"
    "example: bench-forecast --cases reference --json\n";

constexpr int64_t kWindows = 128, kChannels = 7, kLength = 96, kRows = 14400;
constexpr double kRate = 1e-3;

/// ETTh1's rows and channels, simulated.
timeseries::SeriesSet simulated() {
  timeseries::SimulateOptions o;
  o.series = kChannels, o.rows = kRows, o.yearly = 0;
  o.level_shifts = 6;
  return timeseries::side_by_side(timeseries::simulate(o));
}

/// The published sizes: its entropy model, quantile rule and network. The entropy model learns just
/// so long that entropies rise and fall.
timeseries::ModelOptions reference_options() {
  timeseries::ModelOptions o = timeseries::default_options(timeseries::Network::entrope, kChannels);
  o.entrope = timeseries::reference_entrope(kLength, kLength, kChannels);
  o.cycle = 0;
  o.patching.boundaries.rule = timeseries::CutRule::quantile;
  o.patching.boundaries.quantile = 0.95;
  o.patching.boundaries.max_length = 32;
  o.patching.boundaries.tie = 0;
  o.patching.mean_length = 0;
  o.patching.range = 3;
  o.patching.entropy_model.position = timeseries::EntropyPosition::learned;
  return o;
}

/// 128 windows of all channels from the test rows, and what networks of them are made of.
struct Data {
  timeseries::SeriesSet set = simulated();
  timeseries::Split split = timeseries::split_by(set, timeseries::protocol_of("ett-hour"));
  timeseries::Scaler scaler =
      timeseries::fit_scaler(set, split.train, timeseries::ScaleBy::channel);
  WindowBatch all, one;

  Data() {
    const timeseries::WindowPlan plan =
        timeseries::plan_windows(set, split.test, {kLength, kLength, 21});
    const std::span<const timeseries::Window> windows(plan.windows);
    const timeseries::WindowSource source(set, scaler, {kLength, kLength, 24});
    all = source.gather(windows.first(kWindows * kChannels));
    one = source.gather(windows.first(kChannels));
  }

  timeseries::ModelOptions resolved(timeseries::ModelOptions o) const {
    o.horizon = o.lookback = kLength;
    o.stride = 64;
    o.patching.entropy_training.train.epochs = 4;
    return timeseries::resolved(o, set, split);
  }
};

/// A network, its patches of all windows where it has any, and its optimiser.
class Subject {
 public:
  Subject(const Data& data, std::shared_ptr<Forecaster> forecaster)
      : data_(data), forecaster_(std::move(forecaster)), optimiser_(adam(), parameters()) {
    if (forecaster_->cuts_by_values()) cuts_ = forecaster_->cut(data.all.values);
  }

  at::Tensor forecast(const WindowBatch& batch, bool given = false) const {
    const c10::NoGradGuard no_grad;
    timeseries::Pass pass;
    if (given) pass.cuts = &*cuts_;
    return forecaster_->forward(batch, pass);
  }
  void step(bool given = false) {
    const at::AutoGradMode with_grad(true);
    timeseries::Pass pass;
    pass.training = true;
    pass.seed = attn::train::derive_seed(0, "step", steps_++);
    if (given) pass.cuts = &*cuts_;
    optimiser_.zero_gradients();
    at::mse_loss(forecaster_->forward(data_.all, pass), data_.all.target).backward();
    optimiser_.step(kRate);
  }
  void cut() const { forecaster_->cut(data_.all.values); }

  const Data& data() const { return data_; }
  const Forecaster& forecaster() const { return *forecaster_; }
  const timeseries::PatchCuts& cuts() const { return *cuts_; }

 private:
  static attn::train::TrainOptions adam() {
    attn::train::TrainOptions o;
    o.weight_decay = 0;
    return o;
  }
  const attn::train::NamedTensors& parameters() const { return forecaster_->parameters().named(); }

  const Data& data_;
  std::shared_ptr<Forecaster> forecaster_;
  std::optional<timeseries::PatchCuts> cuts_;
  attn::train::OptimiserState optimiser_;
  uint64_t steps_ = 0;
};

/// All that the cases run on: the networks named.
struct Subjects {
  Data data;
  std::shared_ptr<const timeseries::EntropyPatcher> patcher;  // of the published network
  std::map<std::string, std::shared_ptr<Subject>> by_name;

  explicit Subjects(const std::set<std::string>& names) {
    using timeseries::Network;
    const auto wanted = [&](const char* name) { return names.count(name) > 0; };
    if (wanted("reference")) patcher = add_entrope("reference", reference_options());
    if (wanted("default"))
      add_entrope("default", timeseries::default_options(Network::entrope, kChannels));
    if (wanted("patchtst"))
      add("patchtst", std::make_shared<timeseries::PatchTst>(timeseries::PatchTstOptions(), 1));
    if (wanted("dlinear"))
      add("dlinear", std::make_shared<timeseries::DLinear>(timeseries::DLinearOptions(), 1));
  }

 private:
  std::shared_ptr<const timeseries::EntropyPatcher> add_entrope(
      const char* name, const timeseries::ModelOptions& given) {
    const timeseries::ModelOptions o = data.resolved(given);
    auto own = std::make_shared<const timeseries::EntropyPatcher>(
        timeseries::fit_patcher({data.set, data.split, o, data.scaler, name}, {}, {}).patcher);
    add(name, std::make_shared<timeseries::Entrope>(o.entrope, 1, timeseries::patching_by(own)));
    return own;
  }
  void add(const char* name, std::shared_ptr<Forecaster> forecaster) {
    by_name[name] = std::make_shared<Subject>(data, std::move(forecaster));
  }
};

/// Weights, windows, and what ours makes of them.
void write_peer(const Subjects& subjects, const fs::path& path) {
  const Subject& s = *subjects.by_name.at("reference");
  attn::train::NamedTensors tensors = subjects.patcher->tensors("entropy.");
  for (const auto& [name, tensor] : s.forecaster().parameters().named())
    tensors.emplace_back("forecaster." + name, tensor.detach());
  const at::Tensor &x = s.data().all.values, z = x - x.mean(1, true);
  const at::Tensor shown = z / (z.square().mean(1, true) + 1e-5).sqrt();
  tensors.insert(tensors.end(), {{"values", x},
                                 {"target", s.data().all.target},
                                 {"ids", subjects.patcher->tokens(shown)},
                                 {"entropies", subjects.patcher->entropy(shown)},
                                 {"offsets", s.cuts().offsets},
                                 {"begin", s.cuts().begin},
                                 {"forecast", s.forecast(s.data().all)}});
  const json options = {{"network", s.forecaster().options()},
                        {"patcher", subjects.patcher->config()},
                        {"lr", kRate}};
  attn::train::write_tensors(path, tensors, {{"options", options.dump()}});
}

struct Case {
  std::string network, pass;
  std::function<void(Subject&)> run;
  std::string name() const { return network + "/" + pass; }
};

std::vector<Case> all_cases() {
  const Case given[] = {
      {"", "forward-128", [](Subject& s) { s.forecast(s.data().all); }},
      {"", "train-step", [](Subject& s) { s.step(); }},
      {"", "one-window", [](Subject& s) { s.forecast(s.data().one); }},
      {"", "forward-128-given", [](Subject& s) { s.forecast(s.data().all, true); }},
      {"", "train-step-given", [](Subject& s) { s.step(true); }},
      {"", "patcher", [](Subject& s) { s.cut(); }}};
  std::vector<Case> cases;
  for (const char* network : {"reference", "default", "patchtst", "dlinear"}) {
    const bool cuts = network == std::string("reference") || network == std::string("default");
    for (int i = 0; i < (cuts ? 6 : 3); ++i)
      cases.push_back({network, given[i].pass, given[i].run});
  }
  return cases;
}

struct Row {
  Case of;
  int threads = 1;
  std::vector<double> ours, peer;  // seconds
  double rows_away = 0;            // greatest difference of the peer's forecast

  double ours_ms() const { return 1e3 * best(ours); }
  double peer_ms() const { return peer.empty() ? 0 : 1e3 * best(peer); }
  double ratio() const { return peer.empty() ? 0 : median_ratio(ours, peer); }
  double speedup() const { return peer.empty() ? 0 : 1 / ratio(); }
};

/// Turns of all cases; the first of each, which meets fresh memory, is left out.
std::vector<Row> measure(const std::vector<Case>& cases, const Subjects& subjects, int threads,
                         int repeats, PeerProcess* peer) {
  at::set_num_threads(threads);
  std::vector<Row> rows;
  const double away =
      peer == nullptr ? 0 : peer->answer().at("check").at("difference").get<double>();
  for (const Case& c : cases) rows.push_back({c, threads, {}, {}, away});
  std::vector<int> inner(cases.size(), 1), peer_inner(cases.size(), 1);
  for (int r = 0; r <= repeats; ++r) {
    for (size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      Subject& subject = *subjects.by_name.at(c.network);
      const double ours = processor_seconds_of(threads, inner[i], [&] { c.run(subject); });
      if (r > 0) rows[i].ours.push_back(ours);
      inner[i] = std::max(1, static_cast<int>(0.05 / ours));
      if (peer == nullptr || c.network != "reference") continue;
      const json answer = peer->ask(c.pass + " " + std::to_string(peer_inner[i]));
      const auto theirs = answer.at("seconds").get<double>();
      if (r > 0) rows[i].peer.push_back(theirs);
      peer_inner[i] = std::max(1, static_cast<int>(0.05 / theirs));
    }
  }
  return rows;
}

/// Ours by that of `network`, which is another, in the same pass; 0 where it has none.
double by(const Row& row, const std::vector<Row>& rows, const std::string& network) {
  if (row.of.network == network || row.of.network == "dlinear") return 0;
  for (const Row& r : rows)
    if (r.of.network == network && r.of.pass == row.of.pass) return median_ratio(row.ours, r.ours);
  return 0;
}

void print_rows(const std::vector<Row>& rows) {
  std::printf("%-28s T %10s %10s %8s %8s %9s %9s\n", "case", "ours ms", "eager ms", "ratio",
              "speedup", "/patchtst", "/dlinear");
  const auto number = [](int width, int digits, double x) {
    if (x > 0) {
      std::printf(" %*.*f", width, digits, x);
    } else {
      std::printf(" %*s", width, "");
    }
  };
  for (const Row& r : rows) {
    std::printf("%-28s %d %10.3f", r.of.name().c_str(), r.threads, r.ours_ms());
    number(10, 3, r.peer_ms());
    number(8, 4, r.ratio());
    number(8, 1, r.speedup());
    number(9, 2, by(r, rows, "patchtst"));
    number(9, 1, by(r, rows, "dlinear"));
    std::printf("\n");
  }
  std::fflush(stdout);
}

json to_json(const std::vector<Row>& rows) {
  json all = json::array();
  for (const Row& r : rows) {
    json entry = {{"case", r.of.name()},
                  {"network", r.of.network},
                  {"pass", r.of.pass},
                  {"threads", r.threads},
                  {"clock", r.threads > 1 ? "wall" : "cpu"},
                  {"ours_ms", r.ours_ms()}};
    if (r.peer_ms() > 0) {
      entry["peer"] = "eager-libtorch";
      entry["peer_ms"] = r.peer_ms();
      entry["ratio"] = r.ratio();
      entry["speedup"] = r.speedup();
      entry["greatest_difference"] = r.rows_away;
    }
    for (const char* network : {"patchtst", "dlinear"})
      if (const double x = by(r, rows, network); x > 0) entry[std::string("by_") + network] = x;
    all.push_back(entry);
  }
  return all;
}

std::vector<Case> cases_of(const Options& options) {
  std::vector<Case> cases;
  std::string names;
  for (const Case& c : all_cases()) {
    names.append(" ").append(c.name());
    if (c.name().find(options.cases) != std::string::npos) cases.push_back(c);
  }
  if (cases.empty())
    throw std::invalid_argument("no case has '" + options.cases + "' in its name; there are" +
                                names);
  return cases;
}

void bench(const std::vector<Case>& cases, const Options& options) {
  if (const std::string& file = options.own.at("--write-peer"); !file.empty())
    return write_peer(Subjects({"reference"}), file);
  std::set<std::string> names;
  for (const Case& c : cases) names.insert(c.network);
  at::set_num_threads(options.threads.front());
  const Subjects subjects(names);
  const std::string python =
      names.count("reference") > 0 ? python_of(options.own.at("--peer")) : std::string();
  const fs::path file =
      fs::temp_directory_path() / ("bench-forecast-" + std::to_string(getpid()) + ".safetensors");
  if (!python.empty()) write_peer(subjects, file);
  const std::string script = ATTN_SOURCE_DIR "/bench/peers/entrope.py";
  std::vector<Row> rows;
  for (const int threads : options.threads) {
    std::optional<PeerProcess> peer;
    if (!python.empty())
      peer.emplace(std::vector<std::string>{python, script, file.string(), "--threads",
                                            std::to_string(threads), "--serve"});
    const std::vector<Row> own =
        measure(cases, subjects, threads, options.repeats, peer ? &*peer : nullptr);
    if (!options.json) print_rows(own);
    rows.insert(rows.end(), own.begin(), own.end());
  }
  fs::remove(file);
  if (options.json) std::cout << to_json(rows).dump(1) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options defaults;
  defaults.threads = {1};
  defaults.repeats = 15;
  defaults.own = {{"--peer", ""}, {"--write-peer", ""}};
  return attn::bench::run_main(
      "bench-forecast", kUsage, argc, argv, defaults, [](const Options& options) {
        return [options, cases = cases_of(options)] { bench(cases, options); };
      });
}
