// The C face: checks, and the kernels behind it. No exception leaves.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <thread>

#include "attn/attn.h"
#include "attn/core.h"
#include "attn/error.h"
#include "attn/version.h"

namespace {

using attn::core::AttentionGradient;
using attn::core::AttentionInput;
using attn::core::AttentionOutput;
using attn::core::BiasView;
using attn::core::HeadView;
using attn::core::View;

constexpr uint32_t kCallVersion = 1;
/// Larger sizes would overflow products of two of them.
constexpr int64_t kMostSize = int64_t{1} << 31;

thread_local std::string last_message = "no error";

struct Refusal {
  std::string message;
};

void demand(bool holds, const std::string& message) {
  if (!holds) throw Refusal{message};
}

void demand_size(int64_t value, const char* name, int64_t least = 0) {
  demand(value >= least && value <= kMostSize, std::string(name) + " is " + std::to_string(value) +
                                                   "; expected " + std::to_string(least) + " to " +
                                                   std::to_string(kMostSize));
}

template <class Work>
attn_status guarded(const Work& work) {
  try {
    work();
    return ATTN_OK;
  } catch (const Refusal& refusal) {
    last_message = refusal.message;
    return ATTN_INVALID;
  } catch (const std::bad_alloc&) {
    last_message = "out of memory";
    return ATTN_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    last_message = error.what();
    return ATTN_FAILED;
  } catch (...) {
    last_message = "unknown failure";
    return ATTN_FAILED;
  }
}

void check_sizes(const attn_attention& c) {
  demand(c.version == kCallVersion, "version is " + std::to_string(c.version) + "; expected " +
                                        std::to_string(kCallVersion) +
                                        ", as attn_attention_init of this library sets it");
  demand(c.type == ATTN_FLOAT32 || c.type == ATTN_FLOAT64,
         "type is " + std::to_string(c.type) + "; expected ATTN_FLOAT32 or ATTN_FLOAT64");
  demand_size(c.batch, "batch");
  demand_size(c.heads, "heads");
  demand_size(c.kv_heads, "kv_heads");
  demand_size(c.nq, "nq");
  demand_size(c.nk, "nk");
  demand_size(c.d, "d", 1);
  demand_size(c.dv, "dv");
  demand(c.kv_heads == 0 || c.heads % c.kv_heads == 0, "kv_heads is " + std::to_string(c.kv_heads) +
                                                           ", which does not divide heads, " +
                                                           std::to_string(c.heads));
}

void check_offsets(const int64_t* offsets, const char* name, int64_t batch, int64_t rows) {
  demand(offsets[0] == 0,
         std::string(name) + "[0] is " + std::to_string(offsets[0]) + "; expected 0");
  for (int64_t b = 0; b < batch; ++b)
    demand(offsets[b + 1] >= offsets[b],
           std::string(name) + " falls at sequence " + std::to_string(b) + "; it must never fall");
  demand(offsets[batch] == rows, std::string(name) + " ends at " + std::to_string(offsets[batch]) +
                                     "; expected " + std::to_string(rows));
}

void check_packing(const attn_attention& c) {
  demand((c.q_offsets == nullptr) == (c.k_offsets == nullptr),
         "q_offsets and k_offsets: one is NULL; packed sequences need both");
  if (c.q_offsets == nullptr) return;
  demand(c.bias.data == nullptr, "bias with packed sequences; expected NULL data");
  demand(c.key_mask == nullptr, "key_mask with packed sequences; expected NULL");
  check_offsets(c.q_offsets, "q_offsets", c.batch, c.nq);
  check_offsets(c.k_offsets, "k_offsets", c.batch, c.nk);
}

void check_numbers(const attn_attention& c) {
  demand(!std::isinf(c.scale), "scale is infinite; expected a number, or NaN for 1 / sqrt(d)");
  demand(c.causal >= ATTN_CAUSAL_NONE && c.causal <= ATTN_CAUSAL_BOTTOM_RIGHT,
         "causal is " + std::to_string(c.causal) + "; expected an attn_causal");
  demand(c.align == ATTN_ALIGN_BOTTOM_RIGHT || c.align == ATTN_ALIGN_TOP_LEFT,
         "align is " + std::to_string(c.align) + "; expected an attn_align");
  demand(c.softcap >= 0 && std::isfinite(c.softcap),
         "softcap is " + std::to_string(c.softcap) + "; expected 0 (none) or more");
  demand(c.dropout >= 0 && c.dropout < 1,
         "dropout is " + std::to_string(c.dropout) + "; expected a number in [0, 1)");
  demand(c.causal == ATTN_CAUSAL_NONE || c.window_right <= 0,
         "window_right is " + std::to_string(c.window_right) +
             " under causality; expected 0, or negative for no limit");
  demand(c.threads >= 0 && c.threads <= 4096,
         "threads is " + std::to_string(c.threads) + "; expected 0 (one for each core) to 4096");
}

void check_arrays(const attn_attention& c) {
  const bool queries = c.batch > 0 && c.heads > 0 && c.nq > 0;
  const bool keys = c.batch > 0 && c.heads > 0 && c.nk > 0;
  demand(!queries || c.q.data != nullptr, "q has NULL data");
  demand(!keys || c.k.data != nullptr, "k has NULL data");
  demand(!keys || c.dv == 0 || c.v.data != nullptr, "v has NULL data");
  demand(c.column_mass.data == nullptr || !queries ||
             (c.lse.data != nullptr && c.lse_tail.data != nullptr),
         "column_mass needs lse and lse_tail; one has NULL data");
}

void check_call(const attn_attention* call) {
  demand(call != nullptr, "call is NULL");
  check_sizes(*call);
  check_packing(*call);
  check_numbers(*call);
  check_arrays(*call);
}

template <class T>
View<T> view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head, a.row};
}
template <class T>
BiasView<T> bias_view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head, a.row, a.column};
}
template <class T>
HeadView<T> head_view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head};
}

template <class T>
AttentionInput<T> input_of(const attn_attention& c) {
  AttentionInput<T> in;
  in.batch = c.batch, in.heads = c.heads, in.kv_heads = c.kv_heads;
  in.nq = c.nq, in.nk = c.nk, in.d = c.d, in.dv = c.dv;
  in.q_offsets = c.q_offsets, in.k_offsets = c.k_offsets;
  in.scale = std::isnan(c.scale) ? 1 / std::sqrt(static_cast<double>(c.d)) : c.scale;
  in.causal = static_cast<attn::core::Causal>(c.causal);
  in.align = static_cast<attn::core::Align>(c.align);
  in.window_left = c.window_left, in.window_right = c.window_right;
  in.q = view<const T>(c.q), in.k = view<const T>(c.k), in.v = view<const T>(c.v);
  in.bias = bias_view<const T>(c.bias);
  in.key_mask = c.key_mask;
  in.key_mask_batch = c.key_mask_batch, in.key_mask_column = c.key_mask_column;
  in.softcap = c.softcap;
  in.slope = head_view<const T>(c.slopes);
  in.sink = head_view<const T>(c.sink);
  in.dropout = c.dropout;
  in.dropout_seed = c.dropout_seed, in.dropout_offset = c.dropout_offset;
  return in;
}

template <class T>
AttentionOutput<T> output_of(const attn_attention& c) {
  return {view<T>(c.out),     view<T>(c.lse),     view<T>(c.lse_tail),
          view<T>(c.entropy), view<T>(c.row_max), view<T>(c.column_mass)};
}

template <class T>
AttentionGradient<T> gradient_of(const attn_attention_gradient& g) {
  AttentionGradient<T> out;
  out.dout = view<const T>(g.dout);
  out.dlse = view<const T>(g.dlse);
  out.dentropy = view<const T>(g.dentropy);
  out.dcolumn_mass = view<const T>(g.dcolumn_mass);
  out.dq = view<T>(g.dq), out.dk = view<T>(g.dk), out.dv = view<T>(g.dv);
  out.dbias = bias_view<T>(g.dbias);
  out.dslope = head_view<T>(g.dslopes);
  out.dsink = head_view<T>(g.dsink);
  return out;
}

attn::core::Parallel threads_of(const attn_attention& c) {
  attn::core::Parallel parallel;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  parallel.threads = c.threads > 0 ? c.threads : std::max(cores, 1);
  return parallel;
}

void check_gradient(const attn_attention& c, const attn_attention_gradient* g) {
  demand(g != nullptr, "gradient is NULL");
  demand(c.nq == 0 || c.batch == 0 || c.heads == 0 ||
             (c.lse.data != nullptr && c.lse_tail.data != nullptr),
         "backward needs lse and lse_tail as forward wrote them; one has NULL data");
  demand(g->dout.data == nullptr || c.out.data != nullptr,
         "dout is given and out has NULL data; backward needs out as forward wrote it");
  demand(g->dentropy.data == nullptr || c.entropy.data != nullptr,
         "dentropy is given and entropy has NULL data; backward needs it as forward wrote it");
  demand(g->dslopes.data == nullptr || c.slopes.data != nullptr,
         "dslopes is wanted and slopes has NULL data");
  demand(g->dsink.data == nullptr || c.sink.data != nullptr,
         "dsink is wanted and sink has NULL data");
  demand(g->dbias.data == nullptr || c.bias.data != nullptr,
         "dbias is wanted and bias has NULL data");
}

}  // namespace

extern "C" {

const char* attn_error_message(void) {
  return last_message.c_str();
}

const char* attn_version(void) {
  return ATTN_VERSION_TEXT;
}

const char* attn_simd(void) {
  static const std::string name = attn::core::simd_target();
  return name.c_str();
}

attn_array attn_contiguous(void* data, int64_t heads, int64_t rows, int64_t columns) {
  return {data, heads * rows * columns, rows * columns, columns, 1};
}

attn_attention attn_attention_init(void) {
  attn_attention call{};
  call.version = kCallVersion;
  call.scale = std::numeric_limits<double>::quiet_NaN();
  call.window_left = call.window_right = -1;
  return call;
}

attn_status attn_attention_forward(const attn_attention* call) {
  return guarded([&] {
    check_call(call);
    if (call->type == ATTN_FLOAT32) {
      attn::core::attention_forward(input_of<float>(*call), output_of<float>(*call),
                                    threads_of(*call));
    } else {
      attn::core::attention_forward(input_of<double>(*call), output_of<double>(*call),
                                    threads_of(*call));
    }
  });
}

attn_status attn_attention_backward(const attn_attention* call,
                                    const attn_attention_gradient* gradient) {
  return guarded([&] {
    check_call(call);
    check_gradient(*call, gradient);
    if (call->type == ATTN_FLOAT32) {
      attn::core::attention_backward(input_of<float>(*call), output_of<float>(*call),
                                     gradient_of<float>(*gradient), threads_of(*call));
    } else {
      attn::core::attention_backward(input_of<double>(*call), output_of<double>(*call),
                                     gradient_of<double>(*gradient), threads_of(*call));
    }
  });
}

}  // extern "C"
