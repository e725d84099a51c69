// Lists by a file of their lengths, as LightGBM's .query files.
#include <algorithm>
#include <charconv>

#include "attn/error.h"
#include "finance/lists/row_source.h"
#include "finance/lists/svm_text.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::Error;

std::vector<int64_t> read_lengths(const std::filesystem::path& path) {
  attn::io::LineStream lines{attn::io::ByteStream(path)};
  std::vector<int64_t> lengths;
  int64_t sum = 0;
  std::string_view line;
  while (lines.next(line)) {
    const std::string_view text = svm_row_text(line);
    if (text.empty()) continue;
    int64_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || end != text.data() + text.size() || length < 1 ||
        __builtin_add_overflow(sum, length, &sum))
      throw Error(lines.bytes().name() + ": row " + std::to_string(lines.number()) +
                  ": expected the length of a list, a whole number of 1 or more, found " +
                  attn::io::quote_text(text));
    lengths.push_back(length);
  }
  if (lengths.empty())
    throw Error(lines.bytes().name() + ": expected one length of a list a line, found none");
  return lengths;
}

class RowsByLengths final : public RowSource {
 public:
  RowsByLengths(std::unique_ptr<RowSource> source, const std::filesystem::path& lengths)
      : source_(std::move(source)), file_(lengths.string()), ends_(read_lengths(lengths)) {
    for (size_t l = 1; l < ends_.size(); ++l) ends_[l] += ends_[l - 1];
  }

  std::string name() const override { return source_->name(); }
  std::string ids_name() const override { return "lengths"; }

  std::optional<RowPiece> next() override {
    std::optional<RowPiece> piece = source_->next();
    if (!piece) {
      if (given_ != ends_.back()) throw mismatch();
      return std::nullopt;
    }
    const int64_t last = given_ + piece->rows.rows();
    if (last > ends_.back()) {
      given_ = last;
      while (const auto more = source_->next()) given_ += more->rows.rows();
      throw mismatch();
    }
    cut(*piece, last);
    given_ = last;
    return piece;
  }

 private:
  /// The rows up to `last` of the file into their lists.
  void cut(RowPiece& piece, int64_t last) {
    RankLists& rows = piece.rows;
    const int64_t line = piece.lines.front();
    rows.offsets.assign(1, 0);
    rows.list_ids.clear();
    piece.lines.clear();
    while (rows.offsets.back() < last - given_) {
      if (given_ + rows.offsets.back() == ends_[list_]) ++list_;
      rows.offsets.push_back(std::min(ends_[list_], last) - given_);
      rows.list_ids.push_back(std::to_string(list_ + 1));
      piece.lines.push_back(line);
    }
  }

  Error mismatch() const {
    return Error(file_ + ": its " + std::to_string(ends_.size()) + " lengths of lists add up to " +
                 std::to_string(ends_.back()) + " rows, but " + name() + " holds " +
                 std::to_string(given_) + "; give the lengths that belong to this file");
  }

  std::unique_ptr<RowSource> source_;
  std::string file_;
  std::vector<int64_t> ends_;  ///< row of the file behind each list
  size_t list_ = 0;            ///< the one of the last row given
  int64_t given_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> rows_by_lengths(std::unique_ptr<RowSource> source,
                                           const std::filesystem::path& lengths) {
  return std::make_unique<RowsByLengths>(std::move(source), lengths);
}

}  // namespace finance
