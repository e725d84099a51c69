#include "finance/model/score_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "attn/error.h"
#include "finance/score/rank_metrics.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRow = "row";
constexpr const char* kList = "list";
constexpr std::string_view kWith = "with.";

/// Whether the first rows of a column are numbers.
bool looks_numeric(const attn::io::Table& table, const std::string& column) {
  const auto texts = table.first_strings(column, 50);
  return !texts.empty() && std::all_of(texts.begin(), texts.end(), [](const std::string& text) {
    char* end = nullptr;
    std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0';
  });
}

std::string score_column(const attn::io::Table& table, const std::string& asked) {
  if (!asked.empty()) return asked;  // a missing one is refused when it is read
  if (table.has("score")) return "score";
  std::vector<std::string> numbers;
  for (const std::string& name : table.columns())
    if (name != kRow && looks_numeric(table, name)) numbers.push_back(name);
  if (numbers.size() == 1) return numbers.front();
  throw attn::Error(table.name() + ": has no column score, and " +
                    (numbers.empty()
                         ? "none of numbers"
                         : "several of numbers (" + attn::io::list_names(numbers) + ")") +
                    "; name the column of scores as " + table.name() + ":COLUMN");
}

/// "trees", "trees:COLUMN"
std::string bare_name(const ScoreFile& file) {
  if (!file.known_as.empty()) return file.known_as;
  fs::path name = file.path.filename();
  if (name.extension() == ".gz") name = name.stem();
  return name.stem().string() + (file.column.empty() ? "" : ":" + file.column);
}

/// What stands for it on a command line.
std::string file_word(const std::string& bare) {
  const size_t colon = bare.find(':');
  if (colon == std::string::npos) return bare + ".csv, a file of that name,";
  return bare.substr(0, colon) + ".csv" + bare.substr(colon) +
         ", a file and column of these names,";
}

bool same_id(const std::string& a, const std::string& b) {
  double x = 0, y = 0;
  return a == b || (attn::io::parse_finite(a, x) && attn::io::parse_finite(b, y) && x == y);
}

/// What a file of scores calls the list of a row must be what the data calls it.
void check_list(const ScoreFile& scores, const RankLists& part, int64_t list, int64_t row) {
  const std::string& theirs = scores.list_of_row[static_cast<size_t>(row)];
  const std::string& ours = part.list_ids[static_cast<size_t>(list)];
  if (!same_id(theirs, ours))
    throw attn::Error(fmt::format(
        "{}: has row {} in list {}, but in {} that row (the header not counted) is of list {}; "
        "give the scores that belong to this file",
        scores.path.string(), row + 1, attn::io::quote_text(theirs), part.name,
        attn::io::quote_text(ours)));
}

std::vector<double> part_scores(const ScoreFile& scores, const RankLists& part) {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(part.rows()));
  for (int64_t l = 0; l < part.lists(); ++l)
    for (int64_t i = part.offsets[static_cast<size_t>(l)];
         i < part.offsets[static_cast<size_t>(l) + 1]; ++i) {
      const int64_t row = part.rows_in_file[static_cast<size_t>(i)];
      const auto at = static_cast<size_t>(row);
      if (at >= scores.by_row.size() || std::isnan(scores.by_row[at]))
        throw attn::Error(fmt::format(
            "{}: has no score of row {} of {} (the header not counted); it must tell every row of "
            "that file, in its order or by a column row",
            scores.path.string(), row + 1, part.name));
      if (part.file_has_ids && !scores.list_of_row.empty()) check_list(scores, part, l, row);
      out.push_back(scores.by_row[at]);
    }
  return out;
}

/// A file of scores that goes on behind the data's last row is of other data.
void check_rows(const ScoreFile& scores, int64_t rows, const std::string& data) {
  if (std::ssize(scores.by_row) > rows)
    throw attn::Error(
        fmt::format("{}: holds scores of {} rows, but {} has {}; give the scores that "
                    "belong to this file",
                    scores.path.string(), scores.by_row.size(), data, rows));
}

void add_part_features(RankLists& lists, std::span<const ScoreFile> with) {
  if (with.empty()) return;
  const auto names = score_feature_names(with);
  const auto rows = static_cast<size_t>(lists.rows()), old = static_cast<size_t>(lists.width()),
             width = old + with.size();
  std::vector<float> features(rows * width);
  for (size_t r = 0; r < rows; ++r)
    std::copy_n(lists.features.begin() + static_cast<std::ptrdiff_t>(r * old), old,
                features.begin() + static_cast<std::ptrdiff_t>(r * width));
  for (size_t i = 0; i < with.size(); ++i) {
    const auto scores = part_scores(with[i], lists);
    for (size_t r = 0; r < rows; ++r) features[r * width + old + i] = static_cast<float>(scores[r]);
  }
  lists.features = std::move(features);
  lists.feature_names.insert(lists.feature_names.end(), names.begin(), names.end());
}

}  // namespace

std::string score_lines(const RankLists& part, std::span<const double> scores,
                        std::span<const int64_t> last) {
  std::string text;
  for (int64_t l = 0; l < part.lists(); ++l) {
    const auto list = static_cast<size_t>(l), first = static_cast<size_t>(part.offsets[list]),
               count = static_cast<size_t>(part.offsets[list + 1]) - first;
    const std::string id = attn::io::csv_field(part.list_ids[list]);
    const std::string end = last.empty() ? "\n" : fmt::format(",{}\n", last[list]);
    std::vector<size_t> rank(count);
    const auto order = ranked(scores.subspan(first, count));
    for (size_t place = 0; place < count; ++place)
      rank[static_cast<size_t>(order[place])] = place + 1;
    for (size_t i = 0; i < count; ++i)
      text += fmt::format("{},{},{},{}{}", id, part.rows_in_file[first + i] + 1,
                          attn::io::number_text(scores[first + i]), rank[i], end);
  }
  return text;
}

ScoreFile read_scores(const fs::path& path, const std::string& column) {
  const auto table = attn::io::Table::read(path);
  const std::string name = score_column(table, column);
  std::vector<double> values = table.doubles(name);
  double first = 0;  // a file of numbers alone, as LightGBM writes it: the "header" is one of them
  if (table.columns().size() == 1 && attn::io::parse_finite(name, first))
    values.insert(values.begin(), first);
  ScoreFile out{path, {}, {}, column};
  const bool by_list = table.has(kList) && name != kList;
  const std::vector<std::string> lists =
      by_list ? table.strings(kList) : std::vector<std::string>();
  if (!table.has(kRow)) {
    out.by_row = values, out.list_of_row = lists;
    return out;
  }
  const std::vector<int64_t> rows = table.integers(kRow);
  const int64_t most = rows.empty() ? 0 : *std::max_element(rows.begin(), rows.end());
  if (most > 100 * std::ssize(rows) + 1000000)
    throw attn::Error(fmt::format("{}: column row goes up to {}, although the file holds {} rows",
                                  table.name(), most, rows.size()));
  out.by_row.assign(static_cast<size_t>(std::max<int64_t>(most, 0)),
                    std::numeric_limits<double>::quiet_NaN());
  if (by_list) out.list_of_row.resize(out.by_row.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    if (rows[i] < 1)
      throw attn::Error(table.locate(at, kRow) +
                        fmt::format(": rows count from 1, found {}", rows[i]));
    double& score = out.by_row[static_cast<size_t>(rows[i] - 1)];
    if (!std::isnan(score))
      throw attn::Error(table.locate(at, kRow) +
                        fmt::format(": row {} has a score above already", rows[i]));
    score = values[i];
    if (by_list) out.list_of_row[static_cast<size_t>(rows[i] - 1)] = lists[i];
  }
  return out;
}

std::vector<double> scores_for(const ScoreFile& scores, const RankLists& lists) {
  check_rows(scores, lists.rows(), lists.name);
  return part_scores(scores, lists);
}

std::string score_name(const ScoreFile& file) {
  return bare_name(file);
}

std::vector<std::string> score_feature_names(std::span<const ScoreFile> with) {
  std::vector<std::string> names;
  for (const ScoreFile& file : with) {
    names.push_back(std::string(kWith) + bare_name(file));
    if (std::count(names.begin(), names.end(), names.back()) > 1)
      throw attn::UsageError("two scores are named " + bare_name(file) +
                             "; give their files different names, or name different columns");
  }
  return names;
}

void add_score_features(RankLists& lists, std::span<const ScoreFile> with) {
  for (const ScoreFile& file : with) check_rows(file, lists.rows(), lists.name);
  for (const std::string& name : score_feature_names(with))
    if (std::find(lists.feature_names.begin(), lists.feature_names.end(), name) !=
        lists.feature_names.end())
      throw attn::UsageError(lists.name + ": has a column '" + name +
                             "', as the scores of --with would be named; name that column with "
                             "--ignore");
  add_part_features(lists, with);
}

void check_with(const TrainedRanker& model, std::span<const ScoreFile> with) {
  const auto given = score_feature_names(with);
  const auto bare = [](const std::string& name) { return name.substr(kWith.size()); };
  for (const std::string& name : model.with)
    if (std::find(given.begin(), given.end(), name) == given.end())
      throw attn::UsageError("the model was trained with the scores of another model, " +
                             bare(name) + "; give --with " + file_word(bare(name)) +
                             " with its scores of these rows");
  for (const std::string& name : given)
    if (std::find(model.with.begin(), model.with.end(), name) == model.with.end())
      throw attn::UsageError("the model was not trained with the scores " + bare(name) +
                             "; leave them out of --with");
}

ScoredFile score_file(const TrainedRanker& model, const fs::path& data, const ListOptions& columns,
                      std::span<const ScoreFile> with, const fs::path& out,
                      const attn::Hooks& hooks) {
  if (out.extension() != ".csv")
    throw attn::UsageError("--out " + out.string() + ": scores are written as .csv");
  check_with(model, with);
  ListOptions needed = columns;  // what is not known yet of lists to be scored may be empty there
  needed.label.clear(), needed.profit.clear(), needed.time.clear();
  needed.costs = {}, needed.keep.clear();
  ListReader reader(data, needed);
  attn::io::AtomicFile file(out);
  file.append("list,row,score,rank\n");
  ScoredFile done;
  while (auto part = reader.next(kScoredAtOnce)) {
    hooks.check();
    if (done.lists == 0) done.unused = part->unused;
    add_part_features(*part, with);
    file.append(score_lines(*part, model_scores(model, *part, hooks)));
    done.lists += part->lists();
    done.rows += part->rows();
    hooks.report("rows", done.rows, 0);
  }
  for (const ScoreFile& scores : with) check_rows(scores, done.rows, data.string());
  file.commit();
  return done;
}

}  // namespace finance
