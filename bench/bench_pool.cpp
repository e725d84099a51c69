// Attention pooling of one large bag against LibTorch's composition (softmax, matrix product,
// entropy, and their gradients), which like ours makes a new tensor for the gradient; and the
// kernels alone, into memory that is there, against what memory allows: the values are read once
// forward, once backward, where their gradient is written as well. Interleaved repetitions, the
// best of each.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "attn/core.h"
#include "attn/pooling.h"
#include "bench/bench_common.h"
#include "libattn/ops/check.h"

namespace {

using attn::bench::best;
using attn::bench::Options;
using attn::bench::seconds_of;

constexpr const char* kUsage =
    "usage: bench-pool [--json] [--threads 1,2] [--cases TEXT] [--repeats N] [--quick]\n"
    "  --json       one JSON array instead of the table\n"
    "  --threads    numbers of threads, comma-separated (default 1,2)\n"
    "  --cases      only cases whose name, such as (1000000,512), contains TEXT\n"
    "  --repeats    interleaved repetitions of ours and LibTorch's, the best counts (default 7)\n"
    "  --quick      two repetitions, and only bags of fewer than 100000 instances\n"
    "example: bench-pool --threads 1\n";

struct Case {
  int64_t n, d;
  std::string name() const {
    std::ostringstream text;
    text << '(' << n << ',' << d << ')';
    return text.str();
  }
};

struct Row {
  Case shape;
  int threads;
  double ours_ms, peer_ms, kernels_ms, memory_ms, copy_gb_s, read_gb_s;
};

/// Seconds that memory alone needs: the values (and their gradient) at the speeds at which this
/// machine sums and copies arrays of that size.
struct Memory {
  double read_gb_s, copy_gb_s, ideal;
};

Memory measure_memory(const at::Tensor& values) {
  at::Tensor to = at::empty_like(values);
  const auto bytes = static_cast<double>(values.numel()) * 4;
  std::vector<double> read, copy;
  for (int i = 0; i < 5; ++i) {
    read.push_back(seconds_of(1, [&] { static_cast<void>(values.sum()); }));
    copy.push_back(seconds_of(1, [&] { to.copy_(values); }));
  }
  return {bytes / best(read) * 1e-9, 2 * bytes / best(copy) * 1e-9, best(read) + best(copy)};
}

void run_ours(const at::Tensor& scores, const at::Tensor& values, const at::Tensor& offsets,
              const at::Tensor& dout) {
  const attn::PoolResult r = attn::attention_pool(scores, values, offsets);
  torch::autograd::grad({r.out, r.entropy}, {scores, values}, {dout, at::ones_like(r.entropy)});
}

void run_libtorch(const at::Tensor& scores, const at::Tensor& values, const at::Tensor& dout) {
  const at::Tensor log_p = at::log_softmax(scores, 0), p = log_p.exp();  // (T,1)
  const at::Tensor out = at::mm(p.t(), values).unsqueeze(0), entropy = -(p * log_p).sum(0, true);
  torch::autograd::grad({out, entropy}, {scores, values}, {dout, at::ones_like(entropy)});
}

/// The kernels forward and backward, into tensors that are there.
class Kernels {
 public:
  Kernels(const at::Tensor& scores, const at::Tensor& values, const at::Tensor& offsets,
          const at::Tensor& dout)
      : kept_{scores.detach(),
              values.detach(),
              offsets,
              dout,
              at::empty_like(scores.detach()),
              at::empty_like(values.detach()),
              at::empty({values.size(1)})} {
    in_.bags = 1, in_.heads = 1, in_.d = values.size(1);
    in_.offsets = offsets.const_data_ptr<int64_t>();
    in_.scores = kept_[0].const_data_ptr<float>(), in_.scores_row = 1;
    in_.values = kept_[1].const_data_ptr<float>(), in_.values_row = values.size(1);
    out_ = {kept_[6].mutable_data_ptr<float>(), &lse_, &tail_, &entropy_};
    gradient_.dout = dout.const_data_ptr<float>(), gradient_.dentropy = &one_;
    gradient_.dscores = kept_[4].mutable_data_ptr<float>();
    gradient_.dvalues = kept_[5].mutable_data_ptr<float>();
  }
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  void run() {
    attn::core::pool_forward(in_, out_, attn::ops::torch_threads());
    attn::core::pool_backward(in_, out_, gradient_, attn::ops::torch_threads());
  }

 private:
  std::vector<at::Tensor> kept_;
  attn::core::PoolInput<float> in_;
  attn::core::PoolOutput<float> out_{};
  attn::core::PoolGradient<float> gradient_;
  float lse_ = 0, tail_ = 0, entropy_ = 0;
  const float one_ = 1;
};

Row measure(const Case& c, int threads, const Options& options) {
  at::manual_seed(1);
  const at::Tensor scores = at::randn({c.n, 1}).requires_grad_(),
                   values = at::randn({c.n, c.d}).requires_grad_(), dout = at::randn({1, 1, c.d}),
                   offsets = at::tensor({int64_t{0}, c.n}, at::kLong);
  std::vector<double> ours, peer, kernels;
  Kernels alone(scores, values, offsets, dout);
  const int inner = std::max<int>(1, static_cast<int>(2000000 / c.n));
  for (int i = 0; i <= options.repeats; ++i) {
    const double a = seconds_of(inner, [&] { run_ours(scores, values, offsets, dout); });
    const double b = seconds_of(inner, [&] { run_libtorch(scores, values, dout); });
    const double k = seconds_of(inner, [&] { alone.run(); });
    if (i == 0) continue;  // first touch of fresh memory
    ours.push_back(a);
    peer.push_back(b);
    kernels.push_back(k);
  }
  const Memory m = measure_memory(values.detach());
  return {c,
          threads,
          1e3 * best(ours),
          1e3 * best(peer),
          1e3 * best(kernels),
          1e3 * m.ideal,
          m.copy_gb_s,
          m.read_gb_s};
}

void print_row(const Row& r) {
  std::printf("%-14s %d %10.2f %10.2f %7.3f %10.2f %10.2f %9.2f %9.1f %9.1f\n",
              r.shape.name().c_str(), r.threads, r.ours_ms, r.peer_ms, r.ours_ms / r.peer_ms,
              r.kernels_ms, r.memory_ms, r.memory_ms / r.kernels_ms, r.read_gb_s, r.copy_gb_s);
  std::fflush(stdout);
}

void print_json(const std::vector<Row>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const Row& r : rows) {
    all.push_back({{"case", r.shape.name()},
                   {"pass", "forward+backward"},
                   {"peer", "libtorch-composition"},
                   {"threads", r.threads},
                   {"ours_ms", r.ours_ms},
                   {"peer_ms", r.peer_ms},
                   {"ratio", r.ours_ms / r.peer_ms},
                   {"kernels_ms", r.kernels_ms},
                   {"memory_ms", r.memory_ms},
                   {"of_bandwidth", r.memory_ms / r.kernels_ms},
                   {"read_gb_s", r.read_gb_s},
                   {"copy_gb_s", r.copy_gb_s}});
  }
  std::cout << all.dump(1) << "\n";
}

std::vector<Case> cases_of(const Options& options) {
  std::vector<Case> cases;
  for (const Case& c : {Case{1000, 512}, Case{20000, 1024}, Case{1000000, 512}}) {
    if (c.name().find(options.cases) != std::string::npos && !(options.quick && c.n >= 100000))
      cases.push_back(c);
  }
  if (cases.empty())
    throw std::invalid_argument(
        std::string("no case has '").append(options.cases).append("' in its name"));
  return cases;
}

void bench(const std::vector<Case>& cases, const Options& options) {
  std::vector<Row> rows;
  if (!options.json)
    std::printf("%-14s T %10s %10s %7s %10s %10s %9s %9s %9s\n", "(T,D)", "ours ms", "LibTorch",
                "ratio", "kernels ms", "memory ms", "of memory", "read GB/s", "copy GB/s");
  for (const int threads : options.threads) {
    at::set_num_threads(threads);
    for (const Case& c : cases) {
      rows.push_back(measure(c, threads, options));
      if (!options.json) print_row(rows.back());
    }
  }
  if (options.json) print_json(rows);
}

}  // namespace

int main(int argc, char** argv) {
  return attn::bench::run_main("bench-pool", kUsage, argc, argv, {}, [](const Options& options) {
    return [options, cases = cases_of(options)] { bench(cases, options); };
  });
}
