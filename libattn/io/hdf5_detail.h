// Inside the HDF5 face: handles that close themselves, the mutex, and the library's error stack as
// text.
#pragma once

#include <hdf5.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libattn/io/atomic_file.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_driver.h"

namespace attn::io::h5 {

/// Held during every use of the library. The first one silences the library's own printing.
class Lock {
 public:
  Lock();

 private:
  std::lock_guard<std::recursive_mutex> guard_;
};

/// An HDF5 handle, closed by the function that its kind demands.
class Id {
 public:
  using Close = herr_t (*)(hid_t);
  Id() = default;
  Id(hid_t id, Close close) : id_(id), close_(close) {}
  ~Id() { reset(); }
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;

  bool valid() const { return id_ >= 0; }
  hid_t get() const { return id_; }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }
  hid_t release() { return std::exchange(id_, -1); }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// The innermost description on the library's error stack.
std::string last_failure();

/// IEEE 754 half precision as h5py writes it; HDF5 1.10 has no name for it.
Id half_type();

H5Kind kind_of(hid_t type);

/// Product of the sizes, or an Error that starts with `where` when it does not fit 63 bits.
int64_t element_count(const std::vector<int64_t>& shape, const std::string& where);

template <typename T>
hid_t native_type();
template <>
inline hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
inline hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
inline hid_t native_type<int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
inline hid_t native_type<uint64_t>() {
  return H5T_NATIVE_UINT64;
}
template <>
inline hid_t native_type<int32_t>() {
  return H5T_NATIVE_INT32;
}
template <>
inline hid_t native_type<uint8_t>() {
  return H5T_NATIVE_UINT8;
}

}  // namespace attn::io::h5

namespace attn::io {

struct Hdf5File::Impl {
  std::filesystem::path path;
  bool sealed = false;            // read files: the whole agrees with its checksum
  std::optional<AtomicFile> out;  // of created files
  h5::WriteState state;           // outlives `file`
  h5::Id file;
  mutable std::set<std::string> known_whole;  // datasets whose chunks were found all written

  ~Impl();

  std::string where(std::string_view what,
                    const std::string& name) const;  // "x.h5: dataset features"
  [[noreturn]] void fail_read(std::string_view what, const std::string& name) const;
  /// Throws unless the library's call `succeeded` and all it wrote reached the disk.
  void demand_success(bool succeeded) const;
  void demand_writable() const;

  bool link_exists(const std::string& name) const;
  h5::Id open_object(const std::string& name) const;
  h5::Id open_dataset(const std::string& name) const;
  std::vector<std::string> children(const std::string& group, H5O_type_t type) const;
  void make_group(const std::string& name);
  void put_attribute(const std::string& object, const std::string& name, hid_t stored, hid_t memory,
                     hid_t space, const void* values);
  H5Dataset describe(const h5::Id& dataset, const std::string& name) const;
  void demand_written(const h5::Id& dataset, const H5Dataset& info, const std::string& name) const;
};

/// The last part of a path inside a file, and what precedes it ("" for the root).
inline std::pair<std::string, std::string> split_name(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

}  // namespace attn::io
