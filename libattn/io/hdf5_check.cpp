#include "libattn/io/hdf5_check.h"

#include <fcntl.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/digest.h"
#include "libattn/io/hdf5_detail.h"

namespace attn::io::h5 {
namespace {

constexpr std::string_view kSeal = "attn-xxh3-128 ";
constexpr std::size_t kSealBytes = 48;  // the word, 32 digits, 2 line feeds

std::string seal_text(const std::string& checksum) {
  return std::string(kSeal) + checksum + "\n\n";
}

/// The last bytes where they are a seal, else nothing.
std::string find_seal(const std::filesystem::path& path, std::uintmax_t size) {
  if (size < kSealBytes) return {};
  std::ifstream file(path, std::ios::binary);
  std::string seal(kSealBytes, '\0');
  file.seekg(static_cast<std::streamoff>(size - kSealBytes));
  file.read(seal.data(), static_cast<std::streamsize>(seal.size()));
  return file && seal.compare(0, kSeal.size(), kSeal) == 0 ? seal : "";
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

/// The child: everything that open() and its users may make the library do, short of reading data.
[[noreturn]] void walk_and_exit(const std::filesystem::path& path, std::uintmax_t size) {
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU})
    std::signal(signal, SIG_DFL);
  // A user's Ctrl-C reaches the child, too; a child that dies of it would pass for a damaged file.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, SIG_IGN);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlim_t seconds = 20 + size / 100'000'000;  // of computing: an endless loop ends here
  const rlimit computing{seconds, seconds};
  ::setrlimit(RLIMIT_CPU, &computing);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file >= 0) {
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, walk_object, nullptr, H5O_INFO_BASIC);
    H5Fclose(file);
  }
  ::_exit(0);
}

/// False when the child died or was stopped on the file's account.
bool survives_walk(const std::filesystem::path& path, std::uintmax_t size) {
  const pid_t child = ::fork();
  if (child < 0) return true;  // no child can be had: then without
  if (child == 0) walk_and_exit(path, size);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return true;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
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

void demand_sound(const std::filesystem::path& path) {
  static std::set<Identity> known;
  const Lock lock;
  const Identity identity = identity_of(path);
  if (known.count(identity) > 0) return;
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
  known.insert(identity);
}

}  // namespace attn::io::h5
