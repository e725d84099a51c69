// Datasets: creating, writing and growing them.
#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

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

}  // namespace

template <typename T>
void Hdf5File::write(const std::string& name, std::span<const T> values,
                     const std::vector<int64_t>& shape, const H5WriteOptions& options) {
  const h5::Lock lock;
  impl_->demand_writable();
  if (h5::element_count(shape, name) != static_cast<int64_t>(values.size()))
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
  const int64_t row = h5::element_count({info.shape.begin() + 1, info.shape.end()}, name);
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

#define ATTN_H5_TYPE(T)                                                                 \
  template void Hdf5File::write<T>(const std::string&, std::span<const T>,              \
                                   const std::vector<int64_t>&, const H5WriteOptions&); \
  template void Hdf5File::append_rows<T>(const std::string&, std::span<const T>);
ATTN_H5_TYPE(float)
ATTN_H5_TYPE(double)
ATTN_H5_TYPE(int64_t)
ATTN_H5_TYPE(int32_t)
ATTN_H5_TYPE(uint8_t)
#undef ATTN_H5_TYPE

}  // namespace attn::io
