// Files that appear whole or not at all, and one sentence for every failure of the system beneath.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "attn/error.h"

namespace attn::io {

/// One sentence for a failed system call: "cannot write W/x.h5: No space left on device; free some
/// space and run again". `action` is a verb ("read", "write"); `error_number` an errno value, 0 for
/// "reason unknown".
StorageError system_error(std::string_view action, const std::filesystem::path& path,
                          int error_number);

/// The same for a library that failed to write `path` and hides errno (OpenCV, libtiff): learns the
/// reason by trying to write a scratch file of 1 MiB beside `path`, and removes it again.
StorageError write_error(const std::filesystem::path& path);

/// A file written beside its place and renamed into it, so that `path` is at every moment the old
/// file or the whole new one, also after kill -9 or a power cut:
///
///     AtomicFile file(path);
///     ... write to file.temp_path(), close it ...
///     file.commit();                       // fsync file, rename, fsync folder
///
/// The temporary file is named `.NAME.<origin>-<pid>-<start>-<n>.tmp`: hidden, never of the
/// target's extension (use cv::imencode and write_file rather than cv::imwrite, which needs one).
/// The constructor creates it, so a folder that cannot be written is found before the work; the
/// first one in a folder also removes what dead processes left there. An existing file's
/// permissions are kept; a symbolic link is followed; folders and devices are refused. Throws
/// StorageError. Not copyable; one thread at a time per object.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();  ///< removes the temporary file unless committed
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& temp_path() const { return temp_; }
  /// Writes bytes at the temporary file's end. Throws StorageError.
  void append(std::string_view bytes);
  /// Makes the temporary file's contents durable and puts it in place. Throws StorageError; then
  /// the old file stands.
  void commit();

 private:
  void discard() noexcept;
  std::filesystem::path path_;    // as the caller named it, for messages
  std::filesystem::path target_;  // links resolved
  std::filesystem::path temp_;    // empty once committed or moved from
};

/// Writes `contents` to `path` through an AtomicFile. Throws StorageError.
void write_file(const std::filesystem::path& path, std::string_view contents);

/// The whole file as bytes; pipes are read to their end. Throws Error when it cannot be read or is
/// larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path,
                      std::size_t max_bytes = std::size_t{1} << 31);

/// Makes the folder and its parents; nothing happens where it exists. Throws StorageError.
void make_directories(const std::filesystem::path& path);

}  // namespace attn::io
