/* Attention with entropy for C: plain pointers, sizes and strides. No LibTorch.
 *
 *   attn_attention call = attn_attention_init();
 *   call.batch = 1, call.heads = 8, call.nq = call.nk = 1024, call.d = call.dv = 64;
 *   call.q = attn_contiguous(q, 8, 1024, 64);   ... k, v, out, entropy likewise
 *   if (attn_attention_forward(&call) != ATTN_OK) fprintf(stderr, "%s\n", attn_error_message());
 *
 * Equations, shapes and sources: attn/core.h. Every function may be called from several threads at
 * once; none keeps a pointer. Nothing is written when an argument is refused (ATTN_INVALID); after
 * another error what was to be written holds nothing of use. What is written overlaps nothing else.
 * From C++: attn/span.h. */
#ifndef ATTN_ATTN_H_
#define ATTN_ATTN_H_

#include <stddef.h>
#include <stdint.h>

#include "attn/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a function returns. */
typedef enum attn_status {
  ATTN_OK = 0,
  ATTN_INVALID = 1, /* an argument does not fit: attn_error_message names it */
  ATTN_OUT_OF_MEMORY = 2,
  ATTN_FAILED = 3
} attn_status;

/* Of this thread's last call that returned other than ATTN_OK: one sentence. Never NULL; valid
 * until the thread's next call. */
ATTN_PUBLIC const char* attn_error_message(void);

/* "0.1.0", and the SIMD instruction set that is used ("AVX2"). */
ATTN_PUBLIC const char* attn_version(void);
ATTN_PUBLIC const char* attn_simd(void);

typedef enum attn_type { ATTN_FLOAT32 = 0, ATTN_FLOAT64 = 1 } attn_type;
typedef enum attn_causal {
  ATTN_CAUSAL_NONE = 0,
  ATTN_CAUSAL_TOP_LEFT = 1,
  ATTN_CAUSAL_BOTTOM_RIGHT = 2
} attn_causal;
typedef enum attn_align { ATTN_ALIGN_BOTTOM_RIGHT = 0, ATTN_ALIGN_TOP_LEFT = 1 } attn_align;

/* A strided array, strides in elements. Matrices: (batch, head, row, column), columns contiguous
 * (column = 1) but in bias. A number a row: column does not count. A number a head: row and column
 * do not. Arrays that are read may have strides of 0 and below. NULL data: absent. */
typedef struct attn_array {
  void* data;
  int64_t batch, head, row, column;
} attn_array;

/* A contiguous (batch, heads, rows, columns) array; columns 1 for a number a row. */
ATTN_PUBLIC attn_array attn_contiguous(void* data, int64_t heads, int64_t rows, int64_t columns);

/* One call. Begin with attn_attention_init(), which sets every default. */
typedef struct attn_attention {
  uint32_t version;               /* set by attn_attention_init */
  int32_t type;                   /* attn_type of all arrays */
  int64_t batch, heads, kv_heads; /* kv_heads divides heads; 0: as many */
  int64_t nq, nk, d, dv;
  /* Packed sequences: batch + 1 row numbers each, rising from 0 to nq (nk); both or neither. */
  const int64_t *q_offsets, *k_offsets;
  attn_array q, k, v;      /* read; v may be absent in forward where out is not wanted */
  attn_array bias;         /* (batch,heads,nq,nk) added to the logits; strides may be 0 */
  const uint8_t* key_mask; /* (batch,nk) by strides, non-zero = visible */
  int64_t key_mask_batch, key_mask_column;
  attn_array slopes, sink;           /* a number a head; strides may be 0 */
  double scale;                      /* NaN: 1 / sqrt(d) */
  int32_t causal, align;             /* attn_causal, attn_align */
  int64_t window_left, window_right; /* negative: no limit */
  double softcap, dropout;           /* 0: none */
  uint64_t dropout_seed;
  uint32_t dropout_offset;
  int32_t threads; /* 0: one for each core */
  /* Written by forward, each on request; read by backward: lse and lse_tail, out where dout is
   * given, entropy where dentropy is. */
  attn_array out, lse, lse_tail, entropy, row_max, column_mass;
} attn_attention;

ATTN_PUBLIC attn_attention attn_attention_init(void);
ATTN_PUBLIC attn_status attn_attention_forward(const attn_attention* call);

/* Gradients: coming in (NULL data: zero), and wanted (NULL data: not). dbias is added to and must
 * be zeroed by the caller; a stride of 0 sums over that dimension, in dslopes and dsink as well,
 * which have an element there, 0, even where the dimension is empty. */
typedef struct attn_attention_gradient {
  attn_array dout, dlse, dentropy, dcolumn_mass;
  attn_array dq, dk, dv, dbias, dslopes, dsink;
} attn_attention_gradient;
ATTN_PUBLIC attn_status attn_attention_backward(const attn_attention* call,
                                                const attn_attention_gradient* gradient);

/* Results of the same queries over disjoint keys to those over all of them (attention_merge of
 * attn/core.h). out (batch,heads,nq,dv), the others (batch,heads,nq). */
typedef struct attn_part {
  attn_array out, lse, lse_tail, entropy, row_max;
} attn_part;

/* Begin with attn_merge_init(). Every part has lse, and what else is wanted of `merged` but
 * lse_tail, which counts where it is there. */
typedef struct attn_merge {
  uint32_t version; /* set by attn_merge_init */
  int32_t type;     /* attn_type of all arrays */
  int64_t batch, heads, nq, dv;
  int64_t parts_count; /* at least 1 */
  const attn_part* parts;
  attn_part merged; /* written by forward, each on request; read by backward as below */
  int32_t threads;  /* 0: one for each core */
} attn_merge;
ATTN_PUBLIC attn_merge attn_merge_init(void);
ATTN_PUBLIC attn_status attn_merge_forward(const attn_merge* call);

/* Gradients coming in (NULL data: zero), and wanted of each part, parts_count of them (NULL data:
 * not): of an attn_part, out, lse and entropy. For the gradient of lse, backward reads out of all
 * parts and of `merged` where dout is given, entropy where dentropy is. */
typedef struct attn_merge_gradient {
  attn_array dout, dlse, dentropy;
  const attn_part* parts;
} attn_merge_gradient;
ATTN_PUBLIC attn_status attn_merge_backward(const attn_merge* call,
                                            const attn_merge_gradient* gradient);

/* Attention pooling of packed bags (pool_forward of attn/core.h): bag b is rows offsets[b] ...
 * offsets[b + 1] - 1 of scores (rows,heads) and values (rows,d). Begin with attn_pool_init(). */
typedef struct attn_pool {
  uint32_t version; /* set by attn_pool_init */
  int32_t type;     /* attn_type of all arrays */
  int64_t bags, rows, heads, d;
  const int64_t* offsets; /* bags + 1, rising from 0 to rows */
  const void *scores, *values;
  int64_t scores_row, values_row; /* elements from row to row; 0: contiguous */
  /* Written by forward, contiguous, each on request (NULL: not): out (bags,heads,d), the others
   * (bags,heads). Read by backward: lse and lse_tail, out where dout is given, entropy where
   * dentropy is. */
  void *out, *lse, *lse_tail, *entropy;
  int32_t threads; /* 0: one for each core */
} attn_pool;
ATTN_PUBLIC attn_pool attn_pool_init(void);
ATTN_PUBLIC attn_status attn_pool_forward(const attn_pool* call);

/* Coming in, as forward's outputs (NULL: zero); wanted (NULL: not), contiguous: dscores
 * (rows,heads), dvalues (rows,d). */
typedef struct attn_pool_gradient {
  const void *dout, *dlse, *dentropy;
  void *dscores, *dvalues;
} attn_pool_gradient;
ATTN_PUBLIC attn_status attn_pool_backward(const attn_pool* call,
                                           const attn_pool_gradient* gradient);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_ATTN_H_ */
