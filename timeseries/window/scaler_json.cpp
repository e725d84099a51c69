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
       {"values", written(s.channels, s.values)},
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
  s.series = names(j, "series");
  s.channels = names(j, "values.names");
  s.past_names = names(j, "past.names");
  s.future_names = names(j, "future.names");
  s.static_names = names(j, "static.names");
  const size_t groups = s.by == ScaleBy::channel ? 1 : s.series.size();
  s.values = read(j, "values", groups * s.channels.size());
  s.past = read(j, "past", s.past_names.size());
  s.future = read(j, "future", s.future_names.size());
  s.statics = read(j, "static", s.static_names.size());
}

}  // namespace timeseries
