#include "libattn/io/file_kind.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libattn/io/atomic_file.h"

namespace attn::io {
namespace {

bool looks_like_safetensors(std::string_view head) {
  uint64_t length = 0;
  if (head.size() < 10) return false;
  std::memcpy(&length, head.data(), sizeof length);
  return length >= 2 && length <= 100'000'000 && head[8] == '{' &&
         (head[9] == '"' || head[9] == '}');
}

bool looks_like_text(std::string_view head) {
  return std::none_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f';
  });
}

}  // namespace

FileKind file_kind(std::string_view head) {
  const auto starts = [&](std::string_view magic) { return head.substr(0, magic.size()) == magic; };
  if (head.empty()) return FileKind::empty;
  if (head.find_first_not_of('\0') == std::string_view::npos) return FileKind::zeros;
  // A user block may precede HDF5's signature by 512, 1024, ... bytes.
  for (std::size_t at = 0; at < head.size(); at = at == 0 ? 512 : 2 * at)
    if (head.substr(at, 8) == "\x89HDF\r\n\x1a\n") return FileKind::hdf5;
  if (starts("PAR1")) return FileKind::parquet;
  if (starts("\x1f\x8b")) return FileKind::gzip;
  if (starts("PK\x03\x04") || starts("PK\x05\x06")) return FileKind::zip;
  if (starts("\x89PNG")) return FileKind::png;
  if (starts("\xff\xd8\xff")) return FileKind::jpeg;
  if (starts(std::string_view("II*\0", 4)) || starts(std::string_view("MM\0*", 4)) ||
      starts(std::string_view("II+\0", 4)) || starts(std::string_view("MM\0+", 4)))
    return FileKind::tiff;
  if (starts("%PDF")) return FileKind::pdf;
  if (starts("\xff\xfe") || starts("\xfe\xff")) return FileKind::utf16;
  if (looks_like_safetensors(head)) return FileKind::safetensors;
  if (!looks_like_text(head)) return FileKind::binary;
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (head[first] == '{' || head[first] == '[')
             ? FileKind::json
             : FileKind::text;
}

std::string_view describe(FileKind kind) {
  switch (kind) {
    case FileKind::empty:
      return "an empty file";
    case FileKind::zeros:
      return "a file of zero bytes";
    case FileKind::hdf5:
      return "an HDF5 file";
    case FileKind::parquet:
      return "a Parquet file";
    case FileKind::gzip:
      return "a gzip archive";
    case FileKind::zip:
      return "a ZIP archive (as .xlsx, .npz and .pt are)";
    case FileKind::safetensors:
      return "a safetensors file";
    case FileKind::png:
      return "a PNG picture";
    case FileKind::jpeg:
      return "a JPEG picture";
    case FileKind::tiff:
      return "a TIFF picture";
    case FileKind::pdf:
      return "a PDF document";
    case FileKind::utf16:
      return "text in UTF-16";
    case FileKind::json:
      return "a JSON file";
    case FileKind::text:
      return "a text file";
    case FileKind::binary:
      break;
  }
  return "a binary file of another kind";
}

FileKind file_kind_of(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) throw system_error("read", path, errno);
  std::string head(4096, '\0');
  const ssize_t got = ::read(file, head.data(), head.size());
  const int reason = errno;
  ::close(file);
  if (got < 0) throw system_error("read", path, reason);
  head.resize(static_cast<std::size_t>(got));
  return file_kind(head);
}

}  // namespace attn::io
