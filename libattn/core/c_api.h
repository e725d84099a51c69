// What the parts of the C face share: how arguments are checked and errors told. No exception
// leaves.
#pragma once

#include <charconv>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "attn/attn.h"
#include "attn/core.h"
#include "attn/error.h"

namespace attn::c_api {

/// `version` of the structs of this library.
constexpr uint32_t kCallVersion = 1;
/// Larger sizes would overflow products of two of them.
constexpr int64_t kMostSize = int64_t{1} << 31;

inline std::string text(std::string_view value) {
  return std::string(value);
}
inline std::string text(int64_t value) {
  return std::to_string(value);
}
inline std::string text(double value) {
  char digits[40];
  return {digits, std::to_chars(digits, digits + sizeof(digits), value).ptr};
}

/// Throws Error of the joined parts unless `holds`.
template <class... Parts>
void demand(bool holds, const Parts&... parts) {
  if (!holds) throw Error((text(parts) + ...));
}

void demand_size(int64_t value, const char* name, int64_t least = 0);
void demand_type(uint32_t version, int32_t type, const char* init);

/// batch + 1 row numbers that rise from 0 to `rows`.
void check_offsets(const int64_t* offsets, const char* name, int64_t batch, int64_t rows);

/// Sizes of an array by dimension; those that do not count are 1.
struct Extent {
  int64_t batch = 1, head = 1, row = 1, column = 1;
  bool empty() const { return batch == 0 || head == 0 || row == 0 || column == 0; }
};

/// Whether there is anything to write.
inline bool wanted(const attn_array& array, const Extent& n) {
  return array.data != nullptr && !n.empty();
}
/// `n` as an array of sums over batch or heads has it: one entry where the stride is 0, and be it
/// the sum of none.
inline Extent summed(const attn_array& array, Extent n) {
  if (array.batch == 0) n.batch = 1;
  if (array.head == 0) n.head = 1;
  return n;
}

/// read: any strides. write: every element has a place of its own. add: the same, but a stride of 0
/// sums up.
enum class Access { read, write, add };
/// Whether columns must be contiguous.
enum class Columns { contiguous, free };

/// Alignment, addresses and strides of an array, where it is there.
void check_array(const char* name, const attn_array& array, const Extent& n, int32_t type,
                 Access access, Columns columns = Columns::contiguous);

/// The same of a (batch, column) array of bytes that is read.
void check_bytes(const char* name, const uint8_t* data, int64_t batch, int64_t batch_stride,
                 int64_t columns, int64_t column_stride);

void check_threads(int32_t threads);

/// Sets what is there to 0.
void fill_zero(const attn_array& array, const Extent& n, int32_t type);

core::Parallel threads_of(int32_t threads);

/// Keeps the message for attn_error_message; never throws.
attn_status tell(attn_status status, std::string_view message) noexcept;

template <class Work>
attn_status guarded(const Work& work) noexcept {
  try {
    work();
    return ATTN_OK;
  } catch (const Error& error) {
    return tell(ATTN_INVALID, error.what());
  } catch (const std::bad_alloc&) {
    return tell(ATTN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return tell(ATTN_FAILED, error.what());
  } catch (...) {
    return tell(ATTN_FAILED, "unknown failure");
  }
}

/// Calls work with a zero of the type of `type`.
template <class Work>
void with_type(int32_t type, const Work& work) {
  if (type == ATTN_FLOAT32) {
    work(0.0F);
  } else {
    work(0.0);
  }
}

template <class T>
core::View<T> view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head, a.row};
}
template <class T>
core::BiasView<T> bias_view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head, a.row, a.column};
}
template <class T>
core::HeadView<T> head_view(const attn_array& a) {
  return {static_cast<T*>(a.data), a.batch, a.head};
}

}  // namespace attn::c_api
