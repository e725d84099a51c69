#include "finance/rank/ranker_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

constexpr const char* kWhere = "the ranking network";

void require(bool ok, const std::string& sentence) {
  if (!ok) throw attn::UsageError(sentence);
}

void check_heads(int64_t width, int64_t heads, const std::string& where) {
  require(heads >= 1 && width % heads == 0, "the width " + std::to_string(width) +
                                                " is no multiple of " + std::to_string(heads) +
                                                " heads " + where + "; choose a width that is");
}

}  // namespace

bool looks_at_features(RankModel model) {
  return model == RankModel::self || model == RankModel::self_cross;
}

bool looks_across(RankModel model) {
  return model == RankModel::cross || model == RankModel::self_cross ||
         model == RankModel::rankformer;
}

const std::vector<std::string>& rank_model_names() {
  static const std::vector<std::string> names{"cross", "self-cross", "rankformer",
                                              "mlp",   "self",       "linear"};
  return names;
}

std::string to_string(RankModel model) {
  switch (model) {
    case RankModel::linear:
      return "linear";
    case RankModel::mlp:
      return "mlp";
    case RankModel::cross:
      return "cross";
    case RankModel::self:
      return "self";
    case RankModel::self_cross:
      return "self-cross";
    case RankModel::rankformer:
      break;
  }
  return "rankformer";
}

RankModel parse_rank_model(std::string_view word) {
  for (const RankModel model : {RankModel::linear, RankModel::mlp, RankModel::cross,
                                RankModel::self, RankModel::self_cross, RankModel::rankformer})
    if (to_string(model) == word) return model;
  throw attn::UsageError("there is no model " + attn::io::quote_text(word) + "; expected one of " +
                         attn::io::list_names(rank_model_names()));
}

void check(const RankerOptions& o) {
  require(o.features + static_cast<int64_t>(o.categories.size()) > 0,
          "a ranking network needs one feature at least");
  require(o.width >= 1 && o.hidden >= 1, "width and hidden must be at least 1");
  require(o.layers >= 0 && o.self_layers >= 0, "layers must not be negative");
  require(std::max({o.layers, o.self_layers}) <= 1000, "layers must be at most 1000");
  require(std::max(o.width, o.hidden) <= 1'000'000, "width and hidden must be at most 1000000");
  if (looks_across(o.model)) check_heads(o.width, o.heads, "across traders");
  if (looks_at_features(o.model)) check_heads(o.width, o.self_heads, "among features");
  require(o.dropout >= 0 && o.dropout < 1 && o.input_dropout >= 0 && o.input_dropout < 1,
          "dropout must be at least 0 and below 1");
}

void to_json(nlohmann::json& j, const RankerOptions& o) {
  j = {{"model", to_string(o.model)},
       {"width", o.width},
       {"heads", o.heads},
       {"layers", o.layers},
       {"hidden", o.hidden},
       {"dropout", o.dropout},
       {"input_dropout", o.input_dropout},
       {"self_layers", o.self_layers},
       {"self_heads", o.self_heads},
       {"bounded", o.bounded},
       {"features", o.features},
       {"categories", o.categories}};
}

void from_json(const nlohmann::json& j, RankerOptions& o) {
  using attn::io::get_or;
  o.model = parse_rank_model(get_or<std::string>(j, "model", kWhere, to_string(o.model)));
  o.width = get_or(j, "width", kWhere, o.width);
  o.heads = get_or(j, "heads", kWhere, o.heads);
  o.layers = get_or(j, "layers", kWhere, o.layers);
  o.hidden = get_or(j, "hidden", kWhere, o.hidden);
  o.dropout = get_or(j, "dropout", kWhere, o.dropout);
  o.input_dropout = get_or(j, "input_dropout", kWhere, o.input_dropout);
  o.self_layers = get_or(j, "self_layers", kWhere, o.self_layers);
  o.self_heads = get_or(j, "self_heads", kWhere, o.self_heads);
  o.bounded = get_or(j, "bounded", kWhere, o.bounded);
  o.features = get_or(j, "features", kWhere, o.features);
  o.categories = get_or(j, "categories", kWhere, o.categories);
}

}  // namespace finance
