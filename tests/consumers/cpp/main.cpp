// The core from C++, without LibTorch: attention of equal logits by pointers and by spans, its
// gradient, threads, and errors that cross the library's border.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "attn/attn.h"
#include "attn/core.h"
#include "attn/error.h"
#include "attn/span.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s\n", what);
}

constexpr int64_t kKeys = 11, kWidth = 5;

attn::core::View<float> rows(std::vector<float>& x, int64_t width) {
  return {x.data(), 0, 0, width};
}
attn::core::View<const float> rows(const std::vector<float>& x, int64_t width) {
  return {x.data(), 0, 0, width};
}

void equal_logits(int threads) {
  const std::vector<float> q(kKeys * kWidth, 0.0f), k(kKeys * kWidth, 2.0f);
  std::vector<float> v(kKeys * kWidth), out(v), dv(v), entropy(kKeys), lse(entropy), tail(entropy);
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  attn::core::AttentionInput<float> in;
  in.batch = in.heads = 1, in.nq = in.nk = kKeys, in.d = in.dv = kWidth;
  in.q = rows(q, kWidth), in.k = rows(k, kWidth), in.v = rows(std::as_const(v), kWidth);
  attn::core::AttentionOutput<float> saved;
  saved.out = rows(out, kWidth), saved.entropy = rows(entropy, 1);
  saved.lse = rows(lse, 1), saved.lse_tail = rows(tail, 1);
  attn::core::Parallel parallel;
  parallel.threads = threads;
  attn::core::attention_forward(in, saved, parallel);
  for (const float h : entropy)
    expect(std::abs(h - std::log(float{kKeys})) < 1e-6f, "entropy of equal logits is log N");

  const std::vector<float> ones(kKeys * kWidth, 1.0f);
  attn::core::AttentionGradient<float> gradient;
  gradient.dout = rows(ones, kWidth), gradient.dv = rows(dv, kWidth);
  attn::core::attention_backward(in, saved, gradient, parallel);
  for (const float g : dv) expect(std::abs(g - 1) < 1e-6f, "dV of equal logits is 1");
}

void spans() {
  std::vector<double> q(2 * 5 * 4), k(2 * 13 * 4, 1.0), out(q.size()), entropy(2 * 5);
  const attn::spans::Sizes sizes{.heads = 2, .nq = 5, .nk = 13, .d = 4, .dv = 4};
  attn::spans::forward<double>(sizes, {.q = q, .k = k, .v = k}, {.out = out, .entropy = entropy});
  for (const double h : entropy)
    expect(std::abs(h - std::log(13.0)) < 1e-12, "entropy of equal logits is log N, by spans");
  q.pop_back();
  std::string message;
  try {
    attn::spans::forward<double>(sizes, {.q = q, .k = k, .v = k}, {.out = out});
  } catch (const attn::Error& error) {
    message = error.what();
  }
  expect(message.find("39") != std::string::npos,
         "a span that is too short is refused by its size");
}

void error_of_the_library() {
  bool caught = false;
  try {
    attn::core::force_simd_target("no such instruction set");
  } catch (const attn::Error& error) {
    caught = std::string(error.what()).find("no such instruction set") != std::string::npos;
  }
  expect(caught, "attn::Error is caught as such, and names the value found");
}

}  // namespace

int main() {
  equal_logits(1);
  equal_logits(3);
  spans();
  error_of_the_library();
  const std::vector<std::string> targets = attn::core::simd_targets();
  expect(std::find(targets.begin(), targets.end(), attn::core::simd_target()) != targets.end(),
         "the instruction set in use is one of those there are");
  expect(attn::core::simd_target() == attn_simd(), "C and C++ are of one library");
  return failures != 0;
}
