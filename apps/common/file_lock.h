// A lock on an output, so that two processes do not make it at the same time.
#pragma once

#include <filesystem>
#include <string>

namespace attn::app {

/// Holds `path` locked while it lives. The lock is the operating system's, so it ends with its
/// process: what a killed process left behind is taken over at once, whatever its age. The file
/// says who holds it, for messages.
class FileLock {
 public:
  /// Takes the lock or, when another process has it, returns an unlocked object. Throws
  /// attn::StorageError when the lock file cannot be made (read-only folder, a folder or a file of
  /// somebody else's in its place).
  static FileLock try_lock(const std::filesystem::path& path);
  /// Takes the lock, or throws attn::Error saying that `what` is in use and by which process.
  static FileLock lock(const std::filesystem::path& path, const std::string& what);

  FileLock() = default;
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  bool locked() const { return descriptor_ >= 0; }
  /// "process 4711 on host nemo", as far as the lock file tells.
  static std::string holder(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace attn::app
