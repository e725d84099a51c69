// Stamps as a column of a table to be written.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "libattn/io/table_write.h"
#include "timeseries/series/stamp.h"

namespace timeseries {

/// Whole numbers where the set has no calendar, else timestamps where `typed`, else texts in the
/// set's own form.
inline attn::io::Column stamp_column(std::string name, std::vector<Instant> instants,
                                     const SeriesSet& set, bool typed) {
  if (set.frequency.unit == Unit::index) return {std::move(name), std::move(instants)};
  if (typed) return {std::move(name), attn::io::Timestamps{std::move(instants)}};
  std::vector<std::string> texts;
  texts.reserve(instants.size());
  for (const Instant instant : instants) texts.push_back(format_stamp(instant, set.stamps));
  return {std::move(name), std::move(texts)};
}

/// ".csv" of "X.CSV".
inline std::string extension_of(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

/// Whether write_table makes a file with types of this name.
inline bool is_parquet_name(const std::filesystem::path& path) {
  return extension_of(path) == ".parquet" || extension_of(path) == ".pq";
}

}  // namespace timeseries
