#include "timeseries/model/forecast_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "libattn/io/table.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The columns of a forecast as texts; numbers apart.
struct Texts {
  std::vector<std::string> columns;
  std::vector<std::string> ids, channels, stamps;
  std::vector<std::string> names;  ///< "forecast" and what stands behind it
  std::vector<double> values;      ///< (R, names)
  std::function<std::string(size_t)> locate;
};

/// Where `channel`, the stamp and `forecast` stand. Throws Error where the file is no forecast.
size_t channel_place(const std::vector<std::string>& columns, const fs::path& path) {
  const auto channel = std::find(columns.begin(), columns.end(), "channel");
  const auto forecast = std::find(columns.begin(), columns.end(), "forecast");
  if (channel == columns.end() || forecast == columns.end() || forecast - channel != 2)
    throw attn::Error(path.string() +
                      ": is no forecast; expected the columns channel, a time stamp and forecast "
                      "side by side, as the verb forecast writes them");
  return static_cast<size_t>(channel - columns.begin());
}

Texts texts_of_table(const fs::path& path) {
  const auto table = std::make_shared<attn::io::Table>(attn::io::Table::read(path));
  Texts out;
  out.columns = table->columns();
  const size_t channel = channel_place(out.columns, path);
  out.channels = table->strings("channel");
  out.stamps = table->strings(out.columns[channel + 1]);
  if (channel > 0) out.ids = table->strings(out.columns[channel - 1]);
  out.names.assign(out.columns.begin() + static_cast<std::ptrdiff_t>(channel) + 2,
                   out.columns.end());
  out.values = table->matrix_double(out.names, {.allow_missing = true});
  out.locate = [table, column = out.columns[channel + 1]](size_t i) {
    return table->locate(static_cast<int64_t>(i), column);
  };
  return out;
}

std::string text_at(const json& row, const std::string& key) {
  if (!row.contains(key)) return {};
  const json& value = row.at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Texts texts_of_json(const fs::path& path) {
  const auto rows = nlohmann::ordered_json::parse(attn::io::read_file(path), nullptr, false);
  if (!rows.is_array() || rows.empty() || !rows.front().is_object())
    throw attn::Error(path.string() +
                      ": is no forecast; expected a list of rows, as the verb "
                      "forecast writes them");
  Texts out;
  for (const auto& [key, value] : rows.front().items()) out.columns.push_back(key);
  const size_t channel = channel_place(out.columns, path);
  out.names.assign(out.columns.begin() + static_cast<std::ptrdiff_t>(channel) + 2,
                   out.columns.end());
  out.locate = [path](size_t i) { return path.string() + ": item " + std::to_string(i + 1); };
  for (const json row : rows) {
    out.channels.push_back(text_at(row, "channel"));
    out.stamps.push_back(text_at(row, out.columns[channel + 1]));
    if (channel > 0) out.ids.push_back(text_at(row, out.columns[channel - 1]));
    for (const std::string& name : out.names)
      out.values.push_back(attn::io::get_or<double>(row, name, out.locate(out.stamps.size() - 1),
                                                    std::numeric_limits<double>::quiet_NaN()));
  }
  return out;
}

std::vector<BandColumns> bands_in(const std::vector<std::string>& names, const fs::path& path) {
  std::vector<BandColumns> bands;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].starts_with("lower-")) continue;
    const std::string level = names[i].substr(6);
    const std::string other = "upper-" + level;
    const auto upper = std::find(names.begin(), names.end(), other);
    if (upper == names.end())
      throw attn::Error(
          fmt::format("{}: column {} is missing beside {}", path.string(), other, names[i]));
    char* end = nullptr;
    const double share = std::strtod(level.c_str(), &end) / 100;
    if (level.empty() || *end != '\0' || !(share > 0 && share < 1))
      throw attn::Error(fmt::format(
          "{}: column {}: expected a level between 0 and 100 behind lower-, as in lower-80",
          path.string(), names[i]));
    bands.push_back({share, i, static_cast<size_t>(upper - names.begin())});
  }
  std::sort(bands.begin(), bands.end(),
            [](const BandColumns& a, const BandColumns& b) { return a.level < b.level; });
  return bands;
}

}  // namespace

ForecastFile read_forecast(const fs::path& path) {
  Texts texts = path.extension() == ".json" ? texts_of_json(path) : texts_of_table(path);
  ForecastFile out;
  out.path = path;
  if (texts.channels.empty())
    throw attn::Error(path.string() +
                      ": holds no row of a forecast; give a file that the verb "
                      "forecast finished");
  const StampColumn stamps = parse_stamps(texts.stamps, {.locate = texts.locate});
  out.calendar = stamps.format.pattern != "#";
  out.bands = bands_in(texts.names, path);
  out.table.ids = std::move(texts.ids);
  out.table.ids.resize(texts.channels.size());
  out.table.channels = std::move(texts.channels);
  out.table.instants = stamps.instants;
  out.table.names = std::move(texts.names);
  out.table.values = std::move(texts.values);
  return out;
}

}  // namespace timeseries
