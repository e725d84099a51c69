// The course of a training.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finance/report/parts.h"
#include "finance/report/words.h"
#include "libattn/report/panels.h"

namespace finance {
namespace {

using attn::report::Panel;

Panel panel_of(const std::vector<double>& values, const std::string& title, int color,
               const std::string& y_label, int64_t best) {
  std::vector<double> epochs(values.size());
  std::iota(epochs.begin(), epochs.end(), 1.0);
  Panel panel{{thin_line("", epochs, values, color)}, {}};
  panel.options.title = title;
  panel.options.y_label = y_label;
  panel.options.height = 200;
  if (best < 1 || best > std::ssize(values)) return panel;
  panel.options.rules.push_back({.at = static_cast<double>(best), .vertical = true});
  const double at_best = values[static_cast<size_t>(best - 1)];
  if (!std::isfinite(at_best)) return panel;
  attn::report::Series dot{.name = "", .x = {static_cast<double>(best)}, .y = {at_best}};
  dot.color = color;
  dot.draw = attn::report::Draw::dots;
  dot.width = 3;
  panel.series.push_back(std::move(dot));
  return panel;
}

std::string best_words(const RankPage& of, const std::string& measured) {
  if (of.best_epoch < 1 || of.best_epoch > std::ssize(of.training)) return "";
  const TrainingEpoch& best = of.training[static_cast<size_t>(of.best_epoch - 1)];
  std::string out = fmt::format("Epoch {} was kept (dashed line)", of.best_epoch);
  if (std::isfinite(best.validation))
    out += fmt::format(", with {} = {} on the validation lists", measured,
                       metric_text(of.selected_by, best.validation));
  return out + ". ";
}

}  // namespace

void add_training(attn::report::ReportSection& page, const RankPage& of) {
  if (of.training.empty()) return;
  std::vector<double> loss, validation;
  for (const TrainingEpoch& epoch : of.training) {
    loss.push_back(epoch.loss);
    validation.push_back(epoch.validation);
  }
  const std::string measured = of.selected_by.empty() ? "the validation" : of.selected_by;
  std::vector<Panel> panels{panel_of(loss, "Loss on the training lists", 0, "loss", of.best_epoch)};
  const bool validated =
      std::any_of(validation.begin(), validation.end(), [](double v) { return std::isfinite(v); });
  if (validated) {
    const MoneyScale scale =
        is_money(of.selected_by) ? money_scale(validation) : MoneyScale{1, of.selected_by};
    for (double& v : validation) v /= scale.unit;
    panels.push_back(panel_of(validation, of.selected_by + " on the validation lists", 1,
                              scale.label, of.best_epoch));
    if (of.selected_by.empty()) panels.back().options.title = "Validation lists";
  }
  attn::report::ChartOptions whole;
  whole.width = kWide;
  whole.x_label = "epoch";
  whole.x_whole = true;
  if (loss.size() > 1) whole.x_range = {1, static_cast<double>(loss.size())};
  page.heading("Training");
  page.chart(
      attn::report::stacked_panels(panels, whole),
      best_words(of, measured) +
          (validated ? "The epoch is chosen by the validation lists, so their number flatters "
                       "it; only lists that were no part of training judge the model."
                     : "No lists were set aside for validation."));
}

}  // namespace finance
