#include "vision/gaze/scanpaths/events_json.h"

#include "libattn/io/json.h"

namespace gaze {
namespace {

using attn::io::get;
using attn::io::get_or;

Json saccade_json(const SaccadeEvent& s) {
  return {{"start", number_json(s.start)},
          {"end", number_json(s.end)},
          {"duration", number_json(s.duration)},
          {"from", numbers_json({s.x0, s.y0})},
          {"to", numbers_json({s.x1, s.y1})},
          {"amplitude", number_json(s.amplitude)},
          {"peak_velocity", number_json(s.peak_velocity)}};
}

/// Two numbers, null where the gaze was lost.
std::vector<double> position(const Json& value, const std::string& where, const char* key) {
  std::vector<double> xy = numbers_or_nan(get<Json>(value, key, where), where, key);
  if (xy.size() != 2) refuse_value(where, key, "two numbers", value[key]);
  return xy;
}

SaccadeEvent saccade_of(const Json& value, const std::string& where) {
  SaccadeEvent s;
  s.start = get<double>(value, "start", where);
  s.end = get<double>(value, "end", where);
  s.duration = get<double>(value, "duration", where);
  const std::vector<double> from = position(value, where, "from");
  const std::vector<double> to = position(value, where, "to");
  s.x0 = from[0];
  s.y0 = from[1];
  s.x1 = to[0];
  s.y1 = to[1];
  s.amplitude = get_or<double>(value, "amplitude", where, kNaN);
  s.peak_velocity = get_or<double>(value, "peak_velocity", where, kNaN);
  return s;
}

/// Calls `take(entry, where)` for each entry of the list at a key, if there is one.
template <class Take>
void each(const Json& value, const char* key, const std::string& where, const Take& take) {
  const Json list = get_or<Json>(value, key, where, Json::array());
  if (!list.is_array()) refuse_value(where, key, "a list", list);
  for (size_t i = 0; i < list.size(); ++i)
    take(list[i], where + ": " + key + " " + std::to_string(i + 1));
}

}  // namespace

Json json_of_events(const Events& events) {
  Json value = {{"samples", events.samples}, {"unfinished", events.unfinished},
                {"ended", events.ended},     {"saccades", Json::array()},
                {"blinks", Json::array()},   {"messages", Json::array()}};
  for (const SaccadeEvent& s : events.saccades) value["saccades"].push_back(saccade_json(s));
  for (const BlinkEvent& b : events.blinks)
    value["blinks"].push_back({{"start", number_json(b.start)},
                               {"end", number_json(b.end)},
                               {"duration", number_json(b.duration)}});
  for (const Message& m : events.messages)
    value["messages"].push_back({{"time", number_json(m.time)}, {"text", m.text}});
  return value;
}

Events events_of_json(const Json& value, const std::string& where) {
  attn::io::refuse_unknown_keys(
      value, {"samples", "unfinished", "ended", "saccades", "blinks", "messages"}, where);
  Events events;
  events.samples = get_or<int64_t>(value, "samples", where, 0);
  events.unfinished = get_or<int64_t>(value, "unfinished", where, 0);
  events.ended = get_or<bool>(value, "ended", where, true);
  each(value, "saccades", where, [&](const Json& entry, const std::string& at) {
    events.saccades.push_back(saccade_of(entry, at));
  });
  each(value, "blinks", where, [&](const Json& entry, const std::string& at) {
    events.blinks.push_back({get<double>(entry, "start", at), get<double>(entry, "end", at),
                             get<double>(entry, "duration", at)});
  });
  each(value, "messages", where, [&](const Json& entry, const std::string& at) {
    events.messages.push_back(
        {get<double>(entry, "time", at), get<std::string>(entry, "text", at)});
  });
  return events;
}

}  // namespace gaze
