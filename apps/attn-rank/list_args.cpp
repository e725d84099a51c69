#include "apps/attn-rank/list_args.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/tables.h"
#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

/// FILE or FILE:COLUMN.
struct ScoreWord {
  fs::path path;
  std::string column;
};

ScoreWord score_word(const std::string& word) {
  const size_t colon = word.rfind(':');
  if (colon == std::string::npos || fs::exists(word)) return {word, ""};
  return {word.substr(0, colon), word.substr(colon + 1)};
}

template <class T>
void take(const std::optional<T>& given, T& target) {
  if (given) target = *given;
}

void declare_costs(ListArgs& args, OptionTable& table) {
  table.add({.name = "cost-fp",
             .target = &args.cost_fp,
             .help = "what it costs to flag a row wrongly; with the other three: profit "
                     "is the money that flagging the row saves",
             .unit = "COLUMN|X"});
  table.add({.name = "cost-fn",
             .target = &args.cost_fn,
             .help = "... not to flag it wrongly",
             .unit = "COLUMN|X"});
  table.add({.name = "cost-tp",
             .target = &args.cost_tp,
             .help = "... to flag it rightly",
             .unit = "COLUMN|X"});
  table.add({.name = "cost-tn",
             .target = &args.cost_tn,
             .help = "... not to flag it rightly",
             .unit = "COLUMN|X"});
}

void declare_outcomes(ListArgs& args, OptionTable& table) {
  table.add({.name = "label",
             .target = &args.label,
             .help = "relevance, a number from 0 on; above 0: risky",
             .unit = "COLUMN"});
  table.add({.name = "profit",
             .target = &args.profit,
             .help = "money that a hedge of the row saves, of both signs",
             .unit = "COLUMN"});
  declare_costs(args, table);
  table.add({.name = "time",
             .target = &args.time,
             .help = "when a list is, for splits and pictures by time",
             .unit = "COLUMN"});
}

void declare_reading(ListArgs& args, OptionTable& table) {
  table.group("Reading");
  table.add({.name = "format",
             .target = &args.format,
             .help = "table: CSV, TSV and Parquet with named columns; svmrank: rows `label qid:N "
                     "id:value`; libsvm: `label id:value`; auto: by what the file holds",
             .choices = {"auto", "table", "svmrank", "libsvm"}});
  table.add({.name = "lengths",
             .target = &args.lengths,
             .help = "the length of each list, one a line (LightGBM's .query)",
             .unit = "FILE"});
  table.add({.name = "list-size",
             .target = &args.list_size,
             .help = "put rows without lists into lists of so many, drawn by --seed",
             .unit = "N",
             .min = 1});
}

// What every file may be told.
void fill(const ListArgs& args, const Context& context, finance::ListOptions& o) {
  o.format = finance::parse_list_format(args.format);
  take(args.list, o.list), take(args.label, o.label), take(args.profit, o.profit);
  take(args.time, o.time);
  take(args.cost_fp, o.costs.fp), take(args.cost_fn, o.costs.fn);
  take(args.cost_tp, o.costs.tp), take(args.cost_tn, o.costs.tn);
  if (args.profit && !args.cost_fp) o.costs = {};
  if (args.cost_fp && !args.profit) o.profit.clear();
  if ((args.lengths || args.list_size) && !args.list) o.list.clear();
  if ((args.lengths || args.list_size) && !args.time) o.time.clear();
  o.need_time = args.time.has_value();
  o.lengths = args.lengths;
  o.list_size = args.list_size;
  o.seed = static_cast<uint64_t>(context.common.seed);
  for (const auto& name : split_names(args.keep))
    if (std::find(o.keep.begin(), o.keep.end(), name) == o.keep.end()) o.keep.push_back(name);
}

}  // namespace

void declare_lists(ListArgs& args, OptionTable& table, ListUse use) {
  table.group(use == ListUse::learned ? "Columns"
                                      : "Columns (those of the training where they are not named)");
  table.add({.name = "list",
             .target = &args.list,
             .help = "says which list a row is of",
             .unit = "COLUMN"});
  if (use != ListUse::scored) declare_outcomes(args, table);
  if (use == ListUse::learned) {
    table.add({.name = "features",
               .target = &args.features,
               .help = "columns of numbers to learn from (all others that hold numbers)",
               .unit = "COLUMN"});
    table.add({.name = "categorical",
               .target = &args.categorical,
               .help = "columns of words to learn from",
               .unit = "COLUMN"});
    table.add({.name = "ignore",
               .target = &args.ignore,
               .help = "columns to leave alone",
               .unit = "COLUMN"});
  }
  if (use != ListUse::scored)
    table.add({.name = "keep",
               .target = &args.keep,
               .help = "columns of numbers to have at hand, such as the stake; not learned from",
               .unit = "COLUMN"});
  declare_reading(args, table);
}

void ListArgs::have_at_hand(const std::string& column) {
  auto names = split_names(ignore);
  std::erase(names, column);
  ignore = std::move(names);
  keep.push_back(column);
}

finance::ListOptions ListArgs::options(const Context& context) const {
  finance::ListOptions o;
  fill(*this, context, o);
  o.features = split_names(features);
  o.categorical = split_names(categorical);
  o.ignore = split_names(ignore);
  return o;
}

finance::ListOptions ListArgs::options_for(const finance::TrainedRanker& model, bool need,
                                           const Context& context) const {
  finance::ListOptions o = finance::reading_options(model, need);
  fill(*this, context, o);
  return o;
}

std::string lists_text(const finance::RankLists& lists) {
  int64_t least = lists.rows(), most = 0;
  for (int64_t l = 0; l < lists.lists(); ++l) {
    const auto at = static_cast<size_t>(l);
    const int64_t rows = lists.offsets[at + 1] - lists.offsets[at];
    least = std::min(least, rows), most = std::max(most, rows);
  }
  std::string text =
      fmt::format("{}: {} of {}{}", lists.name, counted(lists.lists(), "list", "lists"),
                  least == most ? "" : number_words(least) + " to ", counted(most, "row", "rows"));
  if (lists.width() > 0) text += ", " + counted(lists.width(), "feature", "features");
  if (!lists.categories.empty())
    text += fmt::format(", {}", counted(std::ssize(lists.categories), "category", "categories"));
  return text;
}

void tell_unused(const std::string& file, const std::vector<std::string>& columns) {
  if (!columns.empty())
    log_info(fmt::format("{}: columns not used: {}", file, io::list_names(columns)));
}

finance::RankLists read_told(const std::filesystem::path& file,
                             const finance::ListOptions& options) {
  auto lists = finance::read_lists(file, options);
  log_info(lists_text(lists));
  tell_unused(lists.name, lists.unused);
  return lists;
}

std::vector<fs::path> files_read(const std::vector<fs::path>& data, const ListArgs& args,
                                 const std::vector<std::string>& scores) {
  std::vector<fs::path> files = data;
  if (args.lengths) files.push_back(*args.lengths);
  for (const auto& word : split_names(scores)) files.push_back(score_word(word).path);
  return files;
}

void require_page(const fs::path& page, const std::string& option) {
  if (page.extension() != ".html" && page.extension() != ".htm")
    throw UsageError(option + " " + page.string() + ": a page is written as .html");
  io::require_writable(page, option);
}

finance::ScoreFile read_score_file(const std::string& word) {
  const ScoreWord of = score_word(word);
  return finance::read_scores(of.path, of.column);
}

std::filesystem::path score_path(const std::string& word) {
  return score_word(word).path;
}

std::vector<finance::ScoreFile> read_score_files(const std::vector<std::string>& words) {
  std::vector<finance::ScoreFile> files;
  for (const auto& word : split_names(words)) files.push_back(read_score_file(word));
  return files;
}

}  // namespace attn::app
