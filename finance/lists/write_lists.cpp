#include <array>
#include <charconv>
#include <set>

#include "attn/error.h"
#include "finance/lists/read_lists.h"
#include "libattn/io/table_write.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::io::Column;

/// The double whose shortest decimal is that of the float, where it reads back to it: 0.1 rather
/// than 0.10000000149011612.
double written(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double as_double = 0;
  std::from_chars(text.data(), end, as_double);
  return static_cast<float>(as_double) == value ? as_double : static_cast<double>(value);
}

std::vector<double> feature_column(const RankLists& lists, int64_t j) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(lists.rows()));
  for (int64_t i = 0; i < lists.rows(); ++i)
    values.push_back(written(lists.features[static_cast<size_t>(i * lists.width() + j)]));
  return values;
}

/// One text a list, for each of its rows.
std::vector<std::string> row_texts(const RankLists& lists, const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  out.reserve(static_cast<size_t>(lists.rows()));
  for (size_t l = 0; l < texts.size(); ++l)
    out.insert(out.end(), static_cast<size_t>(lists.offsets[l + 1] - lists.offsets[l]), texts[l]);
  return out;
}

void refuse_doubles(const std::filesystem::path& path, const std::vector<Column>& columns) {
  std::set<std::string> names;
  for (const Column& column : columns)
    if (!names.insert(column.name).second)
      throw attn::UsageError("cannot write " + path.string() + ": two columns would be named " +
                             attn::io::quote_text(column.name) + "; name one of them otherwise");
}

}  // namespace

void write_lists(const std::filesystem::path& path, const RankLists& lists,
                 const ListOptions& names) {
  const auto named = [](const std::string& name, const char* otherwise) {
    return name.empty() ? std::string(otherwise) : name;
  };
  std::vector<Column> columns;
  const std::string list = named(names.list, "list");
  columns.push_back({list, row_texts(lists, lists.list_ids)});
  const std::string time = named(names.time, "time");
  if (!lists.times.empty() && !(time == list && lists.times == lists.list_ids))
    columns.push_back({time, row_texts(lists, lists.times)});
  for (int64_t j = 0; j < lists.width(); ++j)
    columns.push_back({lists.feature_names[static_cast<size_t>(j)], feature_column(lists, j)});
  for (const CategoryColumn& c : lists.categories) columns.push_back({c.name, c.values});
  const NamedColumn label{named(names.label, "label"), lists.label};
  const NamedColumn profit{named(names.profit, "profit"), lists.profit};
  if (!label.values.empty()) columns.push_back({label.name, label.values});
  if (!profit.values.empty()) columns.push_back({profit.name, profit.values});
  const auto same = [](const NamedColumn& x, const NamedColumn& y) {
    return x.name == y.name && x.values == y.values;
  };
  for (const NamedColumn& c : lists.kept)  // of which the label and the profit may be some
    if (!same(c, label) && !same(c, profit)) columns.push_back({c.name, c.values});
  refuse_doubles(path, columns);
  attn::io::write_table(path, columns);
}

}  // namespace finance
