// Tables larger than memory: a file or standard input as pieces of bounded size, in order.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libattn/io/byte_stream.h"
#include "libattn/io/table.h"

namespace attn::io {

/// What Table::read takes, read on as far as is asked for: the pieces one below the other hold what
/// it holds, errors are told in the same sentences, and row numbers are those of the file. CSV and
/// TSV, gzip too, pass through in `piece` bytes of text (more where one row is longer), Parquet
/// files in as many bytes of values; only a Parquet file that is packed or piped is read whole.
class TableStream {
 public:
  static constexpr std::size_t kPiece = std::size_t{8} << 20;

  /// Reads the header. Throws Error as Table::read does.
  explicit TableStream(const std::filesystem::path& path, std::size_t piece = kPiece);
  explicit TableStream(ByteStream bytes, std::size_t piece = kPiece);
  ~TableStream();
  TableStream(TableStream&&) noexcept;
  TableStream& operator=(TableStream&&) noexcept;

  /// What messages call it: the path, or "standard input".
  const std::string& name() const;
  const std::vector<std::string>& columns() const;
  bool has(std::string_view column) const;
  /// Throws Error that lists the columns there and the nearest name, unless it has this one.
  void require(std::string_view column) const;

  /// The next rows, one at least; none at the end. Table::locate names their places in the file.
  /// Throws Error for rows that are damaged.
  std::optional<Table> next();

  struct Impl;  // of the implementation alone

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace attn::io
