// The ranking network across traders: scoring, one list, a training epoch, the losses, beside the
// same network in eager Python LibTorch (peers/rank_network.py) in the same run; the memory that a
// long list takes; and with --quality what rankings are worth, beside LightGBM. Ours and the peer
// take turns: a time is the best of its repetitions, a ratio the median over them, as both of a
// pair meet the machine at the same speed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench_common.h"
#include "bench/bench_rank_memory.h"
#include "bench/bench_rank_quality.h"
#include "bench/bench_rank_set.h"
#include "bench/peer_process.h"
#include "libattn/train/tensor_file.h"

namespace {

namespace fs = std::filesystem;
using attn::bench::best;
using attn::bench::median_ratio;
using attn::bench::Options;
using attn::bench::PeerProcess;
using attn::bench::processor_seconds_of;
using attn::bench::python_of;
using finance::LossKind;
using finance::Ranker;
using finance::RankSet;
using nlohmann::json;

constexpr const char* kUsage =
    "usage: bench-rank [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "                  [--peer PYTHON|none] [--write-peer FILE]\n"
    "       bench-rank --quality [--market sim|tails|both] [--seeds N] [--members N] [--json]\n"
    "                  [--cases TEXT] [--peer PYTHON|none]\n"
    "  --json        one JSON array instead of the table\n"
    "  --threads     numbers of threads, comma-separated (default 1)\n"
    "  --cases       only cases whose name, such as score/one-list, contains TEXT\n"
    "  --repeats     repetitions of ours and the peer's in turn (default 15); a time is their "
    "best,\n"
    "                a ratio the median over them\n"
    "  --quick       two repetitions\n"
    "  --peer        a Python with LibTorch and LightGBM (default: that of `./dev peers`, where it "
    "is\n"
    "                there)\n"
    "  --write-peer  writes the weights and lists that bench/peers/rank_network.py takes, and "
    "ends\n"
    "  --quality     trains on a market and tells what the test lists' rankings are worth, beside\n"
    "                LightGBM's, by the same measures; about 10 minutes a market\n"
    "  --market      sim: the files of shared/data/finance/sim_market (default); tails: another\n"
    "                seed, heavier stakes and returns\n"
    "  --seeds       of ours and of LightGBM, each told as mean and sd (default 3)\n"
    "  --members     networks whose scores are averaged (default 1)\n"
    "  --memory-of   N:score or N:train-step, of one list of N traders: its peak memory alone, "
    "which\n"
    "                memory/... calls in a process of its own\n"
    "example: bench-rank --cases score --json\n";

constexpr int64_t kLists = 10000, kTraders = 50, kTrainLists = 800, kLong = 5000;

/// A set, its network, and what the peer calls it.
struct Subject {
  RankSet set;
  Ranker ranker = attn::bench::ranker_of();
};

/// Sets by the name that cases know them by; those that none asks for are not made.
class Subjects {
 public:
  Subject& operator[](const std::string& name) {
    auto& found = made_[name];
    if (!found) {
      const bool ragged = name == "ragged";
      found = std::make_unique<Subject>(
          Subject{attn::bench::drawn_set(kLists, ragged ? kTraders / 2 : kTraders, kTraders)});
    }
    return *found;
  }

 private:
  std::map<std::string, std::unique_ptr<Subject>> made_;
};

/// A case: ours on the set `of`, and the peer's name of the same.
struct Case {
  std::string name, of, peer;
  std::function<std::function<void()>(Subject&)> prepare;
  double pairs = 0;  ///< that it looks at, of a loss
};

std::function<void()> scoring(Subject& s) {
  return [&s] { finance::scores_of(s.ranker, s.set, {}); };
}

std::function<void()> scoring_first(Subject& s) {
  auto one = std::make_shared<RankSet>(attn::bench::first_lists(s.set, 1));
  return [&s, one] { finance::scores_of(s.ranker, *one, {}); };
}

/// One epoch of a network of its own.
std::function<std::function<void()>(Subject&)> epoch(LossKind loss) {
  return [loss](Subject& s) -> std::function<void()> {
    auto set = std::make_shared<RankSet>(attn::bench::first_lists(s.set, kTrainLists));
    auto ranker = std::make_shared<Ranker>(attn::bench::ranker_of());
    return [set, ranker, loss] { attn::bench::train_epoch(*ranker, *set, loss); };
  };
}

/// PA-BCE and its gradient of the first `lists` of `traders`.
std::function<std::function<void()>(Subject&)> pa_bce(int64_t lists, int64_t traders) {
  return [=](Subject& s) -> std::function<void()> {
    std::vector<int64_t> offsets;
    for (int64_t l = 0; l <= lists; ++l) offsets.push_back(l * traders);
    const auto rows = static_cast<size_t>(lists * traders);
    std::vector<double> scores(rows), gradient(rows);
    for (size_t r = 0; r < rows; ++r) scores[r] = s.set.features.const_data_ptr<float>()[r];
    return [&s, offsets, scores, gradient, rows]() mutable {
      finance::batch_loss({}, offsets, scores, {}, std::span(s.set.profit).first(rows), gradient);
    };
  };
}

std::vector<Case> speed_cases() {
  const auto pairs = [](int64_t n) {
    return static_cast<double>(n) * static_cast<double>(n - 1) / 2;
  };
  const int64_t batch = attn::bench::rank_fit(LossKind::pa_bce).optimisation.batch;
  return {{"score/10000x50", "even", "score", scoring},
          {"score/one-list", "even", "one-list", scoring_first},
          {"score/ragged", "ragged", "score", scoring},
          {"epoch/pa-bce", "even", "epoch", epoch(LossKind::pa_bce)},
          {"epoch/bce", "even", "epoch-bce", epoch(LossKind::bce)},
          {"loss/pa-bce-50", "even", "loss", pa_bce(batch, kTraders),
           static_cast<double>(batch) * pairs(kTraders)},
          {"loss/pa-bce-5000", "even", "loss-long", pa_bce(1, kLong), pairs(kLong)}};
}

struct Row {
  Case of;
  int threads = 1;
  std::vector<double> ours, peer;  // seconds
  double away = 0;                 // greatest difference of the peer's scores

  double ours_ms() const { return 1e3 * best(ours); }
  double peer_ms() const { return peer.empty() ? 0 : 1e3 * best(peer); }
  double ratio() const { return peer.empty() ? 0 : median_ratio(ours, peer); }
  double speedup() const { return peer.empty() ? 0 : 1 / ratio(); }
  double pair_ns() const { return of.pairs > 0 ? 1e9 * best(ours) / of.pairs : 0; }
};

/// Peers by the set that they hold; each checks that its scores are ours.
class Peers {
 public:
  Peers(const std::string& python, int threads) : python_(python), threads_(threads) {}

  PeerProcess* of(const std::string& name, const Subject& subject) {
    if (python_.empty()) return nullptr;
    auto& found = started_[name];
    if (!found.process) start(found, name, subject);
    return &*found.process;
  }
  double away(const std::string& name) { return started_[name].away; }

 private:
  struct Started {
    std::optional<PeerProcess> process;
    double away = 0;
  };

  void start(Started& s, const std::string& name, const Subject& subject) const {
    const fs::path file = fs::temp_directory_path() /
                          ("bench-rank-" + std::to_string(getpid()) + "-" + name + ".safetensors");
    attn::bench::write_rank_peer(subject.ranker, subject.set, kTrainLists, file);
    const std::string script = ATTN_SOURCE_DIR "/bench/peers/rank_network.py";
    s.process.emplace(std::vector<std::string>{python_, script, file.string(), "--threads",
                                               std::to_string(threads_), "--serve"});
    try {
      s.away = s.process->answer().at("check").at("difference").get<double>();
    } catch (...) {
      fs::remove(file);
      throw;
    }
    fs::remove(file);
  }

  std::string python_;
  int threads_;
  std::map<std::string, Started> started_;
};

/// Turns of all cases; the first of each, which meets fresh memory, is left out.
std::vector<Row> measure(const std::vector<Case>& cases, Subjects& subjects, int threads,
                         int repeats, Peers& peers) {
  at::set_num_threads(threads);
  std::vector<Row> rows;
  std::vector<std::function<void()>> runs;
  for (const Case& c : cases) {
    peers.of(c.of, subjects[c.of]);
    runs.push_back(c.prepare(subjects[c.of]));
    rows.push_back({c, threads, {}, {}, peers.away(c.of)});
  }
  std::vector<int> inner(cases.size(), 1), peer_inner(cases.size(), 1);
  for (int r = 0; r <= repeats; ++r) {
    for (size_t i = 0; i < cases.size(); ++i) {
      const double ours = processor_seconds_of(threads, inner[i], runs[i]);
      if (r > 0) rows[i].ours.push_back(ours);
      inner[i] = std::max(1, static_cast<int>(0.05 / ours));
      PeerProcess* peer = peers.of(cases[i].of, subjects[cases[i].of]);
      if (peer == nullptr) continue;
      const json answer = peer->ask(cases[i].peer + " " + std::to_string(peer_inner[i]));
      const auto theirs = answer.at("seconds").get<double>();
      if (r > 0) rows[i].peer.push_back(theirs);
      peer_inner[i] = std::max(1, static_cast<int>(0.05 / theirs));
    }
  }
  return rows;
}

void print_rows(const std::vector<Row>& rows) {
  std::printf("%-22s T %10s %10s %8s %8s %8s\n", "case", "ours ms", "eager ms", "ratio", "speedup",
              "ns/pair");
  for (const Row& r : rows) {
    std::printf("%-22s %d %10.4g", r.of.name.c_str(), r.threads, r.ours_ms());
    for (const double x : {r.peer_ms(), r.ratio(), r.speedup(), r.pair_ns()}) {
      const int width = x == r.peer_ms() ? 10 : 8;
      if (x > 0) {
        std::printf(" %*.4g", width, x);
      } else {
        std::printf(" %*s", width, "");
      }
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

json to_json(const std::vector<Row>& rows) {
  json all = json::array();
  for (const Row& r : rows) {
    json entry = {{"case", r.of.name},
                  {"threads", r.threads},
                  {"clock", r.threads > 1 ? "wall" : "cpu"},
                  {"ours_ms", r.ours_ms()}};
    if (r.of.pairs > 0) entry["ns_per_pair"] = r.pair_ns();
    if (r.peer_ms() > 0) {
      entry["peer"] = "eager-libtorch";
      entry["peer_ms"] = r.peer_ms();
      entry["ratio"] = r.ratio();
      entry["speedup"] = r.speedup();
      entry["greatest_difference"] = r.away;
    }
    all.push_back(entry);
  }
  return all;
}

void print_memory(const json& rows) {
  std::printf("%-30s %10s %16s\n", "case", "peak MB", "bytes/trader");
  for (const json& r : rows)
    std::printf("%-30s %10.2f %16.0f\n", r.at("case").get<std::string>().c_str(),
                r.at("peak_mb").get<double>(), r.at("bytes_per_trader").get<double>());
  std::fflush(stdout);
}

void bench(const std::vector<Case>& cases, const std::vector<std::string>& memory,
           const Options& options) {
  Subjects subjects;
  if (const std::string& file = options.own.at("--write-peer"); !file.empty())
    return attn::bench::write_rank_peer(subjects["even"].ranker, subjects["even"].set, kTrainLists,
                                        file);
  json all = json::array();
  const std::string python = cases.empty() ? std::string() : python_of(options.own.at("--peer"));
  for (const int threads : options.threads) {
    if (cases.empty()) break;
    at::set_num_threads(threads);
    Peers peers(python, threads);
    const std::vector<Row> rows = measure(cases, subjects, threads, options.repeats, peers);
    if (!options.json) print_rows(rows);
    for (const json& row : to_json(rows)) all.push_back(row);
  }
  const json peaks = attn::bench::memory_rows(memory);
  if (!options.json && !peaks.empty()) print_memory(peaks);
  for (const json& row : peaks) all.push_back(row);
  if (options.json) std::cout << all.dump(1) << "\n";
}

std::function<void()> prepared(const Options& options) {
  if (const std::string& what = options.own.at("--memory-of"); !what.empty())
    return attn::bench::memory_alone(what);
  if (options.flags.at("--quality")) return attn::bench::quality(options);
  std::vector<Case> cases;
  std::vector<std::string> memory;
  std::string names;
  const auto wanted = [&](const std::string& name) {
    names.append(" ").append(name);
    return name.find(options.cases) != std::string::npos;
  };
  for (Case& c : speed_cases())
    if (wanted(c.name)) cases.push_back(std::move(c));
  for (const std::string& name : attn::bench::memory_cases())
    if (wanted(name)) memory.push_back(name);
  if (cases.empty() && memory.empty())
    throw std::invalid_argument("no case has '" + options.cases + "' in its name; there are" +
                                names);
  return [=] { bench(cases, memory, options); };
}

}  // namespace

int main(int argc, char** argv) {
  Options defaults;
  defaults.threads = {1};
  defaults.repeats = 15;
  defaults.own = {{"--peer", ""},   {"--write-peer", ""}, {"--market", "sim"},
                  {"--seeds", "3"}, {"--members", "1"},   {"--memory-of", ""}};
  defaults.flags = {{"--quality", false}};
  return attn::bench::run_main("bench-rank", kUsage, argc, argv, defaults, prepared);
}
