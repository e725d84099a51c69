#include "apps/common/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <utility>

#include "libattn/io/atomic_file.h"

namespace attn::app {
namespace {

std::string own_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("process {} on host {}\n", getpid(), host.data());
}

// The last holder removes the file before it lets go; then the file that was locked is no longer
// the one at `path`.
bool still_at(const std::filesystem::path& path, int descriptor) {
  struct stat at_path {};
  struct stat held {};
  return stat(path.c_str(), &at_path) == 0 && fstat(descriptor, &held) == 0 &&
         at_path.st_ino == held.st_ino && at_path.st_dev == held.st_dev;
}

}  // namespace

FileLock FileLock::try_lock(const std::filesystem::path& path) {
  for (;;) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) throw io::system_error("write", path, errno);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      close(descriptor);
      if (reason == EWOULDBLOCK) return {};
      throw io::system_error("lock", path, reason);
    }
    if (!still_at(path, descriptor)) {
      close(descriptor);
      continue;
    }
    const std::string name = own_name();
    const bool named =
        ftruncate(descriptor, 0) == 0 && write(descriptor, name.data(), name.size()) >= 0;
    FileLock lock;
    lock.path_ = path;
    lock.descriptor_ = descriptor;
    if (!named) throw io::system_error("write", path, errno);
    return lock;
  }
}

FileLock FileLock::lock(const std::filesystem::path& path, const std::string& what) {
  FileLock lock = try_lock(path);
  if (!lock.locked())
    throw Error(fmt::format("{} is in use by {}; wait for it to end, or choose another --out", what,
                            holder(path)));
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  unlink(path_.c_str());
  close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

std::string FileLock::holder(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "another process" : line;
}

}  // namespace attn::app
