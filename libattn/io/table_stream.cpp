#include "libattn/io/table_stream.h"

#include <arrow/record_batch.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/table_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

constexpr std::size_t kLongestRow = std::size_t{1} << 28;

}  // namespace

struct TableStream::Impl {
  Table::Impl header;  // path, name and columns; no rows
  virtual ~Impl() = default;
  /// Null at the end.
  virtual std::unique_ptr<Table::Impl> next() = 0;

  std::unique_ptr<Table::Impl> piece() const { return std::make_unique<Table::Impl>(header); }
};

namespace {

class TextPieces final : public TableStream::Impl {
 public:
  TextPieces(ByteStream bytes, std::size_t piece)
      : bytes_(std::move(bytes)), piece_(std::max<std::size_t>(piece, 1)) {
    header.path = bytes_.path();
    header.name = bytes_.name();
    std::optional<RowsAt> rows;
    for (std::size_t wanted = std::max(piece_, bytes_.head().size()); !rows;
         wanted = 2 * text_.size()) {
      fill(wanted);
      rows = read_header(header, text_, ended_);
    }
    at_ = *rows;
  }

  std::unique_ptr<Table::Impl> next() override {
    drop_taken();
    for (std::size_t wanted = piece_;; wanted *= 2) {
      fill(wanted);
      const bool whole = ended_ && text_.size() <= wanted;
      auto rows = piece();
      const RowsAt rest = read_rows(*rows, text_.substr(0, wanted), at_, whole);
      if (rows->table || whole) at_ = rest;
      if (rows->table) return rows;
      if (whole) return nullptr;
    }
  }

 private:
  void drop_taken() {
    text_.erase(0, at_.byte);
    at_.byte = 0;
  }
  void fill(std::size_t wanted) {
    if (wanted > kLongestRow + piece_)
      throw Error(header.name + ": row " + std::to_string(at_.line) + ": it is longer than " +
                  size_text(static_cast<double>(kLongestRow)) +
                  "; a quoted field in it is probably never closed");
    while (!ended_ && text_.size() < wanted)
      ended_ = bytes_.read(text_, wanted - text_.size()) == 0;
  }

  ByteStream bytes_;
  std::size_t piece_;
  std::string text_;  // from at_.byte on: not yet given
  RowsAt at_;
  bool ended_ = false;
};

/// Calls `read`, which gives an arrow::Result; its failures as sentences about the file.
template <typename Read>
auto parquet_value(const std::string& name, const Read& read) {
  try {
    auto result = read();
    if (!result.ok()) throw damaged_parquet(name, reason_of(result.status()));
    return std::move(*result);
  } catch (const parquet::ParquetException& error) {
    throw damaged_parquet(name, std::string(error.what()).substr(0, 200));
  }
}

/// Row groups one after another, none of them whole in memory.
class ParquetPieces final : public TableStream::Impl {
 public:
  ParquetPieces(ByteStream bytes, std::size_t piece) {
    header.path = bytes.path();
    header.name = bytes.name();
    auto file = parquet_input(bytes);
    reader_ = parquet_value(header.name, [&]() -> arrow::Result<Reader> {
      parquet::ReaderProperties reading = parquet::default_reader_properties();
      reading.enable_buffered_stream();
      parquet::ArrowReaderProperties decoding = parquet::default_arrow_reader_properties();
      decoding.set_pre_buffer(false);
      parquet::arrow::FileReaderBuilder builder;
      ARROW_RETURN_NOT_OK(builder.Open(std::move(file), reading));
      const auto width =
          static_cast<std::size_t>(std::max(1, builder.raw_reader()->metadata()->num_columns()));
      decoding.set_batch_size(static_cast<int64_t>(
          std::clamp<std::size_t>(piece / (sizeof(double) * width), 1, std::size_t{1} << 20)));
      return builder.properties(decoding)->Build();
    });
    const auto schema =
        parquet_value(header.name, [&]() -> arrow::Result<std::shared_ptr<arrow::Schema>> {
          std::shared_ptr<arrow::Schema> found;
          ARROW_RETURN_NOT_OK(reader_->GetSchema(&found));
          return found;
        });
    header.name_columns(schema->field_names());
  }

  std::unique_ptr<Table::Impl> next() override {
    for (;;) {
      if (batches_) {
        const auto batch = parquet_value(header.name, [&] { return batches_->Next(); });
        if (batch && batch->num_rows() > 0) return rows_of(batch);
        if (batch) continue;
      }
      if (group_ == reader_->num_row_groups()) return nullptr;
      batches_ = parquet_value(
          header.name, [&] { return reader_->GetRecordBatchReader(std::vector<int>{group_}); });
      ++group_;
    }
  }

 private:
  using Reader = std::unique_ptr<parquet::arrow::FileReader>;

  std::unique_ptr<Table::Impl> rows_of(const std::shared_ptr<arrow::RecordBatch>& batch) {
    auto rows = piece();
    rows->table =
        parquet_value(header.name, [&] { return arrow::Table::FromRecordBatches({batch}); });
    if (const arrow::Status valid = rows->table->ValidateFull(); !valid.ok())
      throw damaged_parquet(header.name, reason_of(valid));
    rows->lines.emplace_back(0, given_ + 1);
    given_ += batch->num_rows();
    return rows;
  }

  Reader reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  int group_ = 0;
  int64_t given_ = 0;
};

}  // namespace

TableStream::TableStream(const std::filesystem::path& path, std::size_t piece)
    : TableStream(ByteStream(path), piece) {}

TableStream::TableStream(ByteStream bytes, std::size_t piece) {
  if (file_kind(bytes.head()) == FileKind::parquet) {
    impl_ = std::make_unique<ParquetPieces>(std::move(bytes), piece);
  } else {
    impl_ = std::make_unique<TextPieces>(std::move(bytes), piece);
  }
}

TableStream::~TableStream() = default;
TableStream::TableStream(TableStream&&) noexcept = default;
TableStream& TableStream::operator=(TableStream&&) noexcept = default;

const std::string& TableStream::name() const {
  return impl_->header.name;
}
const std::vector<std::string>& TableStream::columns() const {
  return impl_->header.columns;
}
bool TableStream::has(std::string_view column) const {
  return impl_->header.index.find(column) != impl_->header.index.end();
}
void TableStream::require(std::string_view column) const {
  if (!has(column)) throw missing_column(name(), column, columns());
}

std::optional<Table> TableStream::next() {
  std::unique_ptr<Table::Impl> rows = impl_->next();
  if (!rows) return std::nullopt;
  return Table(std::move(rows));
}

}  // namespace attn::io
