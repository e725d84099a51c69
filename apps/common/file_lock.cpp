#include "apps/common/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

#include "libattn/io/atomic_file.h"

namespace attn::app {
namespace {

constexpr std::string_view kFirstWord = "process ";

// For messages only: on a full disk a lock without a name is a lock all the same.
void name_holder(int descriptor) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string name = fmt::format("{}{} on host {}\n", kFirstWord, getpid(), host.data());
  if (ftruncate(descriptor, 0) == 0 && write(descriptor, name.data(), name.size()) < 0) return;
}

// A regular file that is empty or names a holder: nothing is lost when it is written and removed.
bool is_lock_file(int descriptor) {
  struct stat status {};
  std::array<char, kFirstWord.size()> start{};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const ssize_t got = pread(descriptor, start.data(), start.size(), 0);
  return got == 0 || std::string_view(start.data(),
                                      static_cast<size_t>(std::max<ssize_t>(got, 0))) == kFirstWord;
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
    if (!is_lock_file(descriptor)) {
      close(descriptor);
      throw StorageError(fmt::format(
          "cannot lock {}: a file of somebody else's has that name; move it", path.string()));
    }
    FileLock lock;
    lock.path_ = path;
    lock.descriptor_ = descriptor;
    name_holder(descriptor);
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
