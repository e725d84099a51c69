#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "timeseries/window/scaler.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the scaler";

nlohmann::json means(const std::vector<Moments>& moments) {
  nlohmann::json out = nlohmann::json::array();
  for (const Moments& m : moments) out.push_back(m.mean);
  return out;
}

nlohmann::json spreads(const std::vector<Moments>& moments) {
  nlohmann::json out = nlohmann::json::array();
  for (const Moments& m : moments) out.push_back(m.sd);
  return out;
}

nlohmann::json written(const std::vector<std::string>& names, const std::vector<Moments>& moments) {
  return {{"names", names}, {"mean", means(moments)}, {"sd", spreads(moments)}};
}

/// With what they are bent by, where they are.
nlohmann::json written_values(const Scaler& s) {
  nlohmann::json out = written(s.channels, s.values);
  if (s.transform == Transform::none) return out;
  for (const Moments& m : s.values) {
    out["bend"].push_back(m.bend);
    out["spread"].push_back(m.spread);
  }
  return out;
}

void read_bends(const nlohmann::json& j, std::vector<Moments>& values) {
  using Numbers = std::vector<double>;
  const Numbers bend = attn::io::get<Numbers>(j, "values.bend", kWhere),
                spread = attn::io::get<Numbers>(j, "values.spread", kWhere);
  const auto positive = [](double x) { return std::isfinite(x) && x > 0; };
  bool sound = bend.size() == values.size() && spread.size() == values.size();
  for (size_t i = 0; sound && i < values.size(); ++i) {
    values[i].bend = bend[i];
    values[i].spread = spread[i];
    sound = (bend[i] == 0 || positive(bend[i])) && positive(spread[i]);
  }
  if (!sound)
    throw attn::Error(std::string(kWhere) + ": key values: expected " +
                      std::to_string(values.size()) + " bends of at least 0 and positive spreads");
}

std::vector<Moments> read(const nlohmann::json& j, const std::string& key, size_t count) {
  using Numbers = std::vector<double>;
  const Numbers mean = attn::io::get<Numbers>(j, key + ".mean", kWhere),
                sd = attn::io::get<Numbers>(j, key + ".sd", kWhere);
  if (mean.size() != count || sd.size() != count) {
    throw attn::Error(std::string(kWhere) + ": key " + key + ": expected " + std::to_string(count) +
                      " means and spreads, found " + std::to_string(mean.size()) + " and " +
                      std::to_string(sd.size()));
  }
  std::vector<Moments> out;
  for (size_t i = 0; i < count; ++i) {
    if (!(std::isfinite(mean[i]) && std::isfinite(sd[i]) && sd[i] > 0)) {
      throw attn::Error(std::string(kWhere) + ": key " + key + ": expected finite means and " +
                        "positive spreads, found " + attn::io::number_text(mean[i]) + " and " +
                        attn::io::number_text(sd[i]));
    }
    out.push_back({mean[i], sd[i]});
  }
  return out;
}

std::vector<std::string> names(const nlohmann::json& j, const std::string& key) {
  return attn::io::get<std::vector<std::string>>(j, key, kWhere);
}

}  // namespace

void to_json(nlohmann::json& j, const Scaler& s) {
  j = {{"by", s.by == ScaleBy::channel ? "channel" : "series"},
       {"series", s.series},
       {"transform", to_string(s.transform)},
       {"values", written_values(s)},
       {"past", written(s.past_names, s.past)},
       {"future", written(s.future_names, s.future)},
       {"static", written(s.static_names, s.statics)}};
}

void from_json(const nlohmann::json& j, Scaler& s) {
  const auto by = attn::io::get<std::string>(j, "by", kWhere);
  if (by != "channel" && by != "series") {
    throw attn::Error(std::string(kWhere) + ": key by: expected channel or series, found " +
                      attn::io::quote_text(by));
  }
  s = {};
  s.by = by == "channel" ? ScaleBy::channel : ScaleBy::series;
  s.transform = transform_of(attn::io::get_or<std::string>(j, "transform", kWhere, "none"), kWhere);
  s.series = names(j, "series");
  s.channels = names(j, "values.names");
  s.past_names = names(j, "past.names");
  s.future_names = names(j, "future.names");
  s.static_names = names(j, "static.names");
  const size_t groups = s.by == ScaleBy::channel ? 1 : s.series.size();
  s.values = read(j, "values", groups * s.channels.size());
  if (s.transform != Transform::none) read_bends(j, s.values);
  s.past = read(j, "past", s.past_names.size());
  s.future = read(j, "future", s.future_names.size());
  s.statics = read(j, "static", s.static_names.size());
}

}  // namespace timeseries
