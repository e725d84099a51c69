// What a file is, by its first bytes: for messages that say what was found instead.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace attn::io {

enum class FileKind {
  empty,
  zeros,
  hdf5,
  parquet,
  gzip,
  zip,
  safetensors,
  png,
  jpeg,
  tiff,
  pdf,
  utf16,
  json,
  text,
  binary
};

/// Judges the first bytes of a file (4 KiB are enough).
FileKind file_kind(std::string_view head);

/// "a gzip archive", "a text file", ...
std::string_view describe(FileKind kind);

/// Reads the head of `path` and judges it. Throws Error when it cannot be read.
FileKind file_kind_of(const std::filesystem::path& path);

}  // namespace attn::io
