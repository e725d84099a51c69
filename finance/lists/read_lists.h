// Files of ranked lists: CSV, TSV and Parquet with named columns, svmrank, LIBSVM with list lengths.
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
  detect,   ///< Parquet and named columns by first bytes and header; svmrank where each line holds
            ///< qid:, LIBSVM where lengths are given
  table,    ///< CSV, TSV or Parquet, gzip or plain
  svmrank,  ///< `label qid:N id:value ... # comment`
  libsvm    ///< `label id:value ...`, lists by a file of their lengths or by `list_size`
};
/// "auto", "table", "svmrank", "libsvm"; throws UsageError on another word.
ListFormat parse_list_format(std::string_view word);

/// What a row's money is made of where it is not a column: the money saved by hedging (flagging) a
/// row is C_FN - C_TP where its label is positive, and C_TN - C_FP where it is 0 (Bahnsen et al.,
/// cost matrix by example).
struct CostColumns {
  std::string fp, fn, tp, tn;  ///< names of columns; all four or none
  bool given() const { return !fp.empty() || !fn.empty() || !tp.empty() || !tn.empty(); }
};

/// Which columns mean what. Names that are empty are not given.
struct ListOptions {
  ListFormat format = ListFormat::detect;
  std::string list;    ///< column of list ids
  std::string label;   ///< column of relevance, a number >= 0
  std::string profit;  ///< column of money
  std::string time;    ///< column whose first value in a list is the list's time
  CostColumns costs;
  std::vector<std::string> features;  ///< empty: every other column that is all numbers
  std::vector<std::string> categorical;
  std::vector<std::string> ignore;
  std::vector<std::string> keep;  ///< read beside the features, and no features
  /// Rows of the file put into lists of this size by a permutation that `seed` draws; the last list
  /// may be shorter. Excludes `list` and `lengths`.
  std::optional<int64_t> list_size;
  uint64_t seed = 1;
  std::optional<std::filesystem::path> lengths;  ///< LIBSVM: one length of a list a line
  /// Features that a trained model wants, in its order: they replace `features` (svmrank and
  /// LIBSVM: numbered "1", "2", ... by id; an id that is not there is 0).
  bool need_label = true, need_profit = true;  ///< where named: refused when missing
};

/// Reads a file's lists in their order, a part at a time, so that a file larger than memory passes
/// through. With `list_size` the whole file is read at once.
///
/// Refused in one sentence (attn::Error naming file, row and column): a column that is not there
/// (with the nearest name), an empty file, a value that is not a number or not finite, a missing
/// label or profit, a negative label, a list whose rows stand in two places, lengths whose sum is
/// not the number of rows (both named), a feature named as two things. Missing feature values ("",
/// NA, null) are NaN. attn::UsageError for options that contradict each other.
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

/// The lists as CSV or Parquet (by extension, .gz behind .csv packs), with columns named list,
/// label, profit and those of the features: what read_lists reads back the same.
void write_lists(const std::filesystem::path& path, const RankLists& lists,
                 const ListOptions& names);

}  // namespace finance
