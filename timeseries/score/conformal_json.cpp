#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "timeseries/score/conformal.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the intervals";

void require(bool good, const char* key, const char* expected) {
  if (good) return;
  throw attn::Error(std::string(kWhere) + ": key " + key + ": expected " + expected +
                    "; the model file is damaged or of another program, train again");
}

std::vector<double> numbers(const nlohmann::json& j, const char* key) {
  return attn::io::get<std::vector<double>>(j, key, kWhere);
}

bool strictly_ascending(const std::vector<double>& values) {
  return std::adjacent_find(values.begin(), values.end(),
                            [](double a, double b) { return !(a < b); }) == values.end();
}

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// A higher level holds the lower ones: each of `wider` is at least the one a level before it.
bool nested(const std::vector<double>& offsets, size_t stride, double sign) {
  for (size_t i = stride; i < offsets.size(); ++i)
    if (sign * offsets[i] < sign * offsets[i - stride]) return false;
  return true;
}

}  // namespace

void to_json(nlohmann::json& j, const ConformalIntervals& intervals) {
  j = {{"levels", intervals.levels},
       {"horizon", intervals.horizon},
       {"channels", intervals.channels},
       {"symmetric", intervals.symmetric},
       {"low", intervals.low},
       {"high", intervals.high},
       {"residuals", intervals.residuals}};
}

void from_json(const nlohmann::json& j, ConformalIntervals& out) {
  out = {};
  out.levels = numbers(j, "levels");
  out.horizon = attn::io::get<int64_t>(j, "horizon", kWhere);
  out.channels = attn::io::get<int64_t>(j, "channels", kWhere);
  out.symmetric = attn::io::get<bool>(j, "symmetric", kWhere);
  out.low = numbers(j, "low");
  out.high = numbers(j, "high");
  out.residuals = attn::io::get<std::vector<int64_t>>(j, "residuals", kWhere);
  require(!out.levels.empty() && strictly_ascending(out.levels) && out.levels.front() > 0 &&
              out.levels.back() < 1,
          "levels", "ascending numbers between 0 and 1");
  require(out.horizon > 0, "horizon", "a number above 0");
  require(out.channels > 0, "channels", "a number above 0");
  const size_t stride = out.residuals.size();
  // Divided, since the product of two numbers of a damaged file may be too large for its type.
  require(stride > 0 && stride % static_cast<size_t>(out.horizon) == 0 &&
              stride / static_cast<size_t>(out.horizon) == static_cast<size_t>(out.channels),
          "residuals", "a number for each channel and step of the horizon");
  const size_t count = out.levels.size() * stride;
  require(out.low.size() == count && finite(out.low) && nested(out.low, stride, -1), "low",
          "a finite number for each level, channel and step, none above that of a lower level");
  require(out.high.size() == count && finite(out.high) && nested(out.high, stride, 1), "high",
          "a finite number for each level, channel and step, none below that of a lower level");
  const auto crossed = [&](size_t i) { return out.low[i] > out.high[i]; };
  for (size_t i = 0; i < count; ++i) require(!crossed(i), "low", "none above its \"high\"");
}

}  // namespace timeseries
