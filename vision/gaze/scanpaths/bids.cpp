// BIDS eye tracking: a table without header, its columns named in the JSON beside it.
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;
using Strings = std::vector<std::string>;
using Words = std::vector<std::string_view>;

constexpr std::array<std::string_view, 2> kEnds = {".tsv.gz", ".tsv"};
constexpr std::array<std::string_view, 3> kSuffixes = {"_eyetrack", "_physio", "_physioevents"};

/// The name without ".tsv.gz" or ".tsv"; empty for other names.
std::string bare_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  for (const std::string_view end : kEnds)
    if (name.size() > end.size() && name.ends_with(end))
      return name.substr(0, name.size() - end.size());
  return "";
}

/// Where the first of `names` that is a column stands.
std::optional<size_t> column(const Strings& columns, const Strings& names) {
  for (const std::string& name : names)
    if (const auto at = std::find(columns.begin(), columns.end(), name); at != columns.end())
      return static_cast<size_t>(at - columns.begin());
  return std::nullopt;
}

Words split_row(std::string_view line) {
  Words cells;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find('\t', at), line.size());
    cells.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return cells;
}

/// sub-01_task-look_run-1 ... in the places of a trial; other entities to extra.
void name_by_entities(const std::string& bare, Trial& trial) {
  for (size_t at = 0; at < bare.size();) {
    const size_t end = std::min(bare.find('_', at), bare.size());
    const std::string entity = bare.substr(at, end - at);
    at = end + 1;
    const size_t dash = entity.find('-');
    if (dash == entity.npos) continue;
    const std::string key = entity.substr(0, dash), value = entity.substr(dash + 1);
    if (key == "sub") {
      trial.subject = value;
    } else if (key == "task") {
      trial.task = value;
    } else if (key == "run") {
      trial.id = value;
    } else {
      trial.extra[key] = Json(as_utf8(value)).dump();
    }
  }
}

struct BidsColumns {
  Strings names;
  size_t x = 0, y = 0, duration = 0;
  std::optional<size_t> onset, type;

  bool is_other(size_t c) const {
    return c != x && c != y && c != duration && c != onset && c != type;
  }
};

BidsColumns columns_of(const Json& sidecar, const std::string& sidecar_name,
                       const std::string& name) {
  BidsColumns c;
  c.names = attn::io::get<Strings>(sidecar, "Columns", sidecar_name);
  const auto duration = column(c.names, {"duration", "Duration"});
  if (!duration)
    throw Error(name + ": holds raw samples (columns " + attn::io::list_names(c.names) +
                "), and fixations are wanted, which have a duration; detect fixations first and "
                "give their events");
  const auto x = column(c.names, {"x_coordinate", "x", "start_x", "gaze_x"});
  const auto y = column(c.names, {"y_coordinate", "y", "start_y", "gaze_y"});
  if (!x || !y)
    throw Error(name +
                ": expected positions of fixations in columns x_coordinate and "
                "y_coordinate, found the columns " +
                attn::io::list_names(c.names));
  c.x = *x;
  c.y = *y;
  c.duration = *duration;
  c.onset = column(c.names, {"onset", "timestamp"});
  c.type = column(c.names, {"trial_type", "event_type", "label"});
  return c;
}

/// ScreenResolution, by itself or under StimulusPresentation.
std::optional<Screen> screen_of(const Json& sidecar, const std::string& name) {
  for (const char* key : {"ScreenResolution", "StimulusPresentation.ScreenResolution"})
    if (const Json* found = attn::io::find(sidecar, key, name); found && !found->is_null())
      return screen_of_pair(*found, name, key);
  return std::nullopt;
}

void demand_pixels(const Json& sidecar, const BidsColumns& columns, const std::string& name) {
  const std::vector<std::string> keys = {"SampleCoordinateUnits",
                                         columns.names[columns.x] + ".Units"};
  for (const std::string& key : keys) {
    const auto units = attn::io::get_or<std::string>(sidecar, key, name, "pixel");
    if (units != "pixel" && units != "pixels" && units != "px")
      refuse_value(name, key, "positions in pixels", Json(units));
  }
}

double value_of(std::string_view cell, const std::string& where, const std::string& column_name) {
  double value = 0;
  if (!parse_value(cell, value))
    throw Error(where + ", column " + attn::io::one_line(column_name) +
                ": expected a number, found " + attn::io::quote_text(cell));
  return value;
}

void take_row(const Words& cells, const BidsColumns& c, const std::string& where, Trial& trial) {
  if (cells.size() != c.names.size())
    throw Error(where + ": expected " + std::to_string(c.names.size()) +
                " values, as many as Columns of its JSON, found " + std::to_string(cells.size()));
  if (c.type && cells[*c.type] != "fixation" && cells[*c.type] != "FIXA") return;
  const Fixation f{value_of(cells[c.x], where, c.names[c.x]),
                   value_of(cells[c.y], where, c.names[c.y]),
                   value_of(cells[c.duration], where, c.names[c.duration])};
  if (f.duration < 0)
    throw Error(where + ": expected a duration of 0 seconds or more, found " +
                attn::io::quote_text(cells[c.duration]));
  trial.fixations.push_back(f);
  if (c.onset) trial.starts.push_back(value_of(cells[*c.onset], where, c.names[*c.onset]));
  for (size_t i = 0; i < cells.size(); ++i)
    if (c.is_other(i)) trial.fields[c.names[i]].push_back(Json(as_utf8(cells[i])).dump());
}

}  // namespace

bool has_bids_name(const std::filesystem::path& path) {
  const std::string bare = bare_name(path);
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](std::string_view suffix) { return bare.ends_with(suffix); });
}

std::filesystem::path bids_sidecar(const std::filesystem::path& table) {
  return table.parent_path() / (bare_name(table) + ".json");
}

Scanpaths read_bids(attn::io::ByteStream bytes, const ReadOptions& options) {
  const std::string name = bytes.name();
  const std::filesystem::path sidecar_path = bids_sidecar(bytes.path());
  if (bare_name(bytes.path()).empty() || !std::filesystem::exists(sidecar_path))
    throw Error(name +
                ": expected a table .tsv or .tsv.gz of BIDS with its JSON beside it, found no " +
                attn::io::one_line(sidecar_path.string(), 200));
  const std::string sidecar_name = sidecar_path.string();
  const Json sidecar = attn::io::read_json(sidecar_path);
  const BidsColumns columns = columns_of(sidecar, sidecar_name, name);
  demand_pixels(sidecar, columns, sidecar_name);
  Trial trial;
  name_by_entities(bare_name(bytes.path()), trial);
  const auto eye = attn::io::get_or<std::string>(sidecar, "RecordedEye", sidecar_name, "");
  trial.eye = eye == "left" || eye == "Left" ? "L" : eye == "right" || eye == "Right" ? "R" : "";
  trial.screen = known_screen(screen_of(sidecar, sidecar_name), options.screen, name);
  attn::io::LineStream lines(std::move(bytes));
  for (std::string_view line; lines.next(line);) {
    if (line.empty()) continue;
    const Words cells = split_row(line);
    const bool header =
        lines.number() == 1 &&
        std::equal(cells.begin(), cells.end(), columns.names.begin(), columns.names.end());
    if (!header) take_row(cells, columns, name + ": row " + std::to_string(lines.number()), trial);
  }
  return {.trials = {trial}, .images = {}};
}

}  // namespace gaze
