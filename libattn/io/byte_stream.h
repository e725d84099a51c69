// The bytes of a file or of standard input as they come, gzip unpacked on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace attn::io {

/// Bytes in order, once. Gzip is told by its first bytes; members one after another are one text.
/// The path "-" is standard input; a file of that name is "./-".
class ByteStream {
 public:
  /// Opens it. Throws StorageError where it cannot be opened or read, Error for a terminal.
  explicit ByteStream(const std::filesystem::path& path);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  const std::filesystem::path& path() const;
  /// What messages call it: the path, or "standard input".
  const std::string& name() const;
  /// A regular file that is not packed: it may be opened anew and read at any place.
  bool is_plain_file() const;

  /// The first 64 KiB, unpacked (all there is, where that is less), before anything was read.
  std::string_view head() const;
  /// Appends the next bytes, `most` at most, to `to`, and says how many they are: 0 at the end.
  /// Throws StorageError, and Error for damaged gzip.
  std::size_t read(std::string& to, std::size_t most);
  /// All that is left. Throws Error where it is more than a quarter of the machine's memory.
  std::string rest();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Lines of a text; line feeds, and carriage returns before them, are no part of them.
class LineStream {
 public:
  explicit LineStream(ByteStream bytes) : bytes_(std::move(bytes)) {}
  const ByteStream& bytes() const { return bytes_; }
  /// The next line, which holds until the next call; false at the end. Throws Error for a line of
  /// more than 256 MiB.
  bool next(std::string_view& line);
  /// Of the line given last, from 1.
  int64_t number() const { return number_; }

 private:
  ByteStream bytes_;
  std::string text_;
  std::size_t at_ = 0;
  int64_t number_ = 0;
};

}  // namespace attn::io
