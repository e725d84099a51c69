// Files of scores: written from a model, list by list; read back, from this program or any other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "finance/model/rank_model.h"

namespace finance {

/// Scores of a file's rows, by their place in that file.
struct ScoreFile {
  std::filesystem::path path;
  std::vector<double> by_row;                 ///< (rows of the file); NaN: not told
  std::vector<std::string> list_of_row = {};  ///< of its column "list", or empty
  std::string column = {};                    ///< as it was asked for; empty: the one there is
  std::string known_as = {};  ///< of a feature's name; empty: made of path and column
};

/// A table with a column of scores: `column`, or "score", or the only column of numbers. A column
/// "row" says which row of the data, counted from 1 without the header, a score is of; without it
/// the rows are those of the data, in order. Throws Error naming file, row and column: no such
/// column, a score that is not finite, a row told twice or below 1.
ScoreFile read_scores(const std::filesystem::path& path, const std::string& column = {});

/// The scores of the rows of `lists`, which hold a whole file. Throws Error where a row has none,
/// naming both files and the row, where its column "list" and the list ids of the
/// data's file tell that the rows are others, and where the file of scores tells more rows than
/// there are, naming both counts.
std::vector<double> scores_for(const ScoreFile& scores, const RankLists& lists);

/// Adds the scores as a feature "with.STEM" of the file's stem, or "with.STEM:COLUMN" where a
/// column was asked for, as train_run and model_scores know it. Throws as scores_for, and
/// UsageError where two have one name.
void add_score_features(RankLists& lists, std::span<const ScoreFile> with);
/// "STEM" or "STEM:COLUMN".
std::string score_name(const ScoreFile& file);
std::vector<std::string> score_feature_names(std::span<const ScoreFile> with);

/// Throws UsageError, naming the file, where `with` are not those that the model was trained with.
void check_with(const TrainedRanker& model, std::span<const ScoreFile> with);

/// CSV lines: list, row of the file (from 1), score, rank (from 1 within the list, ties by row),
/// and, where there are any, a list's number of `last` (L).
std::string score_lines(const RankLists& lists, std::span<const double> scores,
                        std::span<const int64_t> last = {});

struct ScoredFile {
  int64_t lists = 0, rows = 0;
  std::vector<std::string> unused;  ///< columns of the data that were not needed
};

/// Scores `data` as `columns` (reading_options) read it, of which only lists and features are
/// looked at, and writes OUT, a CSV of list, row (of the data, from 1), score, rank (from 1 within
/// the list, ties by row). Lists pass through a part at a time, and their scores are those of
/// model_scores of the whole file bit for bit: memory does not grow with the file, but for the
/// files `with` and the ids of lists. OUT appears whole or not at all. Throws as check_with, Error,
/// UsageError (another extension than .csv), StorageError, Interrupted.
ScoredFile score_file(const TrainedRanker& model, const std::filesystem::path& data,
                      const ListOptions& columns, std::span<const ScoreFile> with,
                      const std::filesystem::path& out, const attn::Hooks& hooks);

}  // namespace finance
