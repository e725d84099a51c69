// Rows of tables with named columns.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "attn/error.h"
#include "finance/lists/list_columns.h"
#include "finance/lists/row_source.h"
#include "libattn/io/table_stream.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::Error;
using attn::io::Table;

/// The runs of equal ids, and each one's time.
void add_runs(RowPiece& piece, const ListColumns& columns, const Table& table) {
  RankLists& rows = piece.rows;
  std::vector<std::string> ids(static_cast<size_t>(table.rows()));
  if (!columns.list.empty()) ids = table.strings(columns.list);
  std::vector<std::string> times;
  if (!columns.time.empty()) times = table.strings(columns.time);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (ids[i].empty() && !columns.list.empty())
      throw Error(table.locate(row, columns.list) + ": expected the id of a list, found nothing");
    if (i == 0 || ids[i] != ids[i - 1]) {
      if (i > 0) rows.offsets.push_back(row);
      rows.list_ids.push_back(ids[i]);
      piece.lines.push_back(table.line(row));
      if (!times.empty()) rows.times.push_back(times[i]);
    }
  }
  rows.offsets.push_back(table.rows());
}

std::vector<double> labels_of(const Table& table, const std::string& column) {
  std::vector<double> labels = table.doubles(column);
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0)
      throw Error(table.locate(static_cast<int64_t>(i), column) +
                  ": expected a label of 0 or more, found " + attn::io::number_text(labels[i]) +
                  "; write 0 for what is not relevant");
  return labels;
}

/// A cost of every row: a number, or a column.
std::vector<double> costs_of(const Table& table, const std::string& cost) {
  double number = 0;
  if (attn::io::parse_finite(cost, number))
    return std::vector<double>(static_cast<size_t>(table.rows()), number);
  return table.doubles(cost);
}

/// Profit: C_FN - C_TP where the label is positive, C_TN - C_FP where it is 0; and what the row
/// brings unflagged.
void add_money(RankLists& rows, const Table& table, const CostColumns& costs) {
  const std::vector<double>& label = rows.label;
  const std::vector<double> fp = costs_of(table, costs.fp), fn = costs_of(table, costs.fn);
  const std::vector<double> tp = costs_of(table, costs.tp), tn = costs_of(table, costs.tn);
  for (size_t i = 0; i < label.size(); ++i) {
    rows.profit.push_back(label[i] > 0 ? fn[i] - tp[i] : tn[i] - fp[i]);
    rows.unflagged.push_back(-(label[i] > 0 ? fn[i] : tn[i]));
    if (!std::isfinite(rows.profit.back()))
      throw Error(table.locate(static_cast<int64_t>(i)) +
                  ": its costs are too large to be subtracted from each other");
  }
}

bool is_nan_word(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '-' || c == '+'; });
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text == "nan";
}

/// A value that is missing is "" or NA; "nan" is a computation that failed.
void refuse_nan(const Table& table, const std::string& column, const std::vector<float>& values,
                size_t at, size_t width) {
  std::vector<std::string> texts;
  for (size_t i = 0; i * width + at < values.size(); ++i) {
    if (!std::isnan(values[i * width + at])) continue;
    if (texts.empty()) texts = table.strings(column);
    if (is_nan_word(texts[i]))
      throw Error(table.locate(static_cast<int64_t>(i), column) + ": expected a number, found " +
                  attn::io::quote_text(texts[i]) + "; leave the field empty where it is missing");
  }
}

class TableRows final : public RowSource {
 public:
  TableRows(attn::io::ByteStream bytes, const ListOptions& options)
      : options_(options), table_(std::move(bytes)), columns_(named_columns(options, table_)) {}

  std::string name() const override { return table_.name(); }
  std::string ids_name() const override { return "column " + attn::io::one_line(columns_.list); }

  std::optional<RowPiece> next() override {
    const std::optional<Table> table = table_.next();
    if (!table) return std::nullopt;
    const bool first = given_ == 0;
    if (first) find_features(columns_, options_, *table);
    RowPiece piece;
    RankLists& rows = piece.rows;
    rows.name = table->name();
    rows.unused = columns_.unused;
    rows.file_has_ids = !columns_.list.empty();
    add_runs(piece, columns_, *table);
    add_features(rows, *table, first);
    for (const std::string& column : columns_.categorical)
      rows.categories.push_back({column, table->strings(column)});
    if (!columns_.label.empty()) rows.label = labels_of(*table, columns_.label);
    if (!columns_.profit.empty()) rows.profit = table->doubles(columns_.profit);
    if (columns_.costs.given()) add_money(rows, *table, columns_.costs);
    for (const std::string& column : columns_.keep)
      rows.kept.push_back({column, table->doubles(column)});
    for (int64_t i = 0; i < table->rows(); ++i) rows.rows_in_file.push_back(given_ + i);
    given_ += table->rows();
    return piece;
  }

 private:
  void add_features(RankLists& rows, const Table& table, bool first) {
    rows.feature_names = columns_.features;
    try {
      rows.features = table.matrix(columns_.features, {.allow_missing = true});
    } catch (const Error& error) {
      if (first || !columns_.found_features) throw;
      throw Error(std::string(error.what()) +
                  "; the first rows of that column hold numbers only: name the features, or this "
                  "column as a category or ignored");
    }
    for (size_t j = 0; j < columns_.features.size(); ++j)
      refuse_nan(table, columns_.features[j], rows.features, j, columns_.features.size());
  }

  ListOptions options_;
  attn::io::TableStream table_;
  ListColumns columns_;
  int64_t given_ = 0;
};

}  // namespace

std::unique_ptr<RowSource> table_rows(attn::io::ByteStream bytes, const ListOptions& options) {
  if (options.list.empty() && !options.list_size && !options.lengths)
    throw attn::UsageError(bytes.name() +
                           ": which rows make a list is not told; name the column of list ids "
                           "(--list), a size of lists (--list-size) or a file of their lengths "
                           "(--lengths)");
  return std::make_unique<TableRows>(std::move(bytes), options);
}

}  // namespace finance
