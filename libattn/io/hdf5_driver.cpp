#include "libattn/io/hdf5_driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

namespace attn::io::h5 {
namespace {

/// One open file. The library knows it by its first member.
struct File {
  H5FD_t base{};
  int descriptor = -1;
  haddr_t allocated = 0;  // end of what the library has given out
  haddr_t end = 0;        // end of what was written
  WriteState* state = nullptr;
  struct Piece {
    haddr_t at;
    std::vector<char> bytes;
  };
  std::vector<Piece> kept;  // metadata written after the disk failed

  bool reaches_disk() const { return state->error_number == 0 && !state->discard; }
};

struct Info {
  WriteState* state;
};

File* of(H5FD_t* file) {
  return reinterpret_cast<File*>(file);
}
const File* of(const H5FD_t* file) {
  return reinterpret_cast<const File*>(file);
}

constexpr haddr_t kMaxAddress = std::numeric_limits<off_t>::max();

H5FD_t* open_file(const char* name, unsigned, hid_t properties, haddr_t) {
  const auto* info = static_cast<const Info*>(H5Pget_driver_info(properties));
  if (info == nullptr) return nullptr;
  const int descriptor = ::open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    info->state->error_number = errno;
    return nullptr;
  }
  auto* file = new (std::nothrow) File;
  if (file == nullptr) {
    ::close(descriptor);
    return nullptr;
  }
  file->descriptor = descriptor;
  file->state = info->state;
  return &file->base;
}

herr_t close_file(H5FD_t* base) {
  File* file = of(base);
  if (::close(file->descriptor) != 0 && errno != EINTR && file->reaches_disk())
    file->state->error_number = errno;
  delete file;
  return 0;
}

int compare(const H5FD_t* a, const H5FD_t* b) {
  return of(a)->descriptor < of(b)->descriptor ? -1 : of(a)->descriptor > of(b)->descriptor ? 1 : 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t allocated(const H5FD_t* file, H5FD_mem_t) {
  return of(file)->allocated;
}
herr_t set_allocated(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  of(file)->allocated = end;
  return 0;
}
haddr_t end_of(const H5FD_t* file, H5FD_mem_t) {
  return of(file)->end;
}

/// Overlays what was kept in memory on what the disk has; the rest reads as zeros, as the library
/// expects.
herr_t read_file(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t at, std::size_t size, void* buffer) {
  File* file = of(base);
  auto* to = static_cast<char*>(buffer);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(file->descriptor, to + done, size - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) file->state->error_number = errno;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  std::memset(to + done, 0, size - done);
  for (const File::Piece& piece : file->kept) {
    const haddr_t begin = std::max(at, piece.at);
    const haddr_t end = std::min<haddr_t>(at + size, piece.at + piece.bytes.size());
    if (begin < end)
      std::memcpy(to + (begin - at), piece.bytes.data() + (begin - piece.at), end - begin);
  }
  return 0;
}

herr_t write_file(H5FD_t* base, H5FD_mem_t type, hid_t, haddr_t at, std::size_t size,
                  const void* buffer) {
  File* file = of(base);
  const auto* from = static_cast<const char*>(buffer);
  std::size_t done = 0;
  while (done < size && file->reaches_disk()) {
    const ssize_t put =
        ::pwrite(file->descriptor, from + done, size - done, static_cast<off_t>(at + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) file->state->error_number = put < 0 ? errno : EIO;
    done += put > 0 ? static_cast<std::size_t>(put) : 0;
  }
  if (done < size && type != H5FD_MEM_DRAW)
    file->kept.push_back({at, std::vector<char>(from, from + size)});
  file->end = std::max<haddr_t>(file->end, at + size);
  return 0;
}

herr_t truncate_file(H5FD_t* base, hid_t, hbool_t) {
  File* file = of(base);
  if (file->reaches_disk() &&
      ::ftruncate(file->descriptor, static_cast<off_t>(file->allocated)) != 0)
    file->state->error_number = errno;
  file->end = file->allocated;
  return 0;
}

hid_t driver() {
  static const hid_t id = [] {
    static H5FD_class_t driver_class{};
#ifdef H5FD_CLASS_VERSION
    driver_class.version = H5FD_CLASS_VERSION;
    driver_class.value = static_cast<H5FD_class_value_t>(H5FD_RESERVED + 77);
#endif
    driver_class.name = "attn-write";
    driver_class.maxaddr = kMaxAddress;
    driver_class.fc_degree = H5F_CLOSE_STRONG;
    driver_class.fapl_size = sizeof(Info);
    driver_class.open = open_file;
    driver_class.close = close_file;
    driver_class.cmp = compare;
    driver_class.query = query;
    driver_class.get_eoa = allocated;
    driver_class.set_eoa = set_allocated;
    driver_class.get_eof = end_of;
    driver_class.read = read_file;
    driver_class.write = write_file;
    driver_class.truncate = truncate_file;
    const H5FD_mem_t map[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), std::begin(driver_class.fl_map));
    return H5FDregister(&driver_class);
  }();
  return id;
}

}  // namespace

bool set_write_driver(hid_t access_properties, WriteState* state) {
  const Info info{state};
  return driver() >= 0 && H5Pset_driver(access_properties, driver(), &info) >= 0;
}

}  // namespace attn::io::h5
