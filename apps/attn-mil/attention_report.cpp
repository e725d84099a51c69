#include "apps/attn-mil/attention_report.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "libattn/io/table.h"
#include "libattn/report/probe_sections.h"
#include "libattn/report/report.h"
#include "libattn/report/svg.h"
#include "libattn/train/metrics.h"

namespace attn::app {
namespace {

using report::format_number;

void add_bags(report::Report& page, const std::vector<BagEntropy>& bags) {
  std::vector<double> normalised;
  report::ReportTable table{.columns = {"bag", "instances", "entropy (nats)", "normalised"},
                            .rows = {}};
  for (const auto& bag : bags) {
    normalised.push_back(bag.normalised);
    table.rows.push_back({bag.bag, std::to_string(bag.instances), format_number(bag.entropy),
                          format_number(bag.normalised)});
  }
  const auto summary = attn::train::mean_sd(normalised);
  page.heading("Every bag");
  page.key_values({{"mean normalised entropy", format_number(summary.mean)},
                   {"sd over bags", format_number(summary.sd)}});
  page.paragraph(
      "Entropy H = -sum a ln a of the attention a over a bag's instances, as the finished model "
      "has "
      "it; normalised: divided by ln N. 0: all on one instance; 1: spread evenly.");
  report::ChartOptions options;
  options.title = "Bags by entropy";
  options.x_label = "normalised attention entropy";
  options.y_label = "bags";
  page.chart(report::histogram(normalised, options));
  page.table(table);
}

}  // namespace

std::vector<BagEntropy> entropies_of(const pathology::BagSet& set,
                                     const std::vector<pathology::BagPrediction>& predictions) {
  std::vector<BagEntropy> out;
  for (const auto& p : predictions)
    out.push_back(
        {set.bags[static_cast<size_t>(p.bag)].id, p.instances, p.entropy, p.normalised_entropy});
  return out;
}

std::vector<BagEntropy> entropies_of(const std::vector<nlohmann::json>& facts) {
  const auto number = [](const nlohmann::json& value) {
    return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  std::vector<BagEntropy> out;
  for (const auto& one : facts)
    out.push_back({one.at("slide").get<std::string>(), one.at("tiles").get<int64_t>(),
                   number(one.at("attention_entropy")),
                   number(one.at("attention_entropy_normalised"))});
  return out;
}

std::vector<BagEntropy> read_entropies(const std::filesystem::path& predictions) {
  const auto table = io::Table::read(predictions);
  const auto bags = table.strings("bag");
  const auto instances = table.integers("instances");
  const io::NumberRule gaps{.allow_missing = true};  // undefined entropies are empty fields
  const auto entropy = table.doubles("attention_entropy", gaps);
  const auto normalised = table.doubles("attention_entropy_normalised", gaps);
  std::vector<BagEntropy> out;
  for (size_t i = 0; i < bags.size(); ++i)
    out.push_back({bags[i], instances[i], entropy[i], normalised[i]});
  return out;
}

AttentionReport::AttentionReport(const Context& context) {
  if (!context.common.attention_report) return;
  path_ = *context.common.attention_report;
  probe_.emplace();
}

void AttentionReport::write(const std::string& model, const std::vector<BagEntropy>& bags) const {
  ProbeReport seen = probe_->report();
  for (const auto& layer : seen.layers)
    if (layer.steps.back().step > 0) seen.step_name = "epoch";  // something was trained
  report::Report page("Attention entropy", fmt::format("model {}, {} bags", model, bags.size()));
  if (seen.layers.empty())
    page.note(
        "No attention was computed in this call: the model has none, or all was finished before.");
  else
    report::add_probe_sections(page, seen);
  add_bags(page, bags);
  page.write(path_);
}

}  // namespace attn::app
