// ModelOptions to and from JSON.
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "timeseries/model/model_options.h"

namespace timeseries {
namespace {

using nlohmann::json;

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

const char* word_of(ScaleBy by) {
  return by == ScaleBy::series ? "series" : "channel";
}

json patching_json(const PatchingOptions& o) {
  return {{"boundaries", o.boundaries},
          {"mean_length", or_null(o.mean_length)},
          {"range", o.range},
          {"entropy_model", o.entropy_model},
          {"entropy_training", o.entropy_training}};
}

json intervals_json(const IntervalOptions& o) {
  return {
      {"symmetric", o.symmetric}, {"shrink", o.shrink}, {"smooth", o.smooth}, {"scaled", o.scaled}};
}

/// Options whose JSON has every key there is.
json all_keys(const ModelOptions& base) {
  ModelOptions o = base;
  const auto fill = [](attn::train::TrainOptions& t) {
    t.schedule = attn::train::LrSchedule::one_cycle;
    t.warm_up = 0;
  };
  fill(o.fit.optimisation);
  fill(o.patching.entropy_training.train);
  return o;
}

void refuse_unknown(const json& found, const json& known, const std::string& where,
                    const std::string& path) {
  if (!known.is_object()) return;
  const std::string place = path.empty() ? "" : ": key " + attn::io::one_line(path);
  if (!found.is_object())
    throw attn::Error(where + place + ": expected an object, found " + found.type_name());
  std::vector<std::string> names;
  for (const auto& [key, value] : known.items()) names.push_back(key);
  const std::string prefix = path.empty() ? "" : path + ".";
  for (const auto& [key, value] : found.items()) {
    std::string full = prefix;
    full += key;
    if (!known.contains(key))
      throw attn::Error(where + ": unknown key " + attn::io::one_line(full) +
                        attn::io::did_you_mean(key, names) + (names.empty() ? "" : "; known are ") +
                        attn::io::list_names(names, 24));
    if (!value.is_null()) refuse_unknown(value, known.at(key), where, full);
  }
}

/// Values of one object, each under its key.
class Reader {
 public:
  Reader(const json& j, const std::string& where) : j_(j), where_(where) {}

  template <class T>
  void read(const char* key, T& value) const {
    value = attn::io::get_or<T>(j_, key, where_, value);
  }
  template <class T>
  void read(const char* key, std::optional<T>& value) const {
    const json* found = attn::io::find(j_, key, where_);
    value.reset();
    if (found != nullptr && !found->is_null()) value = attn::io::get<T>(j_, key, where_);
  }
  /// A part that has a from_json of its own.
  template <class T>
  void part(const char* key, T& value) const {
    if (const json* found = attn::io::find(j_, key, where_)) from_json(*found, value);
  }
  std::string word(const char* key) const { return attn::io::get<std::string>(j_, key, where_); }
  const std::string& where() const { return where_; }

 private:
  const json& j_;
  const std::string& where_;
};

std::optional<ScaleBy> scale_of(const Reader& in) {
  std::optional<std::string> word;
  in.read("scale", word);
  if (!word) return {};
  if (*word == "channel") return ScaleBy::channel;
  if (*word == "series") return ScaleBy::series;
  throw attn::Error(in.where() + ": key scale: expected channel, series or null, found " +
                    attn::io::quote_text(*word));
}

void read_patching(const json& j, const std::string& where, PatchingOptions& o) {
  const Reader in(j, where);
  in.part("boundaries", o.boundaries);
  in.read("mean_length", o.mean_length);
  in.read("range", o.range);
  in.part("entropy_model", o.entropy_model);
  in.part("entropy_training", o.entropy_training);
}

ModelOptions read_all(const json& j, const std::string& where) {
  ModelOptions o;
  const Reader in(j, where);
  o.network = parse_network(in.word("network"));
  in.read("horizon", o.horizon);
  in.read("lookback", o.lookback);
  in.read("season", o.season);
  in.read("cycle", o.cycle);
  in.read("calendar", o.calendar);
  o.scale = scale_of(in);
  std::optional<std::string> transform;
  in.read("transform", transform);
  o.transform.reset();
  if (transform) o.transform = transform_of(*transform, where);
  in.read("stride", o.stride);
  read_patching(j.at("patching"), where, o.patching);
  in.part("entrope", o.entrope);
  in.part("patchtst", o.patchtst);
  in.part("dlinear", o.dlinear);
  in.part("fit", o.fit);
  in.read("least_steps", o.least_steps);
  const Reader intervals(j.at("intervals"), where);
  intervals.read("symmetric", o.intervals.symmetric);
  intervals.read("shrink", o.intervals.shrink);
  intervals.read("smooth", o.intervals.smooth);
  intervals.read("scaled", o.intervals.scaled);
  in.read("seed", o.seed);
  return o;
}

}  // namespace

void to_json(json& j, const ModelOptions& o) {
  j = {{"network", to_string(o.network)},
       {"horizon", o.horizon},
       {"lookback", o.lookback},
       {"season", or_null(o.season)},
       {"cycle", or_null(o.cycle)},
       {"calendar", o.calendar},
       {"scale", o.scale ? json(word_of(*o.scale)) : json()},
       {"transform", o.transform ? json(to_string(*o.transform)) : json()},
       {"stride", o.stride},
       {"patching", patching_json(o.patching)},
       {"entrope", o.entrope},
       {"patchtst", o.patchtst},
       {"dlinear", o.dlinear},
       {"fit", o.fit},
       {"least_steps", o.least_steps},
       {"intervals", intervals_json(o.intervals)},
       {"seed", o.seed}};
}

ModelOptions read_model_options(const json& j, const ModelOptions& base, const std::string& where) {
  refuse_unknown(j, all_keys(base), where, "");
  json all = base;
  all.merge_patch(j);
  const json::json_pointer epochs("/fit/optimisation/epochs");
  if (j.contains(epochs) && !j.contains("least_steps")) all["least_steps"] = 0;
  try {
    return read_all(all, where);
  } catch (const json::exception&) {
    throw attn::Error(where + ": the keys patching and intervals must hold objects");
  } catch (const attn::Error& error) {
    const std::string text = error.what();
    if (text.find(where) != std::string::npos) throw;
    throw attn::Error(where + ": " + text);
  }
}

}  // namespace timeseries
