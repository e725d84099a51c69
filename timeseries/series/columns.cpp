#include "timeseries/series/columns.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <unordered_set>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace timeseries {
namespace {

using attn::io::quote_text;
using attn::io::Table;
using Names = std::vector<std::string>;

/// In the order of preference.
constexpr std::array<std::string_view, 8> kTimeNames{
    "timestamp", "datetime", "date_time", "date", "ds", "time", "time_stamp", "period"};
/// Also names of calendar features: a time column only where they hold dates.
constexpr std::array<std::string_view, 5> kCalendarNames{"month", "week", "day", "quarter", "year"};
/// Counters of rows.
constexpr std::array<std::string_view, 4> kCounterNames{"t", "step", "index", "time_idx"};
constexpr std::array<std::string_view, 8> kIdNames{"unique_id", "item_id", "series_id",   "series",
                                                   "id",        "segment", "series_name", "ts_id"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// What the first rows of a column hold.
Names first_cells(const Table& table, const std::string& column) {
  Names out;
  for (std::string& cell : table.first_strings(column, 20))
    if (!cell.empty()) out.push_back(std::move(cell));
  return out;
}

bool holds_stamps(const Table& table, const std::string& column) {
  const Names cells = first_cells(table, column);
  return !cells.empty() && std::all_of(cells.begin(), cells.end(), looks_like_stamp);
}

bool holds_dates_of_words(const Table& table, const std::string& column) {
  const Names cells = first_cells(table, column);
  // A plain number may be a value as well as a year.
  return !cells.empty() && std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return looks_like_stamp(cell) && cell.find_first_not_of("0123456789") != std::string::npos;
  });
}

bool counts_rows(const Table& table, const std::string& column) {
  const Names cells = first_cells(table, column);
  for (size_t i = 0; i < cells.size(); ++i)
    if (cells[i].find_first_not_of("0123456789") != std::string::npos || cells[i].size() > 15 ||
        (i > 0 && std::stoll(cells[i]) <= std::stoll(cells[i - 1])))
      return false;
  return !cells.empty();
}

template <class List, class Holds>
std::string find_named(const Table& table, const List& names, const Holds& holds) {
  for (const std::string_view name : names)
    for (const std::string& column : table.columns())
      if (lower(column) == name && holds(column)) return column;
  return {};
}

bool repeats(const Names& cells) {
  std::unordered_set<std::string_view> seen;
  return std::any_of(cells.begin(), cells.end(),
                     [&](const std::string& cell) { return !seen.insert(cell).second; });
}

/// V1, V2, ..., at least two.
bool has_m4_header(const Names& columns) {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i] != "V" + std::to_string(i + 1)) return false;
  return columns.size() > 1;
}

/// Refuses columns that are not there, and takes note of the role of the others.
class Roster {
 public:
  explicit Roster(const Table& table) : table_(table) {}

  void take(const std::string& column, const std::string& role) {
    if (!table_.has(column)) {
      throw attn::Error(table_.name() + ": there is no column " + quote_text(column, 80) + " for " +
                        role + " (found: " + attn::io::list_names(table_.columns()) + ")" +
                        attn::io::did_you_mean(column, table_.columns()));
    }
    const auto [at, fresh] = roles_.emplace(column, role);
    if (!fresh) {
      throw attn::UsageError("column " + quote_text(column, 80) + " of " + table_.name() +
                             " is named twice, for " + at->second + " and for " + role +
                             "; name it once");
    }
  }
  void take_all(const Names& columns, const std::string& role) {
    for (const std::string& column : columns) take(column, role);
  }
  bool taken(const std::string& column) const { return roles_.count(column) > 0; }

 private:
  const Table& table_;
  std::map<std::string, std::string> roles_;
};

ColumnRoles rows_roles(const Table& table, const ReadOptions& options) {
  if (!options.time_column.empty() || !options.targets.empty() || !options.past.empty() ||
      !options.future.empty() || !options.statics.empty()) {
    throw attn::UsageError(
        table.name() +
        ": with one series a row there are no columns of time, "
        "values or covariates to name; leave them out, or name another --layout");
  }
  ColumnRoles roles;
  roles.layout = Layout::rows;
  Roster roster(table);
  roles.id = options.id_column.empty() ? table.columns()[0] : options.id_column;
  roster.take(roles.id, "ids");
  for (const std::string& column : table.columns())
    if (column != roles.id) roles.targets.push_back(column);
  if (roles.targets.empty())
    throw attn::Error(table.name() + ": holds ids but no columns of values");
  return roles;
}

/// The column of time among those without a role; empty where there is none.
std::string find_time(const Table& table, const Roster& roster) {
  const auto spare = [&](const std::string& c) { return !roster.taken(c); };
  const auto dates = [&](const std::string& c) { return spare(c) && holds_stamps(table, c); };
  const auto counts = [&](const std::string& c) { return spare(c) && counts_rows(table, c); };
  std::string found = find_named(table, kTimeNames, spare);
  if (found.empty()) found = find_named(table, kCalendarNames, dates);
  if (!found.empty()) return found;
  for (const std::string& column : table.columns())
    if (spare(column) && holds_dates_of_words(table, column)) return column;
  return find_named(table, kCounterNames, counts);
}

/// The id column in a table of wide or long form; empty where there is none.
std::string find_id(const Table& table, const Roster& roster, Names& left_out, Names& notes) {
  for (const std::string_view name : kIdNames) {
    for (const std::string& column : table.columns()) {
      if (lower(column) != name || roster.taken(column)) continue;
      if (table.rows() == 1 || repeats(table.strings(column))) return column;
      left_out.push_back(column);
      notes.push_back(table.name() + ": column " + quote_text(column) +
                      " holds another text in each row and tells no series apart; it is left out");
    }
  }
  return {};
}

}  // namespace

ColumnRoles choose_columns(const Table& table, const ReadOptions& options, Names& notes) {
  if (options.layout == Layout::rows ||
      (options.layout == Layout::automatic && options.time_column.empty() &&
       options.targets.empty() && has_m4_header(table.columns())))
    return rows_roles(table, options);
  ColumnRoles roles;
  Roster roster(table);
  if (!options.time_column.empty()) roster.take(options.time_column, "time");
  if (!options.id_column.empty()) roster.take(options.id_column, "ids");
  roster.take_all(options.targets, "values");
  roster.take_all(options.past, "covariates known up to now");
  roster.take_all(options.future, "covariates known ahead");
  roster.take_all(options.statics, "static covariates");
  roles.time = options.time_column;
  if (roles.time.empty()) {
    roles.time = find_time(table, roster);
    if (!roles.time.empty()) roster.take(roles.time, "time");
  }
  roles.id = options.id_column;
  Names left_out;
  if (options.layout == Layout::wide && !roles.id.empty())
    throw attn::UsageError(
        "a column of ids makes the layout long; leave out --id or "
        "--layout wide");
  if (roles.id.empty() && options.layout != Layout::wide)
    roles.id = find_id(table, roster, left_out, notes);
  if (roles.id.empty() && options.layout == Layout::longform)
    throw attn::Error(table.name() + ": no column of ids was found (columns: " +
                      attn::io::list_names(table.columns()) + "); name it by --id");
  roles.layout = roles.id.empty() ? Layout::wide : Layout::longform;
  roles.targets = options.targets;
  roles.targets_named = !options.targets.empty();
  roles.past = options.past, roles.future = options.future, roles.statics = options.statics;
  for (const std::string& column : table.columns())
    if (!roles.targets_named && !roster.taken(column) && column != roles.id &&
        std::find(left_out.begin(), left_out.end(), column) == left_out.end())
      roles.targets.push_back(column);
  if (roles.targets.empty())
    throw attn::Error(table.name() + ": has no column of values (found: " +
                      attn::io::list_names(table.columns()) + "); name one by --target");
  return roles;
}

}  // namespace timeseries
