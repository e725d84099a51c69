// Options about the series, which most verbs share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/series/read.h"

namespace attn::app {

/// Which file, and what its columns are.
struct SeriesArgs {
  std::filesystem::path data;
  std::string layout = "auto", fill = "none", date_order = "auto";
  std::optional<std::string> time, id, frequency;
  std::vector<std::string> targets, past, future, statics;
  std::optional<int64_t> season;

  /// Throws attn::UsageError.
  timeseries::ReadOptions options() const;
  /// Reads --data and logs what a person must know of it.
  timeseries::SeriesSet read() const;
  /// The same with the columns that `model` was trained on, where none are named.
  timeseries::SeriesSet read_for(const timeseries::ForecastModel& model) const;
};

/// --data and all that says how it is read; `data_help` is what else --data may be, or "".
void declare_series(SeriesArgs& args, OptionTable& table, const std::string& data_help = {});
/// How --data is read, without --data itself.
void declare_columns(SeriesArgs& args, OptionTable& table);
/// --season.
void declare_season(SeriesArgs& args, OptionTable& table);

/// Reads `file` and logs what a person must know of it.
timeseries::Reading read_told(const std::filesystem::path& file,
                              const timeseries::ReadOptions& options);
timeseries::Reading told(timeseries::Reading reading);

/// "ETTh1.csv: 1 series of 17,420 rows, 7 channels, every 1 hour".
std::string set_text(const timeseries::SeriesSet& set);

/// An instant as the set's file writes it, or the number of its row.
std::string stamp_text(timeseries::Instant instant, const timeseries::SeriesSet& set);

}  // namespace attn::app
