#include "apps/attn-forecast/series_args.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/tables.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/stamp.h"

namespace attn::app {

void declare_columns(SeriesArgs& args, OptionTable& table) {
  table.group("Columns (found where they are not named; names apart by blanks or commas)");
  table.add({.name = "target", .target = &args.targets, .help = "columns to forecast"});
  table.add({.name = "time", .target = &args.time, .help = "column of time stamps"});
  table.add({.name = "id", .target = &args.id, .help = "column that tells series apart"});
  table.add({.name = "past", .target = &args.past, .help = "covariates that are known up to now"});
  table.add({.name = "future",
             .target = &args.future,
             .help = "covariates that are known ahead; their rows go on behind the last value"});
  table.add(
      {.name = "static", .target = &args.statics, .help = "columns of one value for a series"});
  table.group("Reading");
  table.add({.name = "layout",
             .target = &args.layout,
             .help = "a column for each channel; a column of ids; a row for each series",
             .choices = {"auto", "wide", "long", "rows"}});
  table.add({.name = "freq",
             .target = &args.frequency,
             .help = "distance of rows, such as h, 15min, D, B, W, M; index counts rows",
             .unit = "FREQ"});
  table.add({.name = "fill",
             .target = &args.fill,
             .help = "what to put into rows that are absent; none: they are an error",
             .choices = {"none", "missing", "linear", "forward"}});
  table.add({.name = "date-order",
             .target = &args.date_order,
             .help = "of dates such as 01/02/2020",
             .choices = {"auto", "day-first", "month-first"}});
}

void declare_series(SeriesArgs& args, OptionTable& table, const std::string& data_help) {
  table.add({.name = "data",
             .target = &args.data,
             .help = "table of series (CSV, TSV, Parquet, plain or gzip), - for standard input" +
                     data_help,
             .unit = "FILE",
             .required = true});
  declare_columns(args, table);
}

void declare_season(SeriesArgs& args, OptionTable& table) {
  table.add({.name = "season",
             .target = &args.season,
             .help = "steps of a season; else that of the frequency (h 24, D 7, W 52, M 12)",
             .unit = "N",
             .min = 1});
}

timeseries::ReadOptions SeriesArgs::options() const {
  timeseries::ReadOptions out;
  out.layout = timeseries::parse_layout(layout);
  out.time_column = time.value_or("");
  out.id_column = id.value_or("");
  out.targets = split_names(targets);
  out.past = split_names(past);
  out.future = split_names(future);
  out.statics = split_names(statics);
  if (frequency) out.frequency = timeseries::parse_frequency(*frequency);
  out.fill = timeseries::parse_fill(fill);
  out.date_order = timeseries::parse_date_order(date_order);
  return out;
}

timeseries::SeriesSet SeriesArgs::read() const {
  return read_told(data, options()).set;
}

timeseries::SeriesSet SeriesArgs::read_for(const timeseries::ForecastModel& model) const {
  return told(timeseries::read_for(model, data, options())).set;
}

timeseries::Reading read_told(const std::filesystem::path& file,
                              const timeseries::ReadOptions& options) {
  return told(timeseries::read_series(file, options));
}

timeseries::Reading told(timeseries::Reading reading) {
  log_info(set_text(reading.set));
  for (const auto& sentence : reading.report.sentences(reading.set)) log_info(sentence);
  return reading;
}

std::string set_text(const timeseries::SeriesSet& set) {
  int64_t least = 0;
  int64_t most = 0;
  for (const auto& series : set.series) {
    least = &series == &set.series.front() ? series.rows : std::min(least, series.rows);
    most = std::max(most, series.rows);
  }
  const bool calendar = set.frequency.unit != timeseries::Unit::index;
  return fmt::format(
      "{}: {} of {} rows, {}{}", timeseries::name_of(set),
      counted(std::ssize(set.series), "series", "series"),
      least == most ? number_words(most) : number_words(least) + " to " + number_words(most),
      counted(std::ssize(set.channels), "channel", "channels"),
      calendar ? ", every " + timeseries::frequency_words(set.frequency) : "");
}

std::string stamp_text(timeseries::Instant instant, const timeseries::SeriesSet& set) {
  return set.frequency.unit == timeseries::Unit::index
             ? std::to_string(instant)
             : timeseries::format_stamp(instant, set.stamps);
}

}  // namespace attn::app
