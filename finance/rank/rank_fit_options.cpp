// The options of a training checked, and to and from JSON.
#include <charconv>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "finance/rank/rank_train.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/train/train_options.h"

namespace finance {
namespace {

constexpr const char* kWhere = "the training options";

nlohmann::json loss_json(const LossOptions& o) {
  return {{"kind", to_string(o.kind)},
          {"top", o.top},
          {"log", to_string(o.weight)},
          {"money", o.money},
          {"gain", o.gain == LambdaGain::exponential ? "exponential" : "linear"},
          {"truncation", o.truncation}};
}

void read_loss(const nlohmann::json& j, LossOptions& o) {
  using attn::io::get_or;
  o.kind = parse_loss(get_or<std::string>(j, "kind", kWhere, to_string(o.kind)));
  o.top = get_or(j, "top", kWhere, o.top);
  o.weight = parse_gap_weight(get_or<std::string>(j, "log", kWhere, to_string(o.weight)));
  o.money = get_or(j, "money", kWhere, o.money);
  o.gain = get_or<std::string>(j, "gain", kWhere, "exponential") == "linear"
               ? LambdaGain::linear
               : LambdaGain::exponential;
  o.truncation = get_or(j, "truncation", kWhere, o.truncation);
}

}  // namespace

SelectBy parse_select(std::string_view word) {
  if (word == "auc") return {SelectBy::Kind::auc, 0};
  if (word == "loss") return {SelectBy::Kind::loss, 0};
  const size_t at = word.find('@');
  const std::string_view kind = word.substr(0, at);
  int64_t k = 0;
  if (at != std::string_view::npos && (kind == "profit" || kind == "ndcg")) {
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data() + at + 1, end, k);
    if (error == std::errc() && stop == end && k >= 1)
      return {kind == "profit" ? SelectBy::Kind::profit : SelectBy::Kind::ndcg, k};
  }
  throw attn::UsageError("there is no selection by " + attn::io::quote_text(word) +
                         "; expected profit@K, ndcg@K, auc or loss");
}

std::string to_string(const SelectBy& select) {
  switch (select.kind) {
    case SelectBy::Kind::profit:
      return "profit@" + std::to_string(select.k);
    case SelectBy::Kind::ndcg:
      return "ndcg@" + std::to_string(select.k);
    case SelectBy::Kind::auc:
      return "auc";
    case SelectBy::Kind::loss:
      break;
  }
  return "loss";
}

void to_json(nlohmann::json& j, const RankFitOptions& o) {
  j = {{"loss", loss_json(o.loss)},
       {"select", to_string(o.select)},
       {"average", o.average},
       {"optimisation", nlohmann::json(o.optimisation)}};
}

void from_json(const nlohmann::json& j, RankFitOptions& o) {
  if (const nlohmann::json* loss = attn::io::find(j, "loss", kWhere)) read_loss(*loss, o.loss);
  o.select = parse_select(attn::io::get_or<std::string>(j, "select", kWhere, to_string(o.select)));
  o.average = attn::io::get_or(j, "average", kWhere, o.average);
  if (const nlohmann::json* own = attn::io::find(j, "optimisation", kWhere))
    from_json(*own, o.optimisation);
}

void check(const RankFitOptions& o) {
  check(o.optimisation);
  check(o.loss);
  if (!(o.average >= 0 && o.average < 1))
    throw attn::UsageError("the average's weight must be at least 0 and below 1, not " +
                           attn::io::number_text(o.average));
}

}  // namespace finance
