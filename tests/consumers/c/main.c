/* C99: attention of equal logits, its gradient against finite differences, and a refusal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attn/attn.h"
#include "attn/version.h"

enum { kKeys = 7, kWidth = 4 };

static int failures = 0;

static void expect(int holds, const char* what) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "FAILED: %s (last error: %s)\n", what, attn_error_message());
}

/* One head, kKeys queries and keys. */
static attn_attention call_of(double* q, double* k, double* v) {
  attn_attention call = attn_attention_init();
  call.type = ATTN_FLOAT64;
  call.batch = call.heads = 1;
  call.nq = call.nk = kKeys;
  call.d = call.dv = kWidth;
  call.q = attn_contiguous(q, 1, kKeys, kWidth);
  call.k = attn_contiguous(k, 1, kKeys, kWidth);
  call.v = attn_contiguous(v, 1, kKeys, kWidth);
  return call;
}

static void fill(double* x, double step) {
  for (int i = 0; i < kKeys * kWidth; ++i) x[i] = sin(1 + i * step);
}

static void equal_logits(void) {
  double q[kKeys * kWidth] = {0}, k[kKeys * kWidth], v[kKeys * kWidth];
  double out[kKeys * kWidth], lse[kKeys], entropy[kKeys];
  fill(k, 0.7);
  fill(v, 1.3);
  attn_attention call = call_of(q, k, v);
  call.out = attn_contiguous(out, 1, kKeys, kWidth);
  call.lse = attn_contiguous(lse, 1, kKeys, 1);
  call.entropy = attn_contiguous(entropy, 1, kKeys, 1);
  expect(attn_attention_forward(&call) == ATTN_OK, "forward");
  double mean = 0;
  for (int j = 0; j < kKeys; ++j) mean += v[j * kWidth] / kKeys;
  for (int i = 0; i < kKeys; ++i) {
    expect(fabs(entropy[i] - log(kKeys)) < 1e-12, "entropy of equal logits is log N");
    expect(fabs(lse[i] - log(kKeys)) < 1e-12, "log-sum-exp of zeros is log N");
    expect(fabs(out[i * kWidth] - mean) < 1e-12, "output of equal logits is the mean");
  }
}

/* The sum of all entropies. */
static double total_entropy(double* q, double* k, double* v) {
  double entropy[kKeys], total = 0;
  attn_attention call = call_of(q, k, v);
  call.causal = ATTN_CAUSAL_TOP_LEFT;
  call.entropy = attn_contiguous(entropy, 1, kKeys, 1);
  expect(attn_attention_forward(&call) == ATTN_OK, "forward, entropy alone");
  for (int i = 0; i < kKeys; ++i) total += entropy[i];
  return total;
}

static void gradient(void) {
  double q[kKeys * kWidth], k[kKeys * kWidth], v[kKeys * kWidth], dq[kKeys * kWidth];
  double lse[kKeys], tail[kKeys], entropy[kKeys], ones[kKeys], largest = 0;
  fill(q, 0.9);
  fill(k, 0.7);
  fill(v, 1.3);
  for (int i = 0; i < kKeys; ++i) ones[i] = 1;
  attn_attention call = call_of(q, k, v);
  call.causal = ATTN_CAUSAL_TOP_LEFT;
  call.lse = attn_contiguous(lse, 1, kKeys, 1);
  call.lse_tail = attn_contiguous(tail, 1, kKeys, 1);
  call.entropy = attn_contiguous(entropy, 1, kKeys, 1);
  expect(attn_attention_forward(&call) == ATTN_OK, "forward, all statistics");
  attn_attention_gradient wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.dentropy = attn_contiguous(ones, 1, kKeys, 1);
  wanted.dq = attn_contiguous(dq, 1, kKeys, kWidth);
  expect(attn_attention_backward(&call, &wanted) == ATTN_OK, "backward");
  for (int i = 0; i < kKeys * kWidth; ++i) {
    const double step = 1e-5, at = q[i];
    q[i] = at + step;
    const double more = total_entropy(q, k, v);
    q[i] = at - step;
    const double less = total_entropy(q, k, v);
    q[i] = at;
    expect(fabs(dq[i] - (more - less) / (2 * step)) < 1e-8, "dq is the finite difference");
    largest = fmax(largest, fabs(dq[i]));
  }
  expect(largest > 1e-3, "the gradient is not zero");
}

static void refusal(void) {
  double x[kKeys * kWidth] = {0};
  attn_attention call = call_of(x, x, x);
  call.d = 0;
  expect(attn_attention_forward(&call) == ATTN_INVALID, "d = 0 is refused");
  expect(strstr(attn_error_message(), "d is 0") != NULL, "the message names d and the value found");
  expect(attn_attention_forward(NULL) == ATTN_INVALID, "NULL is refused");
}

int main(void) {
  expect(strcmp(attn_version(), ATTN_VERSION_TEXT) == 0, "library and headers are of one version");
  expect(strlen(attn_simd()) > 0, "the instruction set is named");
  equal_logits();
  gradient();
  refusal();
  if (failures == 0) printf("libattn_core %s on %s\n", attn_version(), attn_simd());
  return failures != 0;
}
