// Attention with entropy against its peers in one process, repetitions interleaved, the best of
// each: what else runs on the machine only adds.
//   libtorch-sdpa    LibTorch's own CPU flash attention, without entropy
//   two-calls        the entropy by the identity H = LSE - scale q.(P K): LibTorch's kernel twice;
//                    its backward knows no gradient of LSE, so forward only
//   materialised     the softmax matrix written out, where it fits
//   without-entropy  our own kernels, not asked for it: what the entropy costs ("ours" there: the
//                    kernels called in the same way, asked for it)
// Ours always computes the entropy, and in the backward pass takes a gradient for output,
// log-sum-exp and entropy; LibTorch's for the output alone.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
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
#include "bench/bench_common.h"
#include "bench/bench_core.h"

namespace {

constexpr const char* kUsage =
    "usage: bench-attention [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "  --json       one JSON array instead of the table\n"
    "  --threads    numbers of threads, comma-separated (default 1,2)\n"
    "  --cases      only cases whose name, such as (1,8,1024,64), contains TEXT\n"
    "  --repeats    interleaved repetitions of ours and LibTorch's, the best counts (default 7)\n"
    "  --quick      two repetitions, and only cases of fewer than 2000 tokens\n"
    "example: bench-attention --threads 1 --cases 1024\n";

using attn::bench::Options;

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
  double of_sgemm;  // our FLOP/s by those of at::mm, 1024^3, on as many threads
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

void run_two_calls(const Data& data, const Case& c, bool) {
  const auto run = [&](const at::Tensor& values) {
    return at::_scaled_dot_product_flash_attention_for_cpu(data.q, data.k, values, 0.0, c.causal);
  };
  const auto [out, lse] = run(data.v);
  const double scale = 1.0 / std::sqrt(static_cast<double>(c.d));
  const at::Tensor entropy = lse - (data.q * std::get<0>(run(data.k))).sum(-1) * scale;
}

void run_kernels(const Data& data, const Case& c, bool backward) {
  attn::bench::run_core(data.q, data.k, data.v, data.dout, data.drow, c.causal, true, backward);
}

void run_without_entropy(const Data& data, const Case& c, bool backward) {
  attn::bench::run_core(data.q, data.k, data.v, data.dout, data.drow, c.causal, false, backward);
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
  return attn::bench::seconds_of(times, [&] { run(data, c, backward); });
}

/// The written-out form holds about four matrices of N x N at once.
bool fits_materialised(const Case& c) {
  return 4.0 * 4.0 * c.b * c.h * c.n * c.n < 2e9;
}

/// A large matrix product: its FLOP/s are the most that this machine gives.
struct Sgemm {
  at::Tensor a = at::randn({1024, 1024}), b = at::randn({1024, 1024});
  at::Tensor out = at::empty({1024, 1024});
  double seconds() {
    return attn::bench::seconds_of(2, [&] { at::mm_out(out, a, b); });
  }
  static double flops() { return 2.0 * 1024 * 1024 * 1024; }
};

/// The products alone (2 forward, 5 backward), half of them where causal.
double flops(const Case& c, bool backward) {
  const double n = static_cast<double>(c.n);
  return (backward ? 14.0 : 4.0) * static_cast<double>(c.b * c.h * c.d) * n * n /
         (c.causal ? 2 : 1);
}

void measure(const Case& c, bool backward, int threads, const Options& options,
             std::vector<Row>& rows) {
  const c10::AutoGradMode grad(backward);
  Data data = make_data(c);
  for (at::Tensor* t : {&data.q, &data.k, &data.v}) t->set_requires_grad(backward);
  std::vector<std::pair<std::string, Run>> runs = {{"ours", run_ours},
                                                   {"libtorch-sdpa", run_libtorch}};
  if (!backward) runs.emplace_back("two-calls", run_two_calls);
  if (fits_materialised(c)) runs.emplace_back("materialised", run_materialised);
  runs.emplace_back("kernels", run_kernels);
  runs.emplace_back("without-entropy", run_without_entropy);
  std::map<std::string, double> best;
  std::map<std::string, int> inner;
  for (const auto& [name, run] : runs) {
    inner[name] = std::max(1, static_cast<int>(0.02 / seconds_of(run, data, c, backward, 1)));
  }
  Sgemm sgemm;
  double product = sgemm.seconds();
  for (int r = 0; r < options.repeats; ++r) {
    // Every other time from the last to the first: who comes after whom matters.
    for (size_t i = 0; i < runs.size(); ++i) {
      const auto& [name, run] = runs[r % 2 == 0 ? i : runs.size() - 1 - i];
      if (name == "materialised" && r > 2 && best[name] > 1) continue;
      const double time = seconds_of(run, data, c, backward, inner[name]);
      best[name] = r == 0 ? time : std::min(best[name], time);
    }
    product = std::min(product, sgemm.seconds());
  }
  for (const auto& [name, run] : runs) {
    if (name == "ours" || name == "kernels") continue;
    const double ours = best[name == "without-entropy" ? "kernels" : "ours"];
    rows.push_back({c, backward ? "forward+backward" : "forward", name, threads, 1e3 * ours,
                    1e3 * best[name], flops(c, backward) / ours * product / Sgemm::flops()});
  }
}

void print_row(const Row& r) {
  std::printf("%-16s %-7s %-17s %d  %-15s %10.3f %10.3f %7.3f %8.2f\n", r.shape.name().c_str(),
              r.shape.causal ? "causal" : "full", r.pass.c_str(), r.threads, r.peer.c_str(),
              r.ours_ms, r.peer_ms, r.ours_ms / r.peer_ms, r.of_sgemm);
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
                   {"ratio", r.ours_ms / r.peer_ms},
                   {"of_sgemm_peak", r.of_sgemm}});
  }
  std::cout << all.dump(1) << "\n";
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

void bench(const std::vector<Case>& cases, const Options& options) {
  std::vector<Row> rows;
  if (!options.json) {
    std::printf("SIMD %s; best of %d interleaved repetitions, fp32\n",
                attn::core::simd_target().c_str(), options.repeats);
    std::printf("%-16s %-7s %-17s T  %-15s %10s %10s %7s %8s\n", "(B,H,N,D)", "mask", "pass",
                "peer", "ours ms", "peer ms", "ratio", "of sgemm");
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
}

}  // namespace

int main(int argc, char** argv) {
  return attn::bench::run_main(
      "bench-attention", kUsage, argc, argv, {}, [](const Options& options) {
        return [options, cases = cases_of(options)] { bench(cases, options); };
      });
}
