// The C face: what all of its calls share.
#include "libattn/core/c_api.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "attn/version.h"

namespace attn::c_api {
namespace {

constexpr size_t kMessageSize = 512;
/// A plain array: to keep a message must not need memory, which may be what ran out.
thread_local char last_message[kMessageSize] = "no error";

/// The bytes of size `size` at stride `stride` of a dimension: the offset of its last element.
int64_t reach(const char* name, const char* dimension, int64_t size, int64_t stride) {
  int64_t last = 0;
  demand(!__builtin_mul_overflow(size - 1, stride, &last), name, ": stride ", stride, " of ",
         dimension, " reaches beyond the address space at size ", size);
  return last;
}

struct Dimension {
  const char* name;
  int64_t size, stride;
};

void check_addresses(const char* name, const void* data, const Dimension* dimensions,
                     int64_t item) {
  int64_t low = 0, high = 0;
  bool fits = true;
  for (const Dimension* d = dimensions; d < dimensions + 4; ++d) {
    const int64_t last = reach(name, d->name, d->size, d->stride);
    int64_t& end = last < 0 ? low : high;
    fits = fits && !__builtin_add_overflow(end, last, &end);
  }
  fits = fits && !__builtin_mul_overflow(low, item, &low) &&
         !__builtin_mul_overflow(high, item, &high) && high <= INT64_MAX - item;
  const auto base = reinterpret_cast<uintptr_t>(data);
  fits = fits && static_cast<uint64_t>(-(low + 1)) + 1 <= base &&
         static_cast<uint64_t>(high + item) <= UINTPTR_MAX - base;
  demand(fits, name, ": its strides reach beyond the address space");
}

/// Sorted by stride, each dimension must step over all that the ones below it cover.
void check_places(const char* name, Dimension* dimensions, Access access) {
  std::stable_sort(dimensions, dimensions + 4,
                   [](const Dimension& a, const Dimension& b) { return a.stride < b.stride; });
  int64_t covered = 1;
  for (const Dimension* d = dimensions; d < dimensions + 4; ++d) {
    if (d->size == 1 || (access == Access::add && d->stride == 0)) continue;
    demand(d->stride >= covered, name, ": stride ", d->stride, " of ", d->name,
           "; expected at least ", covered, ", so that no two elements share a place");
    covered += (d->size - 1) * d->stride;
  }
}

template <class T>
void fill_zero_as(const attn_array& a, const Extent& n) {
  for (int64_t b = 0; b < n.batch; ++b) {
    for (int64_t h = 0; h < n.head; ++h) {
      for (int64_t r = 0; r < n.row; ++r)
        std::fill_n(static_cast<T*>(a.data) + b * a.batch + h * a.head + r * a.row, n.column, T(0));
    }
  }
}

}  // namespace

void demand_size(int64_t value, const char* name, int64_t least) {
  demand(value >= least && value <= kMostSize, name, " is ", value, "; expected ", least, " to ",
         kMostSize);
}

void demand_type(uint32_t version, int32_t type, const char* init) {
  demand(version == kCallVersion, "version is ", int64_t{version}, "; expected ",
         int64_t{kCallVersion}, ", as ", init, " of this library sets it");
  demand(type == ATTN_FLOAT32 || type == ATTN_FLOAT64, "type is ", int64_t{type},
         "; expected ATTN_FLOAT32 or ATTN_FLOAT64");
}

void check_offsets(const int64_t* offsets, const char* name, int64_t batch, int64_t rows) {
  demand(reinterpret_cast<uintptr_t>(offsets) % alignof(int64_t) == 0, name, " is not aligned to ",
         int64_t{alignof(int64_t)}, " bytes");
  demand(offsets[0] == 0, name, "[0] is ", offsets[0], "; expected 0");
  for (int64_t b = 0; b < batch; ++b) {
    demand(offsets[b + 1] >= offsets[b], name, " falls from ", offsets[b], " to ", offsets[b + 1],
           " at ", b + 1, "; it must never fall");
  }
  demand(offsets[batch] == rows, name, " ends at ", offsets[batch], "; expected ", rows);
}

void check_array(const char* name, const attn_array& array, const Extent& n, int32_t type,
                 Access access, Columns columns) {
  if (array.data == nullptr || n.empty()) return;
  const int64_t item = type == ATTN_FLOAT32 ? sizeof(float) : sizeof(double);
  demand(reinterpret_cast<uintptr_t>(array.data) % static_cast<uintptr_t>(item) == 0, name,
         ": data is not aligned to ", item, " bytes");
  demand(columns == Columns::free || n.column == 1 || array.column == 1, name, ": column is ",
         array.column, "; expected 1, columns are contiguous");
  Dimension dimensions[] = {{"column", n.column, array.column},
                            {"row", n.row, array.row},
                            {"head", n.head, array.head},
                            {"batch", n.batch, array.batch}};
  check_addresses(name, array.data, dimensions, item);
  if (access != Access::read) check_places(name, dimensions, access);
}

void check_bytes(const char* name, const uint8_t* data, int64_t batch, int64_t batch_stride,
                 int64_t columns, int64_t column_stride) {
  if (data == nullptr || batch == 0 || columns == 0) return;
  const Dimension dimensions[] = {
      {"batch", batch, batch_stride}, {"column", columns, column_stride}, {"", 1, 0}, {"", 1, 0}};
  check_addresses(name, data, dimensions, 1);
}

void check_threads(int32_t threads) {
  demand(threads >= 0 && threads <= 4096, "threads is ", int64_t{threads},
         "; expected 0 (one for each core) to 4096");
}

void fill_zero(const attn_array& array, const Extent& n, int32_t type) {
  if (!wanted(array, n)) return;
  with_type(type, [&](auto zero) { fill_zero_as<decltype(zero)>(array, n); });
}

core::Parallel threads_of(int32_t threads) {
  core::Parallel parallel;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  parallel.threads = threads > 0 ? threads : std::max(cores, 1);
  return parallel;
}

attn_status tell(attn_status status, std::string_view message) noexcept {
  last_message[message.copy(last_message, kMessageSize - 1)] = '\0';
  return status;
}

}  // namespace attn::c_api

extern "C" {

const char* attn_error_message(void) {
  return attn::c_api::last_message;
}

const char* attn_version(void) {
  return ATTN_VERSION_TEXT;
}

const char* attn_simd(void) {
  static const std::string name = attn::core::simd_target();
  return name.c_str();
}

attn_array attn_contiguous(void* data, int64_t heads, int64_t rows, int64_t columns) {
  // Of sizes too large for any array, strides that no call accepts.
  int64_t head = 0, batch = 0;
  if (__builtin_mul_overflow(rows, columns, &head)) head = INT64_MAX;
  if (__builtin_mul_overflow(heads, head, &batch)) batch = INT64_MAX;
  return {data, batch, head, columns, 1};
}

}  // extern "C"
