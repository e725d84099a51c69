// Datasets: description, and reading with conversion and checks.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "attn/error.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_detail.h"
#include "libattn/io/memory.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

void demand_memory(int64_t count, std::size_t element, const std::string& where) {
  const double wanted = static_cast<double>(count) * static_cast<double>(element);
  const auto there = static_cast<double>(physical_memory());
  if (wanted > there)
    throw Error(where + ": reading it needs " + size_text(wanted) +
                " of memory, this machine has " + size_text(there));
}

/// IEEE half to single, exact.
float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16U;
  const uint32_t exponent = (half >> 10U) & 31U;
  const uint32_t mantissa = half & 1023U;
  if (exponent == 0) {
    const float tiny = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -tiny : tiny;
  }
  const uint32_t biased = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (biased << 23U) | (mantissa << 13U));
}

/// The rows to read: file and memory dataspaces, and how many elements.
struct Selection {
  h5::Id file;
  h5::Id memory;
  int64_t count = 0;
};

Selection select(const h5::Id& dataset, const H5Dataset& info, int64_t first, int64_t rows,
                 const std::string& where) {
  Selection selection;
  selection.file = h5::Id(H5Dget_space(dataset.get()), H5Sclose);
  std::vector<int64_t> shape = info.shape;
  if (!shape.empty()) {
    if (first < 0 || rows < 0 || first > shape[0] - rows)
      throw std::out_of_range(where + ": rows outside the dataset were asked for");
    shape[0] = rows;
    std::vector<hsize_t> start(shape.size(), 0);
    start[0] = static_cast<hsize_t>(first);
    const std::vector<hsize_t> count(shape.begin(), shape.end());
    H5Sselect_hyperslab(selection.file.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                        nullptr);
  }
  selection.count = h5::element_count(shape, where);
  const auto flat = static_cast<hsize_t>(selection.count);
  selection.memory = h5::Id(H5Screate_simple(1, &flat, nullptr), H5Sclose);
  return selection;
}

template <typename T>
std::vector<T> read_as(const h5::Id& dataset, hid_t type, const Selection& selection, bool& good) {
  std::vector<T> values(static_cast<std::size_t>(selection.count));
  good = selection.count == 0 || H5Dread(dataset.get(), type, selection.memory.get(),
                                         selection.file.get(), H5P_DEFAULT, values.data()) >= 0;
  return values;
}

/// Integers of another width: every value must fit T.
template <typename T, typename Wide>
std::vector<T> narrowed(const std::vector<Wide>& wide, const std::string& where) {
  std::vector<T> values(wide.size());
  for (std::size_t i = 0; i < wide.size(); ++i) {
    if (!std::in_range<T>(wide[i]))
      throw Error(where + ": the value " + std::to_string(wide[i]) + " is out of range; expected " +
                  std::to_string(std::numeric_limits<T>::min()) + " to " +
                  std::to_string(std::numeric_limits<T>::max()));
    values[i] = static_cast<T>(wide[i]);
  }
  return values;
}

template <typename T>
std::vector<T> read_selection(const h5::Id& dataset, const H5Dataset& info,
                              const Selection& selection, const std::string& where, bool& good) {
  const h5::Id type(H5Dget_type(dataset.get()), H5Tclose);
  if constexpr (std::is_floating_point_v<T>) {
    if (info.kind != H5Kind::real && info.kind != H5Kind::integer)
      throw Error(where + ": expected numbers, found " + info.describe());
    if (info.kind == H5Kind::real && H5Tequal(type.get(), h5::half_type().get()) > 0) {
      // The library's own conversion of half precision is many times slower.
      const std::vector<uint16_t> halves = read_as<uint16_t>(dataset, type.get(), selection, good);
      std::vector<T> values(halves.size());
      std::transform(halves.begin(), halves.end(), values.begin(),
                     [](uint16_t half) { return static_cast<T>(from_half(half)); });
      return values;
    }
    return read_as<T>(dataset, h5::native_type<T>(), selection, good);
  } else {
    if (info.kind == H5Kind::boolean) {
      const std::vector<uint8_t> flags = read_as<uint8_t>(dataset, type.get(), selection, good);
      return {flags.begin(), flags.end()};
    }
    if (info.kind != H5Kind::integer)
      throw Error(where + ": expected whole numbers, found " + info.describe());
    const bool same = info.is_signed == std::is_signed_v<T> && info.element_bytes <= sizeof(T);
    const bool wider = !info.is_signed && info.element_bytes < sizeof(T);
    if (same || wider) return read_as<T>(dataset, h5::native_type<T>(), selection, good);
    if (info.is_signed)
      return narrowed<T>(read_as<int64_t>(dataset, H5T_NATIVE_INT64, selection, good), where);
    return narrowed<T>(read_as<uint64_t>(dataset, H5T_NATIVE_UINT64, selection, good), where);
  }
}

template <typename T>
int64_t first_nonfinite(std::span<const T> values, int64_t columns) {
  const auto bad =
      std::find_if(values.begin(), values.end(), [](T value) { return !std::isfinite(value); });
  return bad == values.end() ? -1 : (bad - values.begin()) / std::max<int64_t>(columns, 1);
}

}  // namespace

int64_t h5::element_count(const std::vector<int64_t>& shape, const std::string& where) {
  int64_t count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count))
      throw Error(where + ": its shape " + shape_text(shape) +
                  " is impossible; the file is damaged");
  return count;
}

std::string H5Dataset::describe() const {
  const std::string bits = std::to_string(element_bytes * 8);
  std::string text = "data of another type";
  if (kind == H5Kind::real) text = "float" + bits;
  if (kind == H5Kind::integer) text = (is_signed ? "int" : "uint") + bits;
  if (kind == H5Kind::boolean) text = "bool";
  if (kind == H5Kind::string) text = "text";
  return text + " " + shape_text(shape);
}

h5::Id Hdf5File::Impl::open_dataset(const std::string& name) const {
  if (!link_exists(name)) {
    const auto [parent, leaf] = split_name(name);
    const std::vector<std::string> names =
        link_exists(parent) ? children(parent, H5O_TYPE_DATASET) : std::vector<std::string>();
    throw Error(path.string() + ": there is no dataset " + quote_text(name, 80) +
                " (found: " + list_names(names) + ")" + did_you_mean(leaf, names));
  }
  H5O_info_t info;
  if (H5Oget_info_by_name2(file.get(), name.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
    fail_read("dataset", name);
  if (info.type != H5O_TYPE_DATASET)
    throw Error(path.string() + ": expected a dataset at " + quote_text(name, 80) +
                ", found a group");
  h5::Id id(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!id.valid()) fail_read("dataset", name);
  return id;
}

H5Dataset Hdf5File::Impl::describe(const h5::Id& dataset, const std::string& name) const {
  const h5::Id type(H5Dget_type(dataset.get()), H5Tclose);
  const h5::Id space(H5Dget_space(dataset.get()), H5Sclose);
  const int rank = space.valid() ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (!type.valid() || rank < 0) fail_read("dataset", name);
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL)
    throw Error(where("dataset", name) + ": it holds no data (a null dataset)");
  H5Dataset info;
  info.kind = h5::kind_of(type.get());
  info.element_bytes = H5Tget_size(type.get());
  info.is_signed = info.kind != H5Kind::integer || H5Tget_sign(type.get()) != H5T_SGN_NONE;
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr) < 0)
    fail_read("dataset", name);
  for (const hsize_t size : sizes) {
    if (!std::in_range<int64_t>(size))
      throw Error(where("dataset", name) + ": a dimension is impossible; the file is damaged");
    info.shape.push_back(static_cast<int64_t>(size));
  }
  return info;
}

/// Data that were never written read as zeros: the mark of a program that was stopped half-way.
void Hdf5File::Impl::demand_written(const h5::Id& dataset, const H5Dataset& info,
                                    const std::string& name) const {
  if (out || known_whole.count(name) > 0) return;
  const std::string place = where("dataset", name);
  if (h5::element_count(info.shape, place) > 0) {
    const h5::Id properties(H5Dget_create_plist(dataset.get()), H5Pclose);
    const H5D_layout_t layout = H5Pget_layout(properties.get());
    if (layout == H5D_CONTIGUOUS && H5Pget_external_count(properties.get()) == 0 &&
        H5Dget_storage_size(dataset.get()) == 0)
      throw Error(place + ": its " + info.describe() +
                  " were never written; the program that made the file was stopped half-way");
    if (layout == H5D_CHUNKED) {
      std::vector<hsize_t> chunk(info.shape.size(), 1);
      H5Pget_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data());
      const h5::Id space(H5Dget_space(dataset.get()), H5Sclose);
      hsize_t there = 0;
      if (H5Dget_num_chunks(dataset.get(), space.get(), &there) < 0) fail_read("dataset", name);
      double expected = 1;
      for (std::size_t i = 0; i < chunk.size(); ++i)
        expected *= std::ceil(static_cast<double>(info.shape[i]) /
                              static_cast<double>(std::max<hsize_t>(chunk[i], 1)));
      if (static_cast<double>(there) < expected)
        throw Error(place + ": only " + std::to_string(there) + " of its " + number_text(expected) +
                    " chunks were written; the program that made the file was stopped half-way");
    }
  }
  known_whole.insert(name);
}

H5Dataset Hdf5File::dataset(const std::string& name) const {
  const h5::Lock lock;
  return impl_->describe(impl_->open_dataset(name), name);
}

template <typename T>
std::vector<T> Hdf5File::read(const std::string& name, int rank) const {
  const h5::Lock lock;
  const H5Dataset info = dataset(name);
  if (rank >= 0 && info.shape.size() != static_cast<std::size_t>(rank))
    throw Error(impl_->where("dataset", name) + ": expected " + std::to_string(rank) +
                " dimensions, found " + info.describe());
  return read_rows<T>(name, 0, info.shape.empty() ? 1 : info.shape[0]);
}

template <typename T>
std::vector<T> Hdf5File::read_rows(const std::string& name, int64_t first, int64_t count) const {
  const h5::Lock lock;
  const h5::Id dataset = impl_->open_dataset(name);
  const H5Dataset info = impl_->describe(dataset, name);
  const std::string where = impl_->where("dataset", name);
  impl_->demand_written(dataset, info, name);
  const Selection selection = select(dataset, info, first, count, where);
  demand_memory(selection.count, std::max(sizeof(T), info.element_bytes), where);
  bool good = true;
  std::vector<T> values = read_selection<T>(dataset, info, selection, where, good);
  if (!good) impl_->fail_read("dataset", name);
  return values;
}

#define ATTN_H5_TYPE(T)                                                     \
  template std::vector<T> Hdf5File::read<T>(const std::string&, int) const; \
  template std::vector<T> Hdf5File::read_rows<T>(const std::string&, int64_t, int64_t) const;
ATTN_H5_TYPE(float)
ATTN_H5_TYPE(double)
ATTN_H5_TYPE(int64_t)
ATTN_H5_TYPE(int32_t)
ATTN_H5_TYPE(uint8_t)
#undef ATTN_H5_TYPE

int64_t first_nonfinite_row(std::span<const float> values, int64_t columns) {
  return first_nonfinite(values, columns);
}
int64_t first_nonfinite_row(std::span<const double> values, int64_t columns) {
  return first_nonfinite(values, columns);
}

}  // namespace attn::io
