// Attention with entropy against LibTorch's own CPU flash attention (without entropy) and the
// softmax matrix written out. Interleaved repetitions, medians, one process. Ours always computes
// the entropy, and in the backward pass takes a gradient for output, log-sum-exp and entropy;
// LibTorch's for the output alone.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/core.h"

namespace {

constexpr const char* kUsage =
    "usage: bench-attention [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "  --json       one JSON array instead of the table\n"
    "  --threads    numbers of threads, comma-separated (default 1,2)\n"
    "  --cases      only cases whose name, such as (1,8,1024,64), contains TEXT\n"
    "  --repeats    interleaved repetitions of ours and LibTorch's (default 7)\n"
    "  --quick      two repetitions, and only cases of fewer than 2000 tokens\n"
    "example: bench-attention --threads 1 --cases 1024\n";

struct Options {
  bool json = false, quick = false, help = false;
  std::vector<int> threads = {1, 2};
  std::string cases;
  int repeats = 7;
};

struct Case {
  int64_t b, h, n, d;
  bool causal;
  std::string name() const {
    std::ostringstream text;
    text << '(' << b << ',' << h << ',' << n << ',' << d << ')';
    return text.str();
  }
};

struct Row {
  Case shape;
  std::string pass, peer;
  int threads;
  double ours_ms, peer_ms;
};

/// Inputs and incoming gradients of one case.
struct Data {
  at::Tensor q, k, v, dout, drow;
};

Data make_data(const Case& c) {
  at::manual_seed(1);
  const std::vector<int64_t> shape = {c.b, c.h, c.n, c.d};
  return {at::randn(shape), at::randn(shape), at::randn(shape), at::randn(shape),
          at::randn({c.b, c.h, c.n})};
}

using Run = std::function<void(const Data&, const Case&, bool backward)>;

void differentiate(const std::vector<at::Tensor>& outputs, const Data& data,
                   const std::vector<at::Tensor>& gradients) {
  torch::autograd::grad(outputs, {data.q, data.k, data.v}, gradients);
}

void run_ours(const Data& data, const Case& c, bool backward) {
  attn::AttentionOptions options;
  options.causal = c.causal ? attn::Causal::top_left : attn::Causal::none;
  const attn::AttentionResult r = attn::attention(data.q, data.k, data.v, options);
  if (backward) differentiate({r.out, r.lse, r.entropy}, data, {data.dout, data.drow, data.drow});
}

void run_libtorch(const Data& data, const Case& c, bool backward) {
  const at::Tensor out =
      at::scaled_dot_product_attention(data.q, data.k, data.v, {}, 0.0, c.causal);
  if (backward) differentiate({out}, data, {data.dout});
}

void run_materialised(const Data& data, const Case& c, bool backward) {
  at::Tensor s =
      at::matmul(data.q, data.k.transpose(-2, -1)) * (1.0 / std::sqrt(static_cast<double>(c.d)));
  if (c.causal) s = s.masked_fill(at::ones({c.n, c.n}, at::kBool).triu(1), -1e30);
  const at::Tensor log_p = at::log_softmax(s, -1);
  const at::Tensor p = log_p.exp();
  const at::Tensor out = at::matmul(p, data.v), entropy = -(p * log_p).sum(-1);
  if (backward) differentiate({out, entropy}, data, {data.dout, data.drow});
}

double seconds_of(const Run& run, const Data& data, const Case& c, bool backward, int times) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) run(data, c, backward);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

/// The written-out form holds about four matrices of N x N at once.
bool fits_materialised(const Case& c) {
  return 4.0 * 4.0 * c.b * c.h * c.n * c.n < 2e9;
}

void measure(const Case& c, bool backward, int threads, const Options& options,
             std::vector<Row>& rows) {
  const c10::AutoGradMode grad(backward);
  Data data = make_data(c);
  for (at::Tensor* t : {&data.q, &data.k, &data.v}) t->set_requires_grad(backward);
  std::vector<std::pair<std::string, Run>> runs = {{"ours", run_ours},
                                                   {"libtorch-sdpa", run_libtorch}};
  if (fits_materialised(c)) runs.emplace_back("materialised", run_materialised);
  std::map<std::string, std::vector<double>> times;
  std::map<std::string, int> inner;
  for (const auto& [name, run] : runs) {
    inner[name] = std::max(1, static_cast<int>(0.02 / seconds_of(run, data, c, backward, 1)));
  }
  for (int r = 0; r < options.repeats; ++r) {
    for (const auto& [name, run] : runs) {
      if (name == "materialised" && r > 0 && times[name][0] > 0.05) continue;
      times[name].push_back(seconds_of(run, data, c, backward, inner[name]));
    }
  }
  for (size_t i = 1; i < runs.size(); ++i) {
    rows.push_back({c, backward ? "forward+backward" : "forward", runs[i].first, threads,
                    1e3 * median(times["ours"]), 1e3 * median(times[runs[i].first])});
  }
}

void print_row(const Row& r) {
  std::printf("%-16s %-7s %-17s %d  %-14s %10.3f %10.3f %7.3f\n", r.shape.name().c_str(),
              r.shape.causal ? "causal" : "full", r.pass.c_str(), r.threads, r.peer.c_str(),
              r.ours_ms, r.peer_ms, r.ours_ms / r.peer_ms);
  std::fflush(stdout);
}

void print_means(const std::vector<Row>& rows) {
  std::map<std::string, std::pair<double, int>> means;
  for (const Row& r : rows) {
    for (const std::string& threads : {std::to_string(r.threads), std::string("all")}) {
      auto& [sum, count] = means[r.peer + ", " + r.pass + ", threads " + threads];
      sum += std::log(r.ours_ms / r.peer_ms);
      ++count;
    }
  }
  std::printf("\ngeometric mean of ours / peer\n");
  for (const auto& [name, mean] : means) {
    std::printf("  %-48s %.3f  (%d cases)\n", name.c_str(), std::exp(mean.first / mean.second),
                mean.second);
  }
}

void print_json(const std::vector<Row>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const Row& r : rows) {
    all.push_back({{"case", r.shape.name()},
                   {"pass", r.pass},
                   {"peer", r.peer},
                   {"causal", r.shape.causal},
                   {"threads", r.threads},
                   {"ours_ms", r.ours_ms},
                   {"peer_ms", r.peer_ms},
                   {"ratio", r.ours_ms / r.peer_ms}});
  }
  std::cout << all.dump(1) << "\n";
}

int positive(const std::string& text) {
  size_t used = 0;
  int value = 0;
  try {
    value = std::stoi(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || value < 1)
    throw std::invalid_argument("expected a positive whole number, found '" + text + "'");
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) throw std::invalid_argument(key + " needs a value");
      return argv[++i];
    };
    if (key == "--json") {
      options.json = true;
    } else if (key == "--help" || key == "-h") {
      options.help = true;
    } else if (key == "--quick") {
      options.quick = true;
      options.repeats = 2;
    } else if (key == "--cases") {
      options.cases = value();
    } else if (key == "--repeats") {
      options.repeats = positive(value());
    } else if (key == "--threads") {
      options.threads.clear();
      std::istringstream list(value());
      for (std::string item; std::getline(list, item, ',');)
        options.threads.push_back(positive(item));
      if (options.threads.empty())
        throw std::invalid_argument("--threads is empty; give numbers such as 1,2");
    } else {
      throw std::invalid_argument("unknown option '" + key + "'");
    }
  }
  return options;
}

/// The cases that the options leave, each without and with a causal mask.
std::vector<Case> cases_of(const Options& options) {
  const int64_t shapes[][4] = {{8, 8, 197, 64},   {1, 8, 1024, 64},   {1, 8, 4096, 64},
                               {1, 1, 16384, 64}, {1, 16, 2048, 128}, {64, 4, 50, 32}};
  std::vector<Case> cases;
  std::string names;
  for (const auto& s : shapes) {
    for (const bool causal : {false, true}) {
      const Case c{s[0], s[1], s[2], s[3], causal};
      if (!causal) names.append(" ").append(c.name());
      if (c.name().find(options.cases) == std::string::npos || (options.quick && c.n >= 2000))
        continue;
      cases.push_back(c);
    }
  }
  if (cases.empty())
    throw std::invalid_argument("no case " + std::string(options.quick ? "of --quick " : "") +
                                "has '" + options.cases + "' in its name; there are" + names);
  return cases;
}

int bench(const std::vector<Case>& cases, const Options& options) {
  std::vector<Row> rows;
  if (!options.json) {
    std::printf("SIMD %s; medians of %d interleaved repetitions, fp32\n",
                attn::core::simd_target().c_str(), options.repeats);
    std::printf("%-16s %-7s %-17s T  %-14s %10s %10s %7s\n", "(B,H,N,D)", "mask", "pass", "peer",
                "ours ms", "peer ms", "ratio");
  }
  for (const int threads : options.threads) {
    at::set_num_threads(threads);
    for (const Case& c : cases) {
      for (const bool backward : {false, true}) {
        const size_t before = rows.size();
        measure(c, backward, threads, options, rows);
        if (!options.json)
          std::for_each(rows.begin() + static_cast<std::ptrdiff_t>(before), rows.end(), print_row);
      }
    }
  }
  if (options.json) {
    print_json(rows);
  } else {
    print_means(rows);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<Case> cases;
  try {
    options = parse(argc, argv);
    if (options.help) {
      std::cout << kUsage;
      return 0;
    }
    cases = cases_of(options);
  } catch (const std::invalid_argument& e) {
    std::cerr << "error: bench-attention: " << e.what() << "; see --help\n";
    return 2;
  }
  try {
    return bench(cases, options);
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return 1;
  }
}
