// Names of losses, what options must be, and what to warn of.
#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "finance/loss/rank_loss.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace finance {

/// In the order of LossKind.
const std::vector<std::string>& loss_names() {
  static const std::vector<std::string> names{"pa-bce",  "bce",     "softmax",    "lambdarank",
                                              "listnet", "ranknet", "log-profit", "mse"};
  return names;
}

LossKind parse_loss(std::string_view word) {
  const auto& names = loss_names();
  const auto at = std::ranges::find(names, word);
  if (at == names.end())
    throw attn::UsageError("the loss: expected " + attn::io::list_names(names) + ", found " +
                           attn::io::quote_text(word) + attn::io::did_you_mean(word, names));
  return static_cast<LossKind>(at - names.begin());
}

std::string to_string(LossKind kind) {
  return loss_names().at(static_cast<size_t>(kind));
}

GapWeight parse_gap_weight(std::string_view word) {
  if (word == "10") return GapWeight::log10;
  if (word == "e") return GapWeight::log;
  if (word == "none") return GapWeight::linear;
  throw attn::UsageError("the logarithm of a profit gap: expected 10, e or none, found " +
                         attn::io::quote_text(word));
}

std::string to_string(GapWeight weight) {
  switch (weight) {
    case GapWeight::log10:
      return "10";
    case GapWeight::log:
      return "e";
    case GapWeight::linear:
      break;
  }
  return "none";
}

bool needs_profit(LossKind kind) {
  return kind == LossKind::pa_bce || kind == LossKind::log_profit;
}

bool needs_label(LossKind kind) {
  return !needs_profit(kind);
}

void check(const LossOptions& o) {
  if (o.top < 0)
    throw attn::UsageError("the number of most profitable traders a list is cut to is " +
                           std::to_string(o.top) +
                           ", expected at least 1, or 0 for the whole list");
  if (o.truncation < 0)
    throw attn::UsageError("the places that lambdarank looks at are " +
                           std::to_string(o.truncation) + ", expected at least 1, or 0 for all");
  if (!(o.money > 0) || !std::isfinite(o.money))
    throw attn::UsageError("the unit of money is " + attn::io::number_text(o.money) +
                           ", expected a positive number");
}

std::string truncation_warning(const LossOptions& options, std::span<const int64_t> offsets,
                               std::span<const double> profit) {
  if (options.kind != LossKind::pa_bce || options.top <= 0) return "";
  int64_t cut = 0;
  for (size_t l = 0; l + 1 < offsets.size(); ++l) {
    if (offsets[l + 1] - offsets[l] <= options.top) continue;
    const auto rows = profit.subspan(static_cast<size_t>(offsets[l]),
                                     static_cast<size_t>(offsets[l + 1] - offsets[l]));
    const auto [least, most] = std::ranges::minmax(rows);
    if (least < 0 && most > 0) ++cut;
  }
  if (cut == 0) return "";
  const std::string k = std::to_string(options.top);
  const std::string lists = offsets.size() == 2 ? " list" : " lists";
  return "--top " + k + " trains on the " + k + " most profitable traders of a list alone, and " +
         std::to_string(cut) + " of " + std::to_string(offsets.size() - 1) + lists +
         (cut == 1 ? " is" : " are") + " longer and " + (cut == 1 ? "has" : "have") +
         " profits of both signs: the other traders never move the model, which then tends to rank "
         "by stake and not by profit; --top 0 trains on the whole list";
}

}  // namespace finance
