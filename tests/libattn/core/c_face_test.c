/* Compiled as C89: the header is C, and every call answers. */
#include <stddef.h>
#include <string.h>

#include "attn/attn.h"

enum { kKeys = 3, kWidth = 2 };

static int near(double a, double b) {
  const double gap = a - b;
  return gap < 1e-12 && gap > -1e-12;
}

static const char* attention(void) {
  double q[kKeys * kWidth] = {0}, k[kKeys * kWidth], out[kKeys * kWidth];
  double lse[kKeys], tail[kKeys], entropy[kKeys], ones[kKeys], dq[kKeys * kWidth];
  int i;
  attn_attention_gradient gradient;
  attn_attention call = attn_attention_init();
  for (i = 0; i < kKeys * kWidth; ++i) k[i] = i;
  for (i = 0; i < kKeys; ++i) ones[i] = 1;
  call.type = ATTN_FLOAT64;
  call.batch = call.heads = 1;
  call.nq = call.nk = kKeys;
  call.d = call.dv = kWidth;
  call.q = attn_contiguous(q, 1, kKeys, kWidth);
  call.k = call.v = attn_contiguous(k, 1, kKeys, kWidth);
  call.out = attn_contiguous(out, 1, kKeys, kWidth);
  call.lse = attn_contiguous(lse, 1, kKeys, 1);
  call.lse_tail = attn_contiguous(tail, 1, kKeys, 1);
  call.entropy = attn_contiguous(entropy, 1, kKeys, 1);
  if (attn_attention_forward(&call) != ATTN_OK) return attn_error_message();
  if (!near(out[0], 2) || !near(entropy[0], 1.0986122886681098)) return "forward: wrong numbers";
  memset(&gradient, 0, sizeof gradient);
  gradient.dentropy = attn_contiguous(ones, 1, kKeys, 1);
  gradient.dq = attn_contiguous(dq, 1, kKeys, kWidth);
  if (attn_attention_backward(&call, &gradient) != ATTN_OK) return attn_error_message();
  return near(dq[0], 0) ? "" : "backward: entropy at its maximum has a gradient";
}

static const char* merge(void) {
  float lse[2] = {0, 0}, entropy[2] = {0, 0}, merged_entropy, dlse[2], one = 1;
  int s;
  attn_part parts[2], to[2];
  attn_merge_gradient gradient;
  attn_merge call = attn_merge_init();
  memset(parts, 0, sizeof parts);
  memset(to, 0, sizeof to);
  memset(&gradient, 0, sizeof gradient);
  for (s = 0; s < 2; ++s) {
    parts[s].lse = attn_contiguous(lse + s, 1, 1, 1);
    parts[s].entropy = attn_contiguous(entropy + s, 1, 1, 1);
    to[s].lse = attn_contiguous(dlse + s, 1, 1, 1);
  }
  call.batch = call.heads = call.nq = 1;
  call.parts_count = 2;
  call.parts = parts;
  call.merged.entropy = attn_contiguous(&merged_entropy, 1, 1, 1);
  if (attn_merge_forward(&call) != ATTN_OK) return attn_error_message();
  if (merged_entropy < 0.693147 || merged_entropy > 0.693148) return "merge: not log 2";
  gradient.dentropy = attn_contiguous(&one, 1, 1, 1);
  gradient.parts = to;
  if (attn_merge_backward(&call, &gradient) != ATTN_OK) return attn_error_message();
  return dlse[0] < 1e-6 && dlse[0] > -1e-6 ? "" : "merge: a gradient at the maximum";
}

static const char* pool(void) {
  const int64_t offsets[2] = {0, 2};
  const double scores[2] = {0, 0}, values[2] = {1, 3}, one = 1;
  double out, lse, tail, dvalues[2];
  attn_pool_gradient gradient;
  attn_pool call = attn_pool_init();
  call.type = ATTN_FLOAT64;
  call.bags = call.heads = call.d = 1;
  call.rows = 2;
  call.offsets = offsets;
  call.scores = scores;
  call.values = values;
  call.out = &out;
  call.lse = &lse;
  call.lse_tail = &tail;
  if (attn_pool_forward(&call) != ATTN_OK) return attn_error_message();
  if (!near(out, 2)) return "pool: not the mean";
  memset(&gradient, 0, sizeof gradient);
  gradient.dout = &one;
  gradient.dvalues = dvalues;
  if (attn_pool_backward(&call, &gradient) != ATTN_OK) return attn_error_message();
  return near(dvalues[0], 0.5) ? "" : "pool: wrong gradient";
}

const char* attn_test_from_c(void);

/* "" where all holds. */
const char* attn_test_from_c(void) {
  const char* found = attention();
  if (found[0] == '\0') found = merge();
  if (found[0] == '\0') found = pool();
  if (found[0] == '\0' && attn_attention_forward(NULL) != ATTN_INVALID) found = "NULL is taken";
  return found;
}
