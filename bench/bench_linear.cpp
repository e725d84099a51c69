// Linear attention: how its time grows with the tokens, and beside LibTorch's CPU attention at the
// same number of heads, tokens and value columns, (B,H,D) = (1,8,64). One process, interleaved
// repetitions, the best of each, since what else runs on the machine only adds; growth is the
// median over repetitions.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/core.h"
#include "attn/linear.h"
#include "bench/bench_common.h"

namespace {

using attn::FeatureMap;
using attn::bench::Options;

constexpr const char* kUsage =
    "usage: bench-linear [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "  --json       one JSON array instead of the table\n"
    "  --threads    numbers of threads, comma-separated (default 1,2)\n"
    "  --cases      only cases whose name, such as elu-causal, contains TEXT\n"
    "  --repeats    interleaved repetitions of ours and LibTorch's, the best counts (default 7)\n"
    "  --quick      two repetitions, at most 8,192 tokens and for LibTorch 2,048\n"
    "example: bench-linear --threads 1 --cases elu\n";

constexpr int64_t kHeads = 8, kWidth = 64;
constexpr int64_t kTokens[] = {1024, 2048, 4096, 8192, 16384, 65536};
constexpr int64_t kPeerTokens = 16384, kQuickPeerTokens = 2048;  // beyond, only ours

enum class Decay { none, head, token, feature };

struct Case {
  std::string name;
  FeatureMap map;
  bool causal = true, normalise = true;
  Decay decay = Decay::none;
  int64_t d = kWidth, most = 65536;  // width of queries and keys; tokens at most
};

struct Row {
  std::string name, pass;
  int threads;
  int64_t tokens;
  double ours_ms, peer_ms;  // peer: 0 where it was not run
  double growth = 0;        // time at 8 N over this; 0 where there is none
};

using Inputs = std::vector<at::Tensor>;  // q, k, v, dout, log_decay

Inputs make_inputs(const Case& c, int64_t n) {
  at::manual_seed(1);
  const int64_t f = attn::core::feature_count(c.map, c.d);
  Inputs x = {at::randn({1, kHeads, n, c.d}) * 0.3,
              at::randn({1, kHeads, n, c.d}) * 0.3,
              at::randn({1, kHeads, n, kWidth}),
              at::randn({1, kHeads, n, kWidth}),
              {}};
  if (c.decay == Decay::head) x[4] = -at::pow(2, -at::arange(1, kHeads + 1).to(at::kFloat));
  if (c.decay == Decay::token) x[4] = -0.1 * at::rand({1, kHeads, n});
  if (c.decay == Decay::feature) x[4] = -0.1 * at::rand({1, kHeads, n, f});
  return x;
}

void run_ours(const Case& c, const Inputs& x, bool backward) {
  attn::LinearAttentionOptions o;
  o.map = c.map, o.causal = c.causal, o.normalise = c.normalise, o.log_decay = x[4];
  const at::Tensor out = attn::linear_attention(x[0], x[1], x[2], o).out;
  if (!backward) return;
  Inputs leaves = {x[0], x[1], x[2]};
  if (x[4].defined()) leaves.push_back(x[4]);
  torch::autograd::grad({out}, leaves, {x[3]});
}

void run_peer(bool causal, const Inputs& x, bool backward) {
  const at::Tensor out = at::scaled_dot_product_attention(x[0], x[1], x[2], {}, 0.0, causal);
  if (backward) torch::autograd::grad({out}, {x[0], x[1], x[2]}, {x[3]});
}

/// Seconds of `repeats` runs of each, interleaved; one that takes seconds is run less often. The
/// first of each, which meets fresh memory, is left out.
std::vector<std::vector<double>> times_of(int repeats,
                                          const std::vector<std::function<void()>>& runs) {
  std::vector<std::vector<double>> times(runs.size());
  std::vector<double> first;
  for (const auto& run : runs) first.push_back(attn::bench::seconds_of(1, run));
  for (int r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < runs.size(); ++i) {
      if (r > 0 && first[i] * (r + 1) > 12) continue;
      const int inner = std::max(1, static_cast<int>(0.02 / first[i]));
      times[i].push_back(attn::bench::seconds_of(inner, runs[i]));
    }
  }
  return times;
}

/// LibTorch's times, taken once for all maps, beside the first.
using PeerTimes = std::map<std::string, double>;

/// What the peer's time depends on.
std::string peer_key(const Case& c, int64_t n, bool backward, int threads) {
  return std::to_string(n) + (c.causal ? "c" : "f") + (backward ? "b" : "") +
         std::to_string(threads);
}

Inputs leaves_of(const Case& c, int64_t n, bool backward) {
  Inputs x = make_inputs(c, n);
  for (const size_t i : {0, 1, 2, 4})
    if (x[i].defined()) x[i].set_requires_grad(backward);
  return x;
}

/// All numbers of tokens of one case and pass, interleaved: times that are divided by each other
/// are taken within the same minute.
std::vector<Row> measure(const Case& c, bool backward, int threads, const Options& options,
                         PeerTimes& peers) {
  const c10::AutoGradMode grad(backward);
  Case plain = c;
  plain.d = kWidth, plain.decay = Decay::none;
  std::vector<int64_t> sizes;
  for (const int64_t n : kTokens)
    if (n <= c.most && !(options.quick && n > 8192)) sizes.push_back(n);
  std::vector<std::function<void()>> runs;
  for (const int64_t n : sizes)
    runs.emplace_back([&c, backward, x = leaves_of(c, n, backward)] { run_ours(c, x, backward); });
  std::vector<std::string> keys;  // of the peer's runs, which follow ours
  for (const int64_t n : sizes) {
    const std::string key = peer_key(c, n, backward, threads);
    if (n > (options.quick ? kQuickPeerTokens : kPeerTokens) || peers.count(key) > 0) continue;
    keys.push_back(key);
    runs.emplace_back([causal = c.causal, backward, x = leaves_of(plain, n, backward)] {
      run_peer(causal, x, backward);
    });
  }
  const auto times = times_of(options.repeats, runs);
  for (size_t i = 0; i < keys.size(); ++i)
    peers[keys[i]] = attn::bench::best(times[sizes.size() + i]);
  std::vector<Row> rows;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto known = peers.find(peer_key(c, sizes[i], backward, threads));
    rows.push_back({c.name, backward ? "forward+backward" : "forward", threads, sizes[i],
                    1e3 * attn::bench::best(times[i]),
                    known == peers.end() ? 0 : 1e3 * known->second});
    const auto longer = std::find(sizes.begin(), sizes.end(), 8 * sizes[i]);
    if (longer != sizes.end())
      rows.back().growth =
          attn::bench::median_ratio(times[static_cast<size_t>(longer - sizes.begin())], times[i]);
  }
  return rows;
}

void print_row(const Row& r) {
  std::printf("%-18s %-17s %d %7lld %10.3f", r.name.c_str(), r.pass.c_str(), r.threads,
              static_cast<long long>(r.tokens), r.ours_ms);
  if (r.peer_ms > 0) std::printf(" %10.3f %8.4f", r.peer_ms, r.ours_ms / r.peer_ms);
  std::printf("\n");
  std::fflush(stdout);
}

nlohmann::json to_json(const std::vector<Row>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const Row& r : rows) {
    nlohmann::json entry = {{"case", r.name},
                            {"pass", r.pass},
                            {"threads", r.threads},
                            {"tokens", r.tokens},
                            {"ours_ms", r.ours_ms}};
    if (r.peer_ms > 0) {
      entry["peer"] = "libtorch-sdpa";
      entry["peer_ms"] = r.peer_ms;
      entry["ratio"] = r.ours_ms / r.peer_ms;
    }
    if (r.growth > 0) entry["time_8n_over_n"] = r.growth;
    all.push_back(entry);
  }
  return all;
}

std::vector<Case> cases_of(const Options& options) {
  const std::vector<Case> all = {
      {"identity-causal", FeatureMap::identity, true, false},
      {"lightning", FeatureMap::identity, true, false, Decay::head},
      {"gated", FeatureMap::identity, true, false, Decay::token},
      {"gated-feature", FeatureMap::identity, true, false, Decay::feature},
      {"elu-causal", FeatureMap::elu},
      {"elu-full", FeatureMap::elu, false},
      {"relu-causal", FeatureMap::relu},
      {"relu-full", FeatureMap::relu, false},
      {"exponential-causal", FeatureMap::exponential},
      {"exponential-full", FeatureMap::exponential, false},
      {"hedgehog-causal", FeatureMap::hedgehog},
      {"hedgehog-full", FeatureMap::hedgehog, false},
      {"taylor16-causal", FeatureMap::taylor, true, true, Decay::none, 16},
      {"taylor16-full", FeatureMap::taylor, false, true, Decay::none, 16},
      {"taylor64-causal", FeatureMap::taylor, true, true, Decay::none, 64, 16384},
      {"taylor64-full", FeatureMap::taylor, false, true, Decay::none, 64, 16384}};
  std::vector<Case> cases;
  std::string names;
  for (const Case& c : all) {
    names.append(" ").append(c.name);
    if (c.name.find(options.cases) != std::string::npos) cases.push_back(c);
  }
  if (cases.empty())
    throw std::invalid_argument("no case has '" + options.cases + "' in its name; there are" +
                                names);
  return cases;
}

void bench(const std::vector<Case>& cases, const Options& options) {
  nlohmann::json all = nlohmann::json::array();
  PeerTimes peers;
  if (!options.json)
    std::printf(
        "SIMD %s; best of %d repetitions, fp32, (B,H,D) = (1,%d,%d)\n%-18s %-17s T %7s "
        "%10s %10s %8s\n",
        attn::core::simd_target().c_str(), options.repeats, static_cast<int>(kHeads),
        static_cast<int>(kWidth), "case", "pass", "tokens", "ours ms", "sdpa ms", "ratio");
  for (const int threads : options.threads) {
    at::set_num_threads(threads);
    for (const Case& c : cases) {
      for (const bool backward : {false, true}) {
        const std::vector<Row> rows = measure(c, backward, threads, options, peers);
        if (!options.json) std::for_each(rows.begin(), rows.end(), print_row);
        for (const auto& entry : to_json(rows)) all.push_back(entry);
        if (options.json) continue;
        for (const Row& r : rows)
          if (r.growth > 0)
            std::cout << "  time(" << 8 * r.tokens << ") / time(" << r.tokens << ") = " << r.growth
                      << "\n";
      }
    }
  }
  if (options.json) std::cout << all.dump(1) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options defaults;
  defaults.repeats = 7;
  return attn::bench::run_main(
      "bench-linear", kUsage, argc, argv, defaults, [](const Options& options) {
        return [options, cases = cases_of(options)] { bench(cases, options); };
      });
}
