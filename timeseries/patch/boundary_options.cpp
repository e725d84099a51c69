// BoundaryOptions as words and JSON, and what they must be.
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "timeseries/patch/boundaries.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the boundary rule";
constexpr std::array<std::pair<const char*, CutRule>, 6> kRules{{{"none", CutRule::none},
                                                                 {"fixed", CutRule::fixed},
                                                                 {"threshold", CutRule::threshold},
                                                                 {"rise", CutRule::rise},
                                                                 {"both", CutRule::both},
                                                                 {"quantile", CutRule::quantile}}};

}  // namespace

CutRule parse_cut_rule(std::string_view word) {
  for (const auto& [name, rule] : kRules)
    if (word == name) return rule;
  throw attn::UsageError(
      "the boundary rule: expected none, fixed, threshold, rise, both or quantile, found " +
      attn::io::quote_text(std::string(word)));
}

std::string to_string(CutRule rule) {
  for (const auto& [name, candidate] : kRules)
    if (candidate == rule) return name;
  return kRules[0].first;
}

void to_json(nlohmann::json& j, const BoundaryOptions& o) {
  j = {{"rule", to_string(o.rule)},
       {"threshold", o.threshold},
       {"rise", o.rise},
       {"quantile", o.quantile},
       {"length", o.length},
       {"max_length", o.max_length},
       {"min_length", o.min_length},
       {"tie", o.tie},
       {"reference", o.reference}};
}

void from_json(const nlohmann::json& j, BoundaryOptions& o) {
  const auto word = attn::io::get<std::string>(j, "rule", kWhere);
  try {
    o.rule = parse_cut_rule(word);
  } catch (const attn::UsageError& error) {
    throw attn::Error(error.what());  // of a file, not of a command
  }
  const auto read = [&](const char* key, auto& value) {
    value = attn::io::get_or<std::decay_t<decltype(value)>>(j, key, kWhere, value);
  };
  read("threshold", o.threshold);
  read("rise", o.rise);
  read("quantile", o.quantile);
  read("length", o.length);
  read("max_length", o.max_length);
  read("min_length", o.min_length);
  read("tie", o.tie);
  read("reference", o.reference);
}

void check(const BoundaryOptions& o) {
  const auto require = [](bool ok, const char* sentence) {
    if (!ok) throw attn::UsageError(sentence);
  };
  require(std::isfinite(o.threshold) && std::isfinite(o.rise),
          "the thresholds of the boundary rule must be finite numbers of nats");
  require(o.quantile >= 0 && o.quantile <= 1,
          "the quantile of the boundary rule must lie between 0 and 1");
  require(o.length >= 1, "the length of fixed patches must be at least 1");
  require(o.max_length >= 0, "the greatest length of a patch must be 0 (none) or at least 1");
  require(o.min_length >= 1, "the least length of a patch must be at least 1");
  require(o.max_length == 0 || o.min_length <= o.max_length,
          "the least length of a patch must not be above its greatest");
  require(std::isfinite(o.tie) && o.tie >= 0,
          "the difference up to which entropies count as equal must not be negative");
}

}  // namespace timeseries
