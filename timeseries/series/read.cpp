#include "timeseries/series/read.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "attn/error.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"
#include "timeseries/series/assemble.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/columns.h"
#include "timeseries/series/frequency.h"
#include "timeseries/series/read_rows.h"

namespace timeseries {
namespace {

using attn::io::quote_text;
using attn::io::Table;

/// Table rows of each series, series in the order of their first row.
std::vector<PlacedRows> group(const Table& table, const ColumnRoles& roles) {
  std::vector<PlacedRows> out;
  if (roles.id.empty()) {
    out.emplace_back();
    out[0].rows.resize(static_cast<size_t>(table.rows()));
    std::iota(out[0].rows.begin(), out[0].rows.end(), 0);
    return out;
  }
  const std::vector<std::string> ids = table.strings(roles.id);
  std::unordered_map<std::string_view, size_t> index;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (ids[i].empty()) throw attn::Error(table.locate(row, roles.id) + ": the series has no id");
    const auto [found, fresh] = index.emplace(ids[i], out.size());
    if (fresh) {
      out.emplace_back();
      out.back().id = ids[i];
    }
    out[found->second].rows.push_back(row);
  }
  return out;
}

void count_rows(PlacedRows& placed) {
  placed.stamps.resize(placed.rows.size());
  std::iota(placed.stamps.begin(), placed.stamps.end(), Instant{1});
}

/// Gives each series its stamps, earliest first.
void order_by(const std::vector<Instant>& instants, const Assembler& assembler,
              std::vector<PlacedRows>& groups, ReadReport& report) {
  for (PlacedRows& placed : groups) {
    placed.stamps.reserve(placed.rows.size());
    for (const int64_t row : placed.rows)
      placed.stamps.push_back(instants[static_cast<size_t>(row)]);
    if (!runs_backwards(placed.stamps, assembler.words(placed))) continue;
    std::reverse(placed.rows.begin(), placed.rows.end());
    std::reverse(placed.stamps.begin(), placed.stamps.end());
    ++report.backwards;
  }
}

bool asks_to_count(const ReadOptions& options) {
  return options.frequency && *options.frequency == Frequency{};
}

Frequency frequency_for(const Table& table, const ReadOptions& options, bool has_calendar,
                        const std::vector<PlacedRows>& groups) {
  const auto longest = std::max_element(
      groups.begin(), groups.end(),
      [](const PlacedRows& a, const PlacedRows& b) { return a.rows.size() < b.rows.size(); });
  if (options.frequency) {
    if (has_calendar != (options.frequency->unit != Unit::index)) {
      throw attn::Error(
          table.name() + ": the frequency " + frequency_text(*options.frequency) +
          (has_calendar
               ? " counts whole numbers, but the stamps are dates; give index to count rows, or "
               : " needs dates, but the rows are counted by whole numbers; ") +
          "leave --freq out");
    }
    return settled(*options.frequency, longest->stamps);
  }
  if (const auto found = infer_frequency(longest->stamps, has_calendar)) return *found;
  throw attn::Error(table.name() + ": a frequency cannot be told from " +
                    (groups.size() == 1 ? "a single row" : "series of a single row") +
                    "; name it by --freq");
}

/// Stamps, order and frequency of wide and long tables.
void set_clock(const Table& table, const ColumnRoles& roles, const ReadOptions& options,
               const Assembler& assembler, std::vector<PlacedRows>& groups, Reading& reading) {
  SeriesSet& set = reading.set;
  if (!roles.time.empty()) {
    const std::vector<std::string> texts = table.strings(roles.time);
    StampOptions how;
    how.order = options.date_order;
    how.locate = [&](size_t i) { return table.locate(static_cast<int64_t>(i), roles.time); };
    StampColumn stamps = parse_stamps(texts, how);
    set.stamps = std::move(stamps.format);
    order_by(stamps.instants, assembler, groups, reading.report);
  }
  const bool counted = roles.time.empty() || asks_to_count(options);
  if (counted) {
    if (!roles.time.empty())
      reading.report.notes.push_back(table.name() + ": the stamps of column " +
                                     quote_text(roles.time) +
                                     " are not used; rows are counted from 1");
    set.stamps = {};
    for (PlacedRows& placed : groups) count_rows(placed);
  } else {
    set.time_column = roles.time;
  }
  const bool has_calendar = set.stamps.pattern != "#";
  set.frequency = counted && !options.frequency
                      ? Frequency{}
                      : frequency_for(table, options, has_calendar, groups);
}

void read_columns(const Table& table, const ColumnRoles& roles, const ReadOptions& options,
                  Reading& reading) {
  SeriesSet& set = reading.set;
  set.id_column = roles.id;
  set.channels = roles.targets;
  set.past_names = roles.past, set.future_names = roles.future, set.static_names = roles.statics;
  std::vector<PlacedRows> groups = group(table, roles);
  Assembler assembler(table, roles, options, reading);
  set_clock(table, roles, options, assembler, groups, reading);
  const TableValues values = read_values(table, roles);
  set.series.reserve(groups.size());
  for (const PlacedRows& placed : groups) assembler.add(placed, values);
  assembler.finish();
}

}  // namespace

Reading read_series(const std::filesystem::path& path, const ReadOptions& options) {
  const Table table = Table::read(path);
  Reading reading;
  reading.set.path = path;
  reading.report.table_rows = table.rows();
  const ColumnRoles roles = choose_columns(table, options, reading.report.notes);
  if (table.rows() == 0)
    throw attn::Error(table.name() + ": holds a header but no rows; expected one row or more");
  reading.report.layout = roles.layout;
  if (roles.layout == Layout::rows) {
    if (options.frequency && !asks_to_count(options))
      throw attn::Error(table.name() +
                        ": with one series a row there are no dates, and the frequency " +
                        frequency_text(*options.frequency) + " needs some; leave --freq out");
    read_rows(table, roles, reading);
  } else {
    read_columns(table, roles, options, reading);
  }
  reading.report.series = static_cast<int64_t>(reading.set.series.size());
  return reading;
}

}  // namespace timeseries
