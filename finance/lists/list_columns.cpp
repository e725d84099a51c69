#include "finance/lists/list_columns.h"

#include <algorithm>
#include <map>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::UsageError;
using attn::io::quote_text;
using Names = std::vector<std::string>;

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Column -> what it is named as. A column has one meaning; but a list's id may be its time, and
/// what is kept may be read as numbers beside, a feature too.
class Meanings {
 public:
  void add(const std::string& column, const std::string& meaning) {
    if (column.empty()) return;
    const auto [found, fresh] = meaning_.emplace(column, meaning);
    if (!fresh)
      throw UsageError("column " + quote_text(column) + " is named as " + found->second +
                       " and as " + meaning + "; name it as one of them");
  }
  void add(const Names& columns, const std::string& meaning) {
    for (const std::string& column : columns) add(column, meaning);
  }

 private:
  std::map<std::string, std::string> meaning_;
};

Names cost_names(const CostColumns& costs) {
  return {costs.fp, costs.fn, costs.tp, costs.tn};
}

/// Those that are columns, not numbers.
Names cost_columns(const CostColumns& costs) {
  Names names = cost_names(costs);
  std::erase_if(names, [](const std::string& cost) {
    double number = 0;
    return cost.empty() || attn::io::parse_finite(cost, number);
  });
  std::sort(names.begin(), names.end());  // one column may be several costs
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void check_meanings(const ListOptions& o) {
  Meanings all;
  all.add(o.list, "the list");
  if (o.time != o.list) all.add(o.time, "the time");
  all.add(o.label, "the label");
  all.add(o.profit, "the profit");
  all.add(cost_columns(o.costs), "a cost");
  all.add(o.features, "a feature");
  all.add(o.categorical, "a category");
  all.add(o.ignore, "ignored");
  Meanings kept;
  kept.add(o.categorical, "a category");
  kept.add(o.ignore, "ignored");
  kept.add(o.keep, "kept");
}

void check_costs(const ListOptions& o) {
  if (!o.costs.given()) return;
  if (contains(cost_names(o.costs), ""))
    throw UsageError(
        "the costs of false and true positives and negatives are four; name all four or "
        "none");
  if (!o.profit.empty())
    throw UsageError("the profit is column " + quote_text(o.profit) +
                     " or made of four costs; name one of the two");
  if (o.label.empty())
    throw UsageError(
        "the money that costs make depends on the label; name the column of the label");
}

void check_lists(const ListOptions& o) {
  const int ways = (o.list.empty() ? 0 : 1) + (o.list_size ? 1 : 0) + (o.lengths ? 1 : 0);
  if (ways > 1)
    throw UsageError(
        "a column of list ids, a size of lists and a file of their lengths exclude each other; "
        "name one of them");
  if (o.list_size && *o.list_size < 1)
    throw UsageError("the size of lists must be 1 or more, found " + std::to_string(*o.list_size));
  if ((o.list_size || o.lengths) && !o.time.empty())
    throw UsageError("only lists by a column of ids have a time; leave the column " +
                     quote_text(o.time) + " out or name a column of list ids");
}

}  // namespace

void check_options(const ListOptions& options) {
  check_lists(options);
  check_costs(options);
  check_meanings(options);
}

ListColumns named_columns(const ListOptions& o, const attn::io::TableStream& table) {
  ListColumns columns;
  const auto taken = [&](const std::string& column, bool needed) {
    if (column.empty() || (!needed && !table.has(column))) return std::string();
    table.require(column);
    return column;
  };
  const auto all = [&](const Names& names) {
    for (const std::string& name : names) table.require(name);
    return names;
  };
  columns.list = taken(o.list, true);
  columns.label = taken(o.label, o.need_label);
  columns.profit = taken(o.profit, o.need_profit);
  columns.time = taken(o.time, o.need_time);
  columns.features = all(o.features);
  columns.categorical = all(o.categorical);
  columns.keep = all(o.keep);
  if (o.features.empty()) all(o.ignore);
  if (o.costs.given()) {
    const Names costs = cost_columns(o.costs);
    const bool there = std::all_of(costs.begin(), costs.end(),
                                   [&](const std::string& name) { return table.has(name); });
    if (o.need_profit && columns.label.empty())
      throw attn::Error(
          table.name() +
          ": the money that costs make depends on the label, and there is no column " +
          quote_text(o.label) + attn::io::did_you_mean(o.label, table.columns()));
    if (o.need_profit) all(costs);
    if (there && !columns.label.empty()) columns.costs = o.costs;
  }
  return columns;
}

namespace {

/// A column of numbers but for a few words is hardly meant as words: it would be no feature, and
/// nobody would know why.
void refuse_slips(const attn::io::Table& rows, const std::string& column) {
  if (column.starts_with("unnamed ")) return;
  const Names texts = rows.strings(column);
  size_t words = 0, first = 0;
  for (size_t i = texts.size(); i-- > 0;) {
    double number = 0;
    if (texts[i].empty() || texts[i] == "NA" || attn::io::parse_finite(texts[i], number)) continue;
    ++words, first = i;
  }
  if (words == 0 || words * 20 > texts.size()) return;
  throw attn::Error(rows.locate(static_cast<int64_t>(first), column) + ": found " +
                    quote_text(texts[first]) +
                    " in a column of numbers; mend it, or name the "
                    "column with --categorical or --ignore");
}

}  // namespace

void find_features(ListColumns& columns, const ListOptions& o, const attn::io::Table& rows) {
  columns.found_features = o.features.empty() && o.find_features;
  Names named = {o.list, o.label, o.profit, o.time};
  for (const Names& more : {cost_columns(o.costs), o.features, o.categorical, o.ignore, o.keep})
    named.insert(named.end(), more.begin(), more.end());
  for (const std::string& column : rows.columns()) {
    if (contains(named, column)) continue;
    // A column without a name is what row numbers are written in: what they tell is no feature.
    // With infinities: a column of numbers that holds one is refused later, not passed over.
    const bool numbers =
        columns.found_features && !column.starts_with("unnamed ") &&
        rows.holds_numbers(column, {.allow_missing = true, .allow_nonfinite = true});
    if (numbers) {
      columns.features.push_back(column);
    } else if (o.find_features) {
      if (columns.found_features) refuse_slips(rows, column);
      columns.unused.push_back(column);
    }
  }
}

}  // namespace finance
