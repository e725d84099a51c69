#include "finance/rank/feature_map.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"

namespace finance {
namespace {

constexpr const char* kWhere = "the features of the model";

/// Quantiles of the values, each once: the least and the greatest, and bins - 1 between.
std::vector<double> quantile_edges(std::vector<double> values, int64_t bins) {
  std::sort(values.begin(), values.end());
  std::vector<double> edges;
  for (int64_t i = 0; i <= bins; ++i) {
    const auto at = static_cast<size_t>(static_cast<double>(i) / static_cast<double>(bins) *
                                        static_cast<double>(values.size() - 1));
    if (edges.empty() || values[at] > edges.back()) edges.push_back(values[at]);
  }
  if (edges.size() < 2) edges.clear();
  return edges;
}

NumberMap fit_number(const RankLists& lists, size_t column, int64_t bins) {
  std::vector<double> values;
  const auto width = static_cast<size_t>(lists.width());
  NumberMap map;
  map.name = lists.feature_names[column];
  int64_t count = 0;
  double mean = 0, squares = 0;  // Welford
  for (size_t at = column; at < lists.features.size(); at += width) {
    const auto x = static_cast<double>(lists.features[at]);
    if (std::isnan(x)) {
      map.missing = true;
      continue;
    }
    if (bins > 0) values.push_back(x);
    const double away = x - mean;
    mean += away / static_cast<double>(++count);
    squares += away * (x - mean);
  }
  if (count == 0)
    throw attn::Error(lists.name + ": column " + map.name +
                      " has no value in the training lists; leave it out with --ignore");
  map.mean = mean;
  map.sd = std::sqrt(squares / static_cast<double>(count));
  if (!(map.sd > 1e-12 * std::abs(mean))) map.sd = 0;
  if (bins > 0) map.edges = quantile_edges(std::move(values), bins);
  return map;
}

CategoryMap fit_category(const CategoryColumn& column) {
  std::map<std::string, int64_t> counts;
  for (const std::string& value : column.values)
    if (!value.empty()) ++counts[value];
  CategoryMap map;
  map.name = column.name;
  for (const auto& [level, count] : counts)
    if (count >= 2) map.levels.push_back(level);
  return map;
}

template <class Columns, class Name>
size_t place_of(const Columns& columns, const std::string& wanted, const std::string& file,
                const Name& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    names.push_back(name(columns[i]));
    if (names.back() == wanted) return i;
  }
  throw attn::Error(file + ": the model needs the column " + wanted +
                    ", which is not among those there (" + attn::io::list_names(names) + ")" +
                    attn::io::did_you_mean(wanted, names));
}

void put_pieces(const std::vector<double>& edges, double x, float* to) {
  for (size_t i = 0; i + 1 < edges.size(); ++i)
    to[i] = static_cast<float>(std::clamp((x - edges[i]) / (edges[i + 1] - edges[i]), 0.0, 1.0));
}

at::Tensor encode_numbers(const FeatureMap& map, const RankLists& lists) {
  const int64_t rows = lists.rows(), from = lists.width(), to = map.width();
  at::Tensor out = at::zeros({rows, to}, at::kFloat);
  auto* data = out.mutable_data_ptr<float>();
  int64_t place = 0;
  for (const NumberMap& number : map.numbers) {
    const auto column = static_cast<int64_t>(place_of(lists.feature_names, number.name, lists.name,
                                                      [](const std::string& n) { return n; }));
    for (int64_t r = 0; r < rows; ++r) {
      const float x = lists.features[static_cast<size_t>(r * from + column)];
      const bool missing = std::isnan(x);
      const double z =
          missing || number.sd == 0 ? 0 : (static_cast<double>(x) - number.mean) / number.sd;
      data[r * to + place] = static_cast<float>(std::clamp(z, -kClip, kClip));
      if (number.missing) data[r * to + place + 1] = missing ? 1.0F : 0.0F;
      if (!missing) put_pieces(number.edges, x, data + r * to + place + (number.missing ? 2 : 1));
    }
    place += number.width();
  }
  return out;
}

at::Tensor encode_categories(const FeatureMap& map, const RankLists& lists) {
  const int64_t rows = lists.rows(), count = std::ssize(map.categories);
  at::Tensor out = at::zeros({rows, count}, at::kLong);
  auto* data = out.mutable_data_ptr<int64_t>();
  for (int64_t c = 0; c < count; ++c) {
    const CategoryMap& category = map.categories[static_cast<size_t>(c)];
    const CategoryColumn& column =
        lists.categories[place_of(lists.categories, category.name, lists.name,
                                  [](const CategoryColumn& of) { return of.name; })];
    std::unordered_map<std::string, int64_t> codes;
    for (const std::string& level : category.levels)
      codes.emplace(level, static_cast<int64_t>(codes.size()) + 1);
    for (int64_t r = 0; r < rows; ++r) {
      const auto found = codes.find(column.values[static_cast<size_t>(r)]);
      if (found != codes.end()) data[r * count + c] = found->second;
    }
  }
  return out;
}

}  // namespace

int64_t NumberMap::width() const {
  return (missing ? 2 : 1) + (edges.empty() ? 0 : std::ssize(edges) - 1);
}

int64_t FeatureMap::width() const {
  int64_t width = 0;
  for (const NumberMap& number : numbers) width += number.width();
  return std::max<int64_t>(width, 1);
}

std::vector<int64_t> FeatureMap::codes() const {
  std::vector<int64_t> out;
  for (const CategoryMap& category : categories) out.push_back(std::ssize(category.levels) + 1);
  return out;
}

std::vector<std::string> FeatureMap::features() const {
  std::vector<std::string> out;
  for (const NumberMap& number : numbers) out.push_back(number.name);
  return out;
}

std::vector<std::string> FeatureMap::categorical() const {
  std::vector<std::string> out;
  for (const CategoryMap& category : categories) out.push_back(category.name);
  return out;
}

FeatureMap fit_features(const RankLists& train, int64_t bins) {
  FeatureMap map;
  for (size_t i = 0; i < train.feature_names.size(); ++i)
    map.numbers.push_back(fit_number(train, i, bins));
  for (const CategoryColumn& column : train.categories)
    map.categories.push_back(fit_category(column));
  return map;
}

RankSet encode(const FeatureMap& map, const RankLists& lists) {
  return {encode_numbers(map, lists), encode_categories(map, lists), lists.offsets, lists.label,
          lists.profit};
}

void to_json(nlohmann::json& j, const FeatureMap& map) {
  j = {{"numbers", nlohmann::json::array()}, {"categories", nlohmann::json::array()}};
  for (const NumberMap& n : map.numbers)
    j["numbers"].push_back({{"name", n.name},
                            {"mean", n.mean},
                            {"sd", n.sd},
                            {"missing", n.missing},
                            {"edges", n.edges}});
  for (const CategoryMap& c : map.categories)
    j["categories"].push_back({{"name", c.name}, {"levels", c.levels}});
}

void from_json(const nlohmann::json& j, FeatureMap& map) {
  using attn::io::get;
  map = {};
  for (const auto& n : get<nlohmann::json>(j, "numbers", kWhere))
    map.numbers.push_back({get<std::string>(n, "name", kWhere), get<double>(n, "mean", kWhere),
                           get<double>(n, "sd", kWhere), get<bool>(n, "missing", kWhere),
                           attn::io::get_or<std::vector<double>>(n, "edges", kWhere, {})});
  for (const auto& c : get<nlohmann::json>(j, "categories", kWhere))
    map.categories.push_back(
        {get<std::string>(c, "name", kWhere), get<std::vector<std::string>>(c, "levels", kWhere)});
}

}  // namespace finance
