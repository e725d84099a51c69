// Where the bytes of a table come from: a file or standard input, plain or gzip.
#include <arrow/buffer.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <arrow/util/utf8.h>
#include <unistd.h>

#include <cerrno>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/memory.h"
#include "libattn/io/table_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

std::size_t most_bytes() {
  return physical_memory() / 4;
}

std::string unzip(const std::string& packed, const std::string& name) {
  arrow::util::InitializeUTF8();
  auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP);
  if (!codec.ok()) throw Error(name + ": gzip is not supported by this Arrow");
  auto stream = arrow::io::CompressedInputStream::Make(
      codec->get(), std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(packed)));
  std::string text;
  const std::size_t most = most_bytes();
  for (;;) {
    auto piece = stream.ok() ? (*stream)->Read(std::int64_t{1} << 20)
                             : arrow::Result<std::shared_ptr<arrow::Buffer>>(stream.status());
    if (!piece.ok())
      throw Error(name + ": the gzip archive is damaged or truncated (" +
                  reason_of(piece.status()) + "); copy it again");
    if ((*piece)->size() == 0) break;
    text.append(reinterpret_cast<const char*>((*piece)->data()),
                static_cast<std::size_t>((*piece)->size()));
    if (text.size() > most)
      throw Error(name + ": it unpacks to more than " + size_text(static_cast<double>(most)) +
                  ", a quarter of this machine's memory");
  }
  return text;
}

/// Descriptor 0 to its end. It is read itself, not opened by a name: a pipe of another user cannot
/// be opened.
std::string read_standard_input(const std::string& name) {
  if (::isatty(STDIN_FILENO) == 1)
    throw Error(name + ": expected a table, found a terminal; pipe one in or redirect a file");
  std::string bytes;
  std::size_t used = 0;
  for (;;) {
    if (used == bytes.size()) bytes.resize(std::max(std::size_t{1} << 16, 2 * bytes.size()));
    const ssize_t got = ::read(STDIN_FILENO, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("read", name, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > most_bytes())
      throw Error(name + ": it is larger than " + size_text(static_cast<double>(most_bytes())) +
                  ", a quarter of this machine's memory");
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace

std::string table_bytes(const std::filesystem::path& path, const std::string& name) {
  std::string bytes = path == "-" ? read_standard_input(name) : read_file(path, most_bytes());
  if (file_kind(std::string_view(bytes).substr(0, 16)) == FileKind::gzip) return unzip(bytes, name);
  return bytes;
}

}  // namespace attn::io
