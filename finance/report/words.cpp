#include "finance/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "libattn/io/text.h"

namespace finance {
namespace {

constexpr size_t kMore = 400;  // rows behind a click

/// "1234567" as "1 234 567".
std::string in_threes(std::string digits) {
  const size_t sign = digits.starts_with('-') ? 1 : 0;
  for (size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, 1, ' ');
  return digits;
}

/// "ndcg@10" is ndcg at 10; a metric of the whole list is at 0.
struct Named {
  std::string family;
  int64_t at = 0;
};

Named taken_apart(const std::string& metric) {
  const size_t sign = metric.find('@');
  if (sign == std::string::npos) return {metric, 0};
  Named out{metric.substr(0, sign), 0};
  const char* end = metric.data() + metric.size();
  const auto [stop, error] = std::from_chars(metric.data() + sign + 1, end, out.at);
  return error == std::errc() && stop == end && out.at > 0 ? out : Named{metric, 0};
}

}  // namespace

std::string money_text(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  if (std::abs(value) >= 1e15) return fmt::format("{:.6g}", value);
  if (std::abs(value) >= 999.5) return in_threes(fmt::format("{:.0f}", value));
  return attn::report::format_number(value, 4);
}

std::string signed_money(double value) {
  return (value > 0 && std::isfinite(value) ? "+" : "") + money_text(value);
}

std::string percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.1f} %", 100 * share) : "-";
}

std::string level_text(double level) {
  return fmt::format("{:.6g} %", 100 * level);
}

std::string count_text(int64_t count) {
  return in_threes(std::to_string(count));
}

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  return count_text(count) + " " + (count == 1 ? one : many);
}

std::string short_name(const std::string& name) {
  return attn::io::one_line(name, 40);
}

MoneyScale money_scale(std::span<const double> values) {
  double most = 0;
  for (const double v : values)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  for (const auto& [unit, word] :
       {std::pair{1e12, "trillions"}, {1e9, "billions"}, {1e6, "millions"}, {1e3, "thousands"}})
    if (most >= (unit == 1e3 ? 1e5 : unit)) return {unit, fmt::format("money, {}", word)};
  return {1, "money"};
}

bool is_money(const std::string& metric) {
  return metric == "pnl_of_mistakes" || taken_apart(metric).family == "profit";
}

std::string metric_text(const std::string& metric, double value) {
  return is_money(metric) ? money_text(value) : attn::report::format_number(value);
}

std::string metric_interval(const std::string& metric, double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return "-";
  return metric_text(metric, low) + " to " + metric_text(metric, high);
}

std::string metric_meaning(const std::string& metric) {
  const auto [family, k] = taken_apart(metric);
  const std::string first = k == 1 ? "the first trader" : fmt::format("the first {} traders", k);
  if (family == "profit" && k > 0)
    return fmt::format("Money saved by hedging {} of a list, before what the hedge costs.", first);
  if (family == "ndcg" && k > 0)
    return fmt::format("How good the order is by label, down to place {}: 1 is the best order.", k);
  if (family == "precision" && k > 0)
    return k == 1 ? "Share of the lists whose first trader is risky."
                  : fmt::format(
                        "Share of the first {} places that is risky; a list of fewer leaves places "
                        "empty.",
                        k);
  if (metric == "mrr") return "1 over the place of the first risky trader: 1 is first, 0.5 second.";
  if (metric == "auc")
    return "Chance that a risky row scores above one that is not: 0.5 is guessing, 1 perfect.";
  if (metric == "macro_f1")
    return "F1 of risky rows and of the others, averaged: 1 is every row decided rightly.";
  if (metric == "precision") return "Share of the flagged rows that is risky.";
  if (metric == "recall") return "Share of the risky rows that is flagged.";
  if (metric == "pnl_of_mistakes")
    return "Minus the money, won or lost, of all rows decided against their label: 0 is no "
           "mistake.";
  return "";
}

std::string interval_words(double level, int64_t lists) {
  std::string out = fmt::format(
      "Intervals hold {} of a bootstrap over lists: whole lists are drawn anew, with replacement, "
      "and the number taken again. They say how far it may move with other lists of the same kind, "
      "not what a changed market does to it.",
      level_text(level));
  if (lists == 1)
    out += " Of one list there is nothing to draw: its intervals say nothing.";
  else if (lists > 0 && lists < 30)
    out += fmt::format(" {} are few: such intervals come out too narrow.",
                       counted(lists, "list", "lists"));
  return out;
}

void add_long_table(attn::report::ReportSection& page, const attn::report::ReportTable& table,
                    size_t most, const std::string& summary) {
  const size_t rows = table.rows.size();
  const auto part = [&](size_t from, size_t to) {
    attn::report::ReportTable out{.columns = table.columns, .rows = {}};
    const auto at = [&](size_t row) {
      return table.rows.begin() + static_cast<std::ptrdiff_t>(std::min(row, rows));
    };
    out.rows.assign(at(from), at(to));
    return out;
  };
  attn::report::ReportTable first = part(0, most);
  first.caption = table.caption;
  page.table(first);
  if (rows <= most) return;
  attn::report::ReportSection inside;
  inside.table(part(most, most + kMore));
  const size_t left = rows - most;
  page.details(left <= kMore ? fmt::format("{} {}", left, summary)
                             : fmt::format("{} of {} {}", kMore, left, summary),
               inside);
}

}  // namespace finance
