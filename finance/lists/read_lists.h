// Files of ranked lists: CSV, TSV and Parquet with named columns, svmrank, LIBSVM with list
// lengths.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finance/lists/rank_lists.h"

namespace finance {

enum class ListFormat {
  detect,   ///< by the first bytes and the first line: Parquet; svmrank where it is a label and
            ///< qid:N, LIBSVM where it is a label and id:value; else named columns
  table,    ///< CSV, TSV or Parquet, gzip or plain
  svmrank,  ///< `label qid:N id:value ... # comment`
  libsvm    ///< `label id:value ...`, lists by `lengths` or `list_size`
};
/// "auto", "table", "svmrank", "libsvm"; throws UsageError on another word.
ListFormat parse_list_format(std::string_view word);

/// What a row's money is made of where it is not a column: the money saved by hedging (flagging) a
/// row is C_FN - C_TP where its label is positive, and C_TN - C_FP where it is 0 (Bahnsen et al.,
/// cost matrix by example).
struct CostColumns {
  std::string fp = {}, fn = {}, tp = {}, tn = {};  ///< names of columns; all four or none
  bool given() const { return !fp.empty() || !fn.empty() || !tp.empty() || !tn.empty(); }
};

/// Which columns mean what. Names that are empty are not given.
struct ListOptions {
  ListFormat format = ListFormat::detect;
  std::string list = {};    ///< column of list ids
  std::string label = {};   ///< column of relevance, a number >= 0; of svmrank and LIBSVM the first
  std::string profit = {};  ///< column of money
  std::string time = {};    ///< column whose first value in a list is the list's time
  CostColumns costs = {};
  /// Exactly these, in this order, as a trained model wants them; the other columns are unused.
  /// Empty: every other column with a name that holds numbers only, as the first rows (8 MiB of
  /// text) show; one in which up to a twentieth of these are words is refused. Of
  /// svmrank and LIBSVM the ids, "1", "2", ...: one that a row or the file does not name is 0;
  /// empty: those that occur, by ascending id, for which the file is read whole.
  std::vector<std::string> features = {};
  std::vector<std::string> categorical = {};
  std::vector<std::string> ignore = {};  ///< of columns without a name here, or of ids: no features
  /// Read as numbers into RankLists::kept, and no features; may be the label, the profit or costs.
  std::vector<std::string> keep = {};
  /// Rows of the file put into lists of this size by a permutation that `seed` draws; the last list
  /// may be shorter. Excludes `list` and `lengths`.
  std::optional<int64_t> list_size = {};
  uint64_t seed = 1;
  /// One length of a list a line, as LightGBM's .query files; of rows without list ids.
  std::optional<std::filesystem::path> lengths = {};
  /// Whether a label or profit (or the costs that make it) that is named must be in the file; where
  /// not, it is left empty when it is not there, as in files to be scored. A value that is missing
  /// in a column that is there is refused all the same.
  bool need_label = true, need_profit = true;
  bool need_time = true;      ///< the same of the time
  bool find_features = true;  ///< false: of tables, none but those that are named
};

/// Reads a file's lists in their order, a part at a time, so that a file larger than memory passes
/// through; "-" is standard input. With `list_size` the whole file is read at once. What grows with
/// the file is one entry for each list id, by which a list that comes again is known.
///
/// Refused in one sentence (attn::Error naming file, row and column): a column that is not there
/// (with the nearest name), a file without rows, a value that is not a number or not finite, a
/// missing label, profit, cost or kept value, a negative label, a list without id or time, a list
/// whose rows stand in two places, lengths whose sum is not the number of rows (both named), text
/// in a column that the first rows showed to be a feature. Feature values that are missing ("", NA,
/// None, null) are NaN; the word nan is refused. attn::UsageError for options that contradict each
/// other or the file's format: a column named as two things, three of the four costs, costs and a
/// profit.
class ListReader {
 public:
  ListReader(const std::filesystem::path& path, const ListOptions& options);
  ~ListReader();
  ListReader(ListReader&&) noexcept;
  ListReader& operator=(ListReader&&) noexcept;

  /// The next whole lists, of at least `rows` rows together while there are as many; none at the
  /// end. Columns are the same in every part.
  std::optional<RankLists> next(int64_t rows);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The whole file.
RankLists read_lists(const std::filesystem::path& path, const ListOptions& options);

/// The lists as CSV or Parquet (by extension; .csv.gz is packed): list id, time, features,
/// categories, label, profit, kept, of which those that are empty are left out. List, time, label
/// and profit are named as in `names`, or "list", "time", "label" and "profit" where that names
/// none. What read_lists reads back the same, with the categories named. Throws UsageError where
/// two columns would have one name, StorageError where the file cannot be written.
void write_lists(const std::filesystem::path& path, const RankLists& lists,
                 const ListOptions& names);

}  // namespace finance
