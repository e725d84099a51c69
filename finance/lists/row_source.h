// Inside ListReader: rows of a file as they come, and where each stands.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "finance/lists/read_lists.h"
#include "libattn/io/byte_stream.h"

namespace finance {

/// Some rows. Its lists are the runs of rows of one id, of which the first may go on where the
/// piece before ended; a source without ids gives all rows as one run of the id "".
struct RowPiece {
  RankLists rows;
  std::vector<int64_t> lines;  ///< (L) the file's line on which a run begins
};

class RowSource {
 public:
  RowSource() = default;
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;

  /// What messages call the file, and its list ids: "column qid".
  virtual std::string name() const = 0;
  virtual std::string ids_name() const = 0;
  /// One row at least; none at the end. The same columns in every piece.
  virtual std::optional<RowPiece> next() = 0;
};

/// The rows of a file, in the format that `options` name or the file shows.
std::unique_ptr<RowSource> open_rows(const std::filesystem::path& path, const ListOptions& options);

/// Of CSV, TSV or Parquet.
std::unique_ptr<RowSource> table_rows(attn::io::ByteStream bytes, const ListOptions& options);
/// Of svmrank where `with_qid`, else LIBSVM text.
std::unique_ptr<RowSource> svm_rows(attn::io::ByteStream bytes, const ListOptions& options,
                                    bool with_qid);
/// The rows of `source`, which has no ids, in lists "1", "2", ... of the lengths that the file
/// `lengths` holds.
std::unique_ptr<RowSource> rows_by_lengths(std::unique_ptr<RowSource> source,
                                           const std::filesystem::path& lengths);

}  // namespace finance
