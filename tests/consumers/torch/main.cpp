// The operator on LibTorch: attention of equal logits, its gradient, and an error that crosses the
// library's border. ATen's operators by name: ATen/ATen.h takes 11 s to compile.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "attn/attention.h"
#include "attn/error.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s\n", what);
}

void equal_logits() {
  const at::Tensor q = at::zeros({2, 3, 5, 8}, at::kDouble).requires_grad_();
  const at::Tensor k = at::randn({2, 3, 13, 8}, at::kDouble);
  const at::Tensor v = at::randn({2, 3, 13, 4}, at::kDouble).requires_grad_();
  const attn::AttentionResult r = attn::attention(q, k, v);
  expect((r.entropy - std::log(13.0)).abs().max().item<double>() < 1e-12,
         "entropy of equal logits is log N");
  (r.out.sum() + r.lse.sum()).backward();
  expect(q.grad().defined() && q.grad().abs().max().item<double>() > 0, "q has a gradient");
  // Each of 5 queries gives each of 13 values 1/13.
  expect((v.grad() - 5.0 / 13).abs().max().item<double>() < 1e-12, "dV of equal logits is Nq / Nk");
}

void refusal() {
  std::string message;
  try {
    attn::attention(at::zeros({1, 1, 2, 8}), at::zeros({1, 1, 2, 7}), at::zeros({1, 1, 2, 8}));
  } catch (const attn::Error& error) {
    message = error.what();
  }
  expect(message.find('7') != std::string::npos, "a width that differs is refused by its value");
}

}  // namespace

int main() {
  equal_logits();
  refusal();
  return failures != 0;
}
