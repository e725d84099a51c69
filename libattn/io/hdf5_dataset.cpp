// Datasets: description, reading with conversion and checks, writing.
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

/// Product of the sizes, or an Error where it does not fit 63 bits.
int64_t element_count(const std::vector<int64_t>& shape, const std::string& where) {
  int64_t count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count))
      throw Error(where + ": its shape " + shape_text(shape) +
                  " is impossible; the file is damaged");
  return count;
}

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
  selection.count = element_count(shape, where);
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
h5::Id stored_type(const H5WriteOptions& options) {
  if (options.float16) {
    if (!std::is_floating_point_v<T>)
      throw std::logic_error("Hdf5File::write: float16 needs real numbers");
    return h5::half_type();
  }
  hid_t type = H5T_STD_U8LE;
  if (std::is_same_v<T, float>) type = H5T_IEEE_F32LE;
  if (std::is_same_v<T, double>) type = H5T_IEEE_F64LE;
  if (std::is_same_v<T, int64_t>) type = H5T_STD_I64LE;
  if (std::is_same_v<T, int32_t>) type = H5T_STD_I32LE;
  return {H5Tcopy(type), H5Tclose};
}

/// Creation properties: chunks and filters as asked for, no time stamps.
h5::Id creation_properties(const std::vector<int64_t>& shape, std::size_t element,
                           const H5WriteOptions& options) {
  h5::Id properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties.get(), false);
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  const bool chunks = options.chunk_rows > 0 || options.gzip > 0 || options.unlimited;
  if (!chunks || shape.empty() || (empty && !options.unlimited)) return properties;
  int64_t row = static_cast<int64_t>(element);
  for (std::size_t i = 1; i < shape.size(); ++i) row *= std::max<int64_t>(shape[i], 1);
  int64_t rows =
      options.chunk_rows > 0 ? options.chunk_rows : std::max<int64_t>((256 << 10) / row, 1);
  if (!options.unlimited) rows = std::min(rows, shape[0]);
  std::vector<hsize_t> chunk(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i)
    chunk[i] = static_cast<hsize_t>(std::max<int64_t>(i == 0 ? rows : shape[i], 1));
  H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data());
  if (options.shuffle) H5Pset_shuffle(properties.get());
  if (options.gzip > 0) H5Pset_deflate(properties.get(), static_cast<unsigned>(options.gzip));
  return properties;
}

template <typename T>
int64_t first_nonfinite(std::span<const T> values, int64_t columns) {
  const auto bad =
      std::find_if(values.begin(), values.end(), [](T value) { return !std::isfinite(value); });
  return bad == values.end() ? -1 : (bad - values.begin()) / std::max<int64_t>(columns, 1);
}

}  // namespace

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
  if (element_count(info.shape, place) > 0) {
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

template <typename T>
void Hdf5File::write(const std::string& name, std::span<const T> values,
                     const std::vector<int64_t>& shape, const H5WriteOptions& options) {
  const h5::Lock lock;
  impl_->demand_writable();
  if (element_count(shape, name) != static_cast<int64_t>(values.size()))
    throw std::logic_error("Hdf5File::write: the values of " + name + " do not fill the shape " +
                           shape_text(shape));
  if (impl_->link_exists(name))
    throw std::logic_error("Hdf5File::write: " + name + " exists already");
  impl_->make_group(split_name(name).first);
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  std::vector<hsize_t> most = sizes;
  if (options.unlimited && !most.empty()) most[0] = H5S_UNLIMITED;
  const h5::Id space(
      sizes.empty() ? H5Screate(H5S_SCALAR)
                    : H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), most.data()),
      H5Sclose);
  const h5::Id properties = creation_properties(shape, sizeof(T), options);
  const h5::Id type = stored_type<T>(options);
  const h5::Id dataset(H5Dcreate2(impl_->file.get(), name.c_str(), type.get(), space.get(),
                                  H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                       H5Dclose);
  impl_->demand_success(dataset.valid());
  if (values.empty()) return;
  impl_->demand_success(H5Dwrite(dataset.get(), h5::native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                 values.data()) >= 0);
}

template <typename T>
void Hdf5File::append_rows(const std::string& name, std::span<const T> values) {
  const h5::Lock lock;
  impl_->demand_writable();
  const h5::Id dataset = impl_->open_dataset(name);
  const H5Dataset info = impl_->describe(dataset, name);
  if (info.shape.empty()) throw std::logic_error("Hdf5File::append_rows: " + name + " has no rows");
  const int64_t row = element_count({info.shape.begin() + 1, info.shape.end()}, name);
  if (row == 0 || static_cast<int64_t>(values.size()) % row != 0)
    throw std::logic_error("Hdf5File::append_rows: the values of " + name + " are no whole rows");
  if (values.empty()) return;
  const int64_t added = static_cast<int64_t>(values.size()) / row;
  std::vector<hsize_t> sizes(info.shape.begin(), info.shape.end());
  std::vector<hsize_t> start(sizes.size(), 0);
  start[0] = sizes[0];
  sizes[0] += static_cast<hsize_t>(added);
  if (H5Dset_extent(dataset.get(), sizes.data()) < 0)
    throw std::logic_error("Hdf5File::append_rows: " + name + " cannot grow");
  const h5::Id file_space(H5Dget_space(dataset.get()), H5Sclose);
  sizes[0] = static_cast<hsize_t>(added);
  H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, sizes.data(),
                      nullptr);
  const h5::Id memory(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr),
                      H5Sclose);
  impl_->demand_success(H5Dwrite(dataset.get(), h5::native_type<T>(), memory.get(),
                                 file_space.get(), H5P_DEFAULT, values.data()) >= 0);
}

#define ATTN_H5_TYPE(T)                                                                       \
  template std::vector<T> Hdf5File::read<T>(const std::string&, int) const;                   \
  template std::vector<T> Hdf5File::read_rows<T>(const std::string&, int64_t, int64_t) const; \
  template void Hdf5File::write<T>(const std::string&, std::span<const T>,                    \
                                   const std::vector<int64_t>&, const H5WriteOptions&);       \
  template void Hdf5File::append_rows<T>(const std::string&, std::span<const T>);
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
