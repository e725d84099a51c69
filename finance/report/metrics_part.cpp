// Metrics of one scoring, with what each says.
#include <fmt/format.h>

#include <algorithm>

#include "finance/report/parts.h"
#include "finance/report/words.h"

namespace finance {
namespace {

constexpr size_t kShown = 30;

/// Those that rest on the threshold.
bool of_decisions(const std::string& metric) {
  return metric == "macro_f1" || metric == "precision" || metric == "recall" ||
         metric == "pnl_of_mistakes";
}

std::string decision_words(const RankPage& of) {
  const std::string rule = of.threshold_rule.empty() ? "" : ": " + of.threshold_rule;
  return fmt::format(
      "macro_f1, precision, recall and pnl_of_mistakes are of decisions over all rows: a row is "
      "flagged where its score is at least {}{}.",
      attn::report::format_number(of.threshold, 4), rule);
}

}  // namespace

void add_metrics(attn::report::ReportSection& page, const RankPage& of) {
  if (of.metrics.empty()) return;
  attn::report::ReportTable table{
      .columns = {"metric", "value", level_text(of.level) + " interval", "lists", "what it says"},
      .rows = {}};
  int64_t lists = 0;
  bool decisions = false;
  for (const Metric& m : of.metrics) {
    table.rows.push_back({m.name, metric_text(m.name, m.value),
                          metric_interval(m.name, m.low, m.high), count_text(m.lists),
                          metric_meaning(m.name)});
    lists = std::max(lists, m.lists);
    decisions = decisions || of_decisions(m.name);
  }
  page.heading("How good the order is");
  add_long_table(page, table, kShown, "more metrics");
  page.paragraph("Of each the larger is the better. " + interval_words(of.level, lists));
  if (decisions) page.paragraph(decision_words(of));
}

}  // namespace finance
