// Rows of svmrank and LIBSVM text, as dense rows of the features asked for.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "attn/error.h"
#include "finance/lists/row_source.h"
#include "finance/lists/svm_text.h"
#include "libattn/io/memory.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::Error;
using attn::UsageError;
using attn::io::quote_text;

constexpr size_t kPieceBytes = size_t{8} << 20;

/// Rows with the features that they name.
struct SparseRows {
  std::vector<double> label;
  std::vector<size_t> begin{0};  ///< row i holds ids[begin[i]] ... ids[begin[i + 1] - 1]
  std::vector<int64_t> ids;
  std::vector<float> values;

  void add(const SvmRow& row) {
    label.push_back(row.label);
    for (const auto& [id, value] : row.values) {
      ids.push_back(id);
      values.push_back(value);
    }
    begin.push_back(ids.size());
  }
};

class SvmRows final : public RowSource {
 public:
  SvmRows(attn::io::ByteStream bytes, const ListOptions& options, bool with_qid)
      : lines_(std::move(bytes)), with_qid_(with_qid), whole_(options.features.empty()) {
    for (const std::string& feature : options.features) add_column(id_of(feature));
    for (const std::string& feature : options.ignore) ignored_.insert(id_of(feature));
  }

  std::string name() const override { return lines_.bytes().name(); }
  std::string ids_name() const override { return "qid"; }

  std::optional<RowPiece> next() override {
    RowPiece piece;
    const SparseRows sparse = read_some(piece);
    const auto count = static_cast<int64_t>(sparse.label.size());
    if (count == 0) return std::nullopt;
    RankLists& rows = piece.rows;
    rows.offsets.push_back(count);
    rows.name = name();
    rows.file_has_ids = with_qid_;
    if (whole_ && given_ == 0) find_columns(sparse);
    for (const int64_t id : ids_) rows.feature_names.push_back(std::to_string(id));
    rows.features = dense(sparse);
    rows.label = sparse.label;
    for (int64_t i = 0; i < count; ++i) rows.rows_in_file.push_back(given_ + i);
    given_ += count;
    return piece;
  }

 private:
  int64_t id_of(const std::string& feature) const {
    int64_t id = 0;
    if (!parse_svm_id(feature, id))
      throw Error(name() + ": its features are numbered, and " + quote_text(feature) +
                  " is none of the numbers; give the table whose columns are named so");
    return id;
  }

  void add_column(int64_t id) {
    if (!column_.emplace(id, ids_.size()).second)
      throw Error(name() + ": feature " + std::to_string(id) + " is asked for twice");
    ids_.push_back(id);
  }

  /// All ids that occur, where none are asked for.
  void find_columns(const SparseRows& sparse) {
    std::set<int64_t> all(sparse.ids.begin(), sparse.ids.end());
    for (const int64_t id : all)
      if (!ignored_.contains(id)) add_column(id);
  }

  bool is_full(const SparseRows& sparse) const {
    const size_t row = sizeof(float) * ids_.size();
    return !whole_ &&
           (sparse.label.size() * row >= kPieceBytes || sparse.ids.size() >= kPieceBytes / 8 ||
            sparse.label.size() >= kPieceBytes / 64);
  }

  /// The next rows, and their runs.
  SparseRows read_some(RowPiece& piece) {
    SparseRows sparse;
    SvmRow row;
    std::string_view line;
    while (!is_full(sparse) && lines_.next(line)) {
      if (lines_.number() == 1 && line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
      const std::string_view text = svm_row_text(line);
      if (text.empty()) continue;
      const std::string where = name() + ": row " + std::to_string(lines_.number());
      parse_svm_row(text, where, row);
      demand_qid(row, where);
      RankLists& rows = piece.rows;
      if (rows.list_ids.empty() || rows.list_ids.back() != row.qid) {
        if (!rows.list_ids.empty())
          rows.offsets.push_back(static_cast<int64_t>(sparse.label.size()));
        rows.list_ids.emplace_back(row.qid);
        piece.lines.push_back(lines_.number());
      }
      sparse.add(row);
      if (sparse.ids.size() > attn::io::physical_memory() / 64)
        throw Error(where +
                    ": the rows up to here fill a quarter of this machine's memory; name the "
                    "features that are needed, so that they need not all be held");
    }
    return sparse;
  }

  void demand_qid(const SvmRow& row, const std::string& where) const {
    if (with_qid_ && row.qid.empty())
      throw Error(where +
                  ": expected qid:N behind the label as in the rows of svmrank, found none; "
                  "all rows have one or none has");
    if (!with_qid_ && !row.qid.empty())
      throw Error(where + ": expected a row without qid, found qid:" + attn::io::one_line(row.qid) +
                  "; all rows have one (read as svmrank, without lengths or a size of lists) or "
                  "none has");
  }

  /// (R,F), row-major; 0 where a row does not name the feature.
  std::vector<float> dense(const SparseRows& sparse) const {
    const size_t width = ids_.size();
    const double bytes =
        static_cast<double>(sparse.label.size()) * static_cast<double>(width) * sizeof(float);
    if (bytes > static_cast<double>(attn::io::physical_memory()) / 2)
      throw Error(name() + ": its " + std::to_string(sparse.label.size()) + " rows of " +
                  std::to_string(width) + " features need " + attn::io::size_text(bytes) +
                  ", more than half of this machine's memory; name the features that are needed");
    std::vector<float> values(sparse.label.size() * width);
    for (size_t i = 0; i < sparse.label.size(); ++i)
      for (size_t k = sparse.begin[i]; k < sparse.begin[i + 1]; ++k)
        if (const auto found = column_.find(sparse.ids[k]); found != column_.end())
          values[i * width + found->second] = sparse.values[k];
    return values;
  }

  attn::io::LineStream lines_;
  bool with_qid_;
  bool whole_;  ///< no features are asked for: which there are shows at the end of the file
  std::vector<int64_t> ids_;  ///< (F)
  std::unordered_map<int64_t, size_t> column_;
  std::set<int64_t> ignored_;
  int64_t given_ = 0;
};

/// Text of rows has a label, ids and features, and no other columns.
void refuse_columns(const ListOptions& o, const std::string& file) {
  const auto refuse = [&](const std::string& column, const char* meaning) {
    throw UsageError(
        file + ": svmrank and LIBSVM rows hold a label and numbered features, and no column " +
        quote_text(column) + " for " + meaning + "; leave it out or give a table");
  };
  if (!o.list.empty() && o.list != "qid") refuse(o.list, "list ids");
  if (!o.time.empty()) refuse(o.time, "the time");
  if (!o.profit.empty() && o.need_profit) refuse(o.profit, "the profit");
  if (o.costs.given() && o.need_profit) refuse(o.costs.fp, "a cost");
  if (!o.categorical.empty()) refuse(o.categorical[0], "a category");
  if (!o.keep.empty()) refuse(o.keep[0], "what is kept");
}

}  // namespace

std::unique_ptr<RowSource> svm_rows(attn::io::ByteStream bytes, const ListOptions& options,
                                    bool with_qid) {
  refuse_columns(options, bytes.name());
  if (with_qid && options.list_size)
    throw UsageError(bytes.name() + ": its rows are in lists by qid; leave the size of lists out");
  if (with_qid && options.lengths)
    throw UsageError(bytes.name() +
                     ": its rows are in lists by qid; leave the file of lengths out");
  if (!with_qid && !options.list_size && !options.lengths)
    throw UsageError(
        bytes.name() +
        ": its rows name no list (qid:N behind the label); give the file of the lists' "
        "lengths or a size of lists");
  return std::make_unique<SvmRows>(std::move(bytes), options, with_qid);
}

}  // namespace finance
