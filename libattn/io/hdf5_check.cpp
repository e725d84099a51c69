#include "libattn/io/hdf5_check.h"

#include <hdf5.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <string_view>
#include <vector>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/digest.h"
#include "libattn/io/hdf5_child.h"
#include "libattn/io/hdf5_detail.h"

namespace attn::io::h5 {
namespace {

constexpr std::string_view kSeal = "attn-xxh3-128 ";
constexpr std::size_t kSealBytes = 48;  // the word, 32 digits, 2 line feeds

std::string seal_text(const std::string& checksum) {
  return std::string(kSeal) + checksum + "\n\n";
}

/// As many bytes from the end as a seal has, nothing where there are fewer.
std::string last_bytes(const std::filesystem::path& path, std::uintmax_t size) {
  if (size < kSealBytes) return {};
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kSealBytes, '\0');
  file.seekg(static_cast<std::streamoff>(size - kSealBytes));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file ? bytes : "";
}

/// The last bytes where they are a seal, else nothing.
std::string find_seal(const std::filesystem::path& path, std::uintmax_t size) {
  const std::string bytes = last_bytes(path, size);
  return bytes.starts_with(kSeal) ? bytes : "";
}

herr_t walk_attribute(hid_t object, const char* name, const H5A_info_t*, void*) {
  const Id attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) return 0;
  const Id type(H5Aget_type(attribute.get()), H5Tclose);
  const Id space(H5Aget_space(attribute.get()), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  const std::size_t size = H5Tget_size(type.get());
  if (count <= 0 || size == 0 || static_cast<double>(count) * static_cast<double>(size) > 1e8)
    return 0;
  std::vector<char> values(static_cast<std::size_t>(count) * size);
  if (H5Aread(attribute.get(), type.get(), values.data()) >= 0 &&
      H5Tdetect_class(type.get(), H5T_VLEN) > 0)
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, values.data());
  return 0;
}

herr_t walk_object(hid_t file, const char* name, const H5O_info_t* info, void*) {
  const Id object(H5Oopen(file, name, H5P_DEFAULT), H5Oclose);
  if (!object.valid()) return 0;
  hsize_t index = 0;
  H5Aiterate2(object.get(), H5_INDEX_NAME, H5_ITER_INC, &index, walk_attribute, nullptr);
  if (info->type != H5O_TYPE_DATASET) return 0;
  const Id type(H5Dget_type(object.get()), H5Tclose);
  const Id space(H5Dget_space(object.get()), H5Sclose);
  const Id properties(H5Dget_create_plist(object.get()), H5Pclose);
  H5Dget_storage_size(object.get());
  hsize_t chunks = 0;
  if (H5Pget_layout(properties.get()) == H5D_CHUNKED)
    H5Dget_num_chunks(object.get(), space.get(), &chunks);
  return 0;
}

/// Everything that open() and its users may make the library do, short of reading data and text.
void walk(const std::filesystem::path& path) {
  const Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (file.valid())
    H5Ovisit2(file.get(), H5_INDEX_NAME, H5_ITER_INC, walk_object, nullptr, H5O_INFO_BASIC);
}

/// False when the child died or was stopped on the file's account.
bool survives_walk(const std::filesystem::path& path, std::uintmax_t size) {
  const auto seconds = static_cast<unsigned>(5 + size / 100'000'000);
  return in_child(seconds,
                  [&] {
                    walk(path);
                    return std::string();
                  })
      .has_value();
}

using Identity = std::array<int64_t, 5>;

Identity identity_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw system_error("read", path, errno);
  return {static_cast<int64_t>(status.st_dev), static_cast<int64_t>(status.st_ino), status.st_size,
          status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

}  // namespace

std::string seal_of(const std::filesystem::path& path) {
  return seal_text(file_digest(path));
}

bool ends_in_zeros(const std::filesystem::path& path) {
  std::error_code error;
  const std::string bytes = last_bytes(path, std::filesystem::file_size(path, error));
  return !bytes.empty() && bytes.find_first_not_of('\0') == std::string::npos;
}

bool demand_sound(const std::filesystem::path& path) {
  static std::map<Identity, bool> known;  // and whether it is sealed
  const Lock lock;
  const Identity identity = identity_of(path);
  if (const auto found = known.find(identity); found != known.end()) return found->second;
  const auto size = static_cast<std::uintmax_t>(identity[2]);
  const std::string seal = find_seal(path, size);
  if (!seal.empty() && seal != seal_text(file_digest(path, size - kSealBytes)))
    throw Error(path.string() +
                ": the file is damaged (its contents do not match the checksum at its end); write "
                "or copy it again");
  if (seal.empty() && !survives_walk(path, size))
    throw Error(path.string() +
                ": the HDF5 file is damaged (the HDF5 library fails on its structure); write or "
                "copy it again");
  known.emplace(identity, !seal.empty());
  return !seal.empty();
}

}  // namespace attn::io::h5
