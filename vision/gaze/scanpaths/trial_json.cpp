// Trials as COCO-Search18 has them, and the room's own JSON, which adds keys to those:
// screen [width, height], id, eye, start (seconds), events, fields, and, where the keys of
// COCO-Search18 cannot hold a value to the last bit, duration (seconds) and target; extra, for
// names that are keys here.
#include <algorithm>
#include <cmath>
#include <set>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/events_json.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;

constexpr int64_t kVersion = 1;
constexpr const char* kFormat = "gaze scanpaths";

using Keys = std::set<std::string, std::less<>>;
const Keys kCocoKeys = {"name", "subject", "task", "condition", "split",  "bbox",
                        "X",    "Y",       "T",    "length",    "correct"};
const Keys kOwnKeys = {"screen", "id",     "eye",    "start", "duration",
                       "target", "events", "fields", "extra"};

/// This room writes the screen to every trial. Where it is missing, its other keys are another
/// writer's, of whatever meaning.
bool is_own(const Json& trial) {
  return trial.contains("screen");
}

bool is_known(const std::string& key, bool own) {
  return kCocoKeys.contains(key) || (own && kOwnKeys.contains(key));
}

/// The value at a key; null where there is none.
const Json& at(const Json& value, const char* key) {
  static const Json kNull;
  const auto found = value.find(key);
  return found == value.end() ? kNull : *found;
}

void demand_length(const std::vector<double>& values, const char* key, size_t count,
                   const std::string& where) {
  if (values.size() != count)
    throw Error(where + ": key " + key + ": expected " + std::to_string(count) +
                " values as in X, found " + std::to_string(values.size()));
}

/// The same of a key of this room.
const Json& own_at(const Json& value, const char* key) {
  static const Json kNull;
  return is_own(value) ? at(value, key) : kNull;
}

/// Seconds of each fixation; NaN of all where the trial has no times.
std::vector<double> durations(const Json& value, size_t count, const std::string& where) {
  std::vector<double> seconds(count, kNaN);
  if (const Json& exact = own_at(value, "duration"); !exact.is_null()) {
    seconds = numbers_or_nan(exact, where, "duration");
    demand_length(seconds, "duration", count, where);
  } else if (const Json& times = at(value, "T"); !times.is_null()) {
    seconds = numbers_or_nan(times, where, "T");
    demand_length(seconds, "T", count, where);
    for (double& s : seconds) s /= 1000;
  }
  for (const double s : seconds)
    if (s < 0)
      throw Error(where + ": key T: expected times of 0 or more, found " +
                  attn::io::number_text(s * 1000));
  return seconds;
}

void read_fixations(const Json& value, const std::string& where, Trial& trial) {
  const std::vector<double> x = numbers_or_nan(at(value, "X"), where, "X");
  const std::vector<double> y = numbers_or_nan(at(value, "Y"), where, "Y");
  demand_length(y, "Y", x.size(), where);
  const std::vector<double> seconds = durations(value, x.size(), where);
  for (size_t i = 0; i < x.size(); ++i) trial.fixations.push_back({x[i], y[i], seconds[i]});
  if (const Json& start = own_at(value, "start"); !start.is_null()) {
    trial.starts = numbers_or_nan(start, where, "start");
    demand_length(trial.starts, "start", x.size(), where);
  }
}

void read_fields(const Json& value, const std::string& where, Trial& trial) {
  const Json& fields = own_at(value, "fields");
  if (fields.is_null()) return;
  if (!fields.is_object()) refuse_value(where, "fields", "an object", fields);
  for (const auto& field : fields.items()) {
    const std::string key = "fields." + field.key();
    if (!field.value().is_array() || field.value().size() != trial.fixations.size())
      refuse_value(where, key,
                   "a list of " + std::to_string(trial.fixations.size()) + " values as in X",
                   field.value().is_array() ? Json(field.value().size()) : field.value());
    for (const Json& entry : field.value()) trial.fields[field.key()].push_back(entry.dump());
    trial.fields[field.key()];  // also of no fixations
  }
}

void read_extra(const Json& value, const std::string& where, Trial& trial) {
  for (const auto& field : value.items())
    if (!is_known(field.key(), is_own(value))) trial.extra[field.key()] = field.value().dump();
  if (const Json& extra = own_at(value, "extra"); !extra.is_null())
    trial.extra.merge(texts_of_object(extra, where, "extra"));
  const Json& length = at(value, "length");  // of scanpaths that were cut afterwards
  if (!length.is_null() && length != Json(trial.fixations.size()))
    trial.extra["length"] = length.dump();
}

std::optional<bool> correct_of(const Json& value, const std::string& where) {
  const Json& correct = at(value, "correct");
  if (correct.is_null()) return std::nullopt;
  if (correct.is_boolean()) return correct.get<bool>();
  if (correct != Json(0) && correct != Json(1))
    refuse_value(where, "correct", "0, 1, true or false", correct);
  return correct == Json(1);
}

Trial trial_of(const Json& value, const std::string& where, const ReadOptions& options) {
  Trial trial;
  const auto text = [&](const char* key) { return text_value(at(value, key), where, key); };
  trial.image = text("name");
  trial.subject = text("subject");
  trial.task = text("task");
  trial.condition = text("condition");
  trial.split = text("split");
  trial.id = text_value(own_at(value, "id"), where, "id");
  trial.eye = text_value(own_at(value, "eye"), where, "eye");
  std::optional<Screen> told;
  if (const Json& screen = at(value, "screen"); !screen.is_null())
    told = screen_of_pair(screen, where, "screen");
  trial.screen = known_screen(told, options.screen, where);
  read_fixations(value, where, trial);
  if (const Json& target = own_at(value, "target"); !target.is_null()) {
    trial.target = box_of_json(target, where, "target");
  } else if (const Json& bbox = at(value, "bbox"); !bbox.is_null()) {
    trial.target = box_of_bbox(bbox, where, "bbox");
  }
  trial.correct = correct_of(value, where);
  if (const Json& events = own_at(value, "events"); !events.is_null())
    trial.events = events_of_json(events, where + ": events");
  read_fields(value, where, trial);
  read_extra(value, where, trial);
  return trial;
}

/// "x.json: trial 3 (000.jpg, subject 2)".
std::string where_of(const Json& value, const std::string& name, size_t i) {
  Trial trial;
  const auto text = [&](const char* key) {
    const Json& found = at(value, key);
    return found.is_string() || found.is_number_integer() ? text_value(found, name, key) : "";
  };
  trial.image = text("name");
  trial.subject = text("subject");
  return name + ": " + trial_name(trial, i);
}

void demand_trial(const Json& value, const std::string& where) {
  if (!value.is_object())
    throw Error(where + ": expected a trial, an object with X, Y and T, found " + shown(value));
  if (value.contains("X") && value.contains("Y")) return;
  std::vector<std::string> keys;
  for (const auto& field : value.items()) keys.push_back(attn::io::one_line(field.key(), 30));
  throw Error(where +
              ": expected a trial with X, Y and T as COCO-Search18 has them, found the keys " +
              attn::io::list_names(keys, 8));
}

/// Whole numbers as such, other texts as texts.
Json subject_json(const std::string& subject) {
  const bool digits =
      !subject.empty() && subject.size() < 16 &&
      std::all_of(subject.begin(), subject.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && (subject == "0" || subject[0] != '0'))
    return static_cast<int64_t>(std::stoll(subject));
  return subject;
}

void write_fixations(const Trial& trial, Json& value) {
  std::vector<double> x, y, t, seconds;
  bool exact = true, told = false;
  for (const Fixation& f : trial.fixations) {
    x.push_back(f.x);
    y.push_back(f.y);
    t.push_back(milliseconds(f.duration));
    seconds.push_back(f.duration);
    told = told || !std::isnan(f.duration);
    exact = exact && (std::isnan(f.duration) || t.back() / 1000 == f.duration);
  }
  value["X"] = numbers_json(x);
  value["Y"] = numbers_json(y);
  if (told) value["T"] = numbers_json(t);
  if (!exact) value["duration"] = numbers_json(seconds);
  value["length"] = trial.fixations.size();
  if (!trial.starts.empty()) value["start"] = numbers_json(trial.starts);
}

void write_target(const Box& box, Json& value) {
  const double width = box.x1 - box.x0, height = box.y1 - box.y0;
  value["bbox"] = numbers_json({box.x0, box.y0, width, height});
  const bool exact = box.x0 + width == box.x1 && box.y0 + height == box.y1;
  if (!exact || !box.label.empty() || std::isfinite(box.score)) value["target"] = box_json(box);
}

Json trial_json(const Trial& trial) {
  Json value = Json::object();
  const auto text = [&](const char* key, const std::string& of) {
    if (!of.empty()) value[key] = of;
  };
  text("name", trial.image);
  text("task", trial.task);
  text("condition", trial.condition);
  text("split", trial.split);
  text("id", trial.id);
  text("eye", trial.eye);
  if (!trial.subject.empty()) value["subject"] = subject_json(trial.subject);
  value["screen"] = numbers_json({trial.screen.width, trial.screen.height});
  write_fixations(trial, value);
  if (trial.target) write_target(*trial.target, value);
  if (trial.correct) value["correct"] = *trial.correct ? 1 : 0;
  if (trial.events.any()) value["events"] = json_of_events(trial.events);
  for (const auto& [name, texts] : trial.fields) {
    Json list = Json::array();
    for (const std::string& entry : texts)
      list.push_back(attn::io::parse_json(entry, "the field " + attn::io::quote_text(name)));
    value["fields"][name] = list;
  }
  const Json extra = object_of_texts(trial.extra);
  for (const auto& field : extra.items()) {
    Json& to = is_known(field.key(), true) ? value["extra"] : value;
    to[field.key()] = field.value();
  }
  return value;
}

Json image_json(const Image& image) {
  Json value = {{"name", image.name},
                {"size", numbers_json({image.size.width, image.size.height})}};
  for (const Box& target : image.targets) value["targets"].push_back(box_json(target));
  if (!image.extra.empty()) value["extra"] = object_of_texts(image.extra);
  return value;
}

Image image_of(const Json& value, const std::string& where) {
  attn::io::refuse_unknown_keys(value, {"name", "size", "targets", "extra"}, where);
  Image image;
  image.name = text_value(at(value, "name"), where, "name");
  image.size = known_screen(screen_of_pair(at(value, "size"), where, "size"), {}, where);
  for (const Json& target : at(value, "targets"))
    image.targets.push_back(box_of_json(target, where, "targets"));
  if (const Json& extra = at(value, "extra"); !extra.is_null())
    image.extra = texts_of_object(extra, where, "extra");
  return image;
}

void demand_version(const Json& value, const std::string& name) {
  attn::io::refuse_unknown_keys(value, {"format", "version", "trials", "images"}, name);
  const auto format = attn::io::get<std::string>(value, "format", name);
  if (format != kFormat)
    throw Error(name + ": key format: expected '" + kFormat + "', found " +
                attn::io::quote_text(format));
  const auto version = attn::io::get<int64_t>(value, "version", name);
  if (version > kVersion)
    throw attn::NewerFormat(name + ": is of version " + std::to_string(version) +
                            " of its format, and this program reads up to " +
                            std::to_string(kVersion) + "; use a newer program");
}

}  // namespace

Scanpaths scanpaths_of_json(const Json& value, const std::string& name,
                            const ReadOptions& options) {
  const bool own = value.is_object();
  if (own) demand_version(value, name);
  const Json& trials = own ? at(value, "trials") : value;
  if (!trials.is_array()) throw Error(name + ": expected a list of trials, found " + shown(trials));
  Scanpaths scanpaths;
  for (size_t i = 0; i < trials.size(); ++i) {
    const std::string where = where_of(trials[i], name, i);
    demand_trial(trials[i], where);
    scanpaths.trials.push_back(trial_of(trials[i], where, options));
  }
  if (!own) return scanpaths;
  const Json images = attn::io::get_or<Json>(value, "images", name, Json::array());
  if (!images.is_array()) refuse_value(name, "images", "a list", images);
  for (size_t i = 0; i < images.size(); ++i)
    scanpaths.images.push_back(image_of(images[i], name + ": image " + std::to_string(i + 1)));
  return scanpaths;
}

Json coco_of_scanpaths(const Scanpaths& scanpaths) {
  Json list = Json::array();
  for (const Trial& trial : scanpaths.trials) list.push_back(trial_json(trial));
  return list;
}

Json json_of_scanpaths(const Scanpaths& scanpaths) {
  Json value = {{"format", kFormat}, {"version", kVersion}, {"images", Json::array()}};
  value["trials"] = coco_of_scanpaths(scanpaths);
  for (const Image& image : scanpaths.images) value["images"].push_back(image_json(image));
  return value;
}

}  // namespace gaze
