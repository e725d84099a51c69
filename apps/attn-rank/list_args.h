// Options about the lists, which most verbs share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "finance/lists/read_lists.h"
#include "finance/model/rank_model.h"
#include "finance/model/score_file.h"

namespace attn::app {

/// What the columns of a file are, and how its rows are put into lists.
struct ListArgs {
  std::string format = "auto";
  std::optional<std::string> list, label, profit, time;
  std::optional<std::string> cost_fp, cost_fn, cost_tp, cost_tn;
  std::vector<std::string> features, categorical, ignore, keep;
  std::optional<std::filesystem::path> lengths;
  std::optional<int64_t> list_size;

  /// A column of numbers to be read, although it may be one to be left alone.
  void have_at_hand(const std::string& column);
  /// Of a file to train on. Throws attn::UsageError.
  finance::ListOptions options(const Context& context) const;
  /// Of a file for `model`: its columns, but for those that are named. `need`: label and profit
  /// must be there where the model or a name tells of them.
  finance::ListOptions options_for(const finance::TrainedRanker& model, bool need,
                                   const Context& context) const;
};

/// What the lists are for: `judged` and `scored` ones have a model's features, and what is scored
/// needs no label, profit or time.
enum class ListUse { learned, judged, scored };
/// The options of ListArgs that such lists have.
void declare_lists(ListArgs& args, OptionTable& table, ListUse use);

/// Reads a file's lists and tells in a line what they are, and which columns are not used.
finance::RankLists read_told(const std::filesystem::path& file,
                             const finance::ListOptions& options);
/// "market.csv: 500 lists of 50 rows, 18 features"
std::string lists_text(const finance::RankLists& lists);
/// One line on stderr; nothing where there are none.
void tell_unused(const std::string& file, const std::vector<std::string>& columns);

/// `data` and what is read beside it: --lengths, and the files of `scores` (as read_score_files).
std::vector<std::filesystem::path> files_read(const std::vector<std::filesystem::path>& data,
                                              const ListArgs& args,
                                              const std::vector<std::string>& scores);
/// Throws attn::UsageError where what `option` names is no .html, StorageError where it cannot be
/// written.
void require_page(const std::filesystem::path& page, const std::string& option);

/// FILE or FILE:COLUMN, as one word.
finance::ScoreFile read_score_file(const std::string& word);
std::filesystem::path score_path(const std::string& word);
/// Files of scores, one a word or between commas.
std::vector<finance::ScoreFile> read_score_files(const std::vector<std::string>& words);

}  // namespace attn::app
