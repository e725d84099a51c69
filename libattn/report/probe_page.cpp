#include "attn/probe_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "libattn/report/heat_map.h"
#include "libattn/report/probe_sections.h"
#include "libattn/report/probe_trend.h"

namespace attn {
namespace report {
namespace {

using Kind = ProbeWarning::Kind;

constexpr size_t kShown = 12, kMore = 500;  // warnings at once, and behind a click

struct KindText {
  Kind kind;
  const char* name;
  const char* mark;  ///< in the maps
};
constexpr std::array<KindText, 6> kKinds{{{Kind::nonfinite, "not finite", ""},
                                          {Kind::dead, "rows without a key", ""},
                                          {Kind::collapse, "collapse", "▼"},
                                          {Kind::overload, "overload", "▲"},
                                          {Kind::first_key, "attention sink", "●"},
                                          {Kind::learned_sink, "learned sink", "●"}}};

const KindText& text_of(Kind kind) {
  return *std::find_if(kKinds.begin(), kKinds.end(),
                       [&](const KindText& one) { return one.kind == kind; });
}

std::string tooltip(const ProbeReport& probe, const ProbeLayerReport& layer, size_t h) {
  const ProbeStep& step = layer.steps.back();
  const ProbeHead& head = step.heads[h];
  std::string tip = fmt::format(
      "{}, head {}, {} {}: normalised entropy {}, entropy {} nats ({} to {}), largest weight {}, "
      "{} keys, {} rows, {} calls",
      layer.name, h, probe.step_name, step.step, format_number(head.normalised_entropy),
      format_number(head.entropy), format_number(head.entropy_min), format_number(head.entropy_max),
      format_number(head.max_mass), format_number(head.keys), head.rows, step.calls);
  if (std::isfinite(head.first_key_mass))
    tip += ", first key " + format_number(head.first_key_mass);
  if (std::isfinite(head.learned_sink_mass))
    tip += ", learned sink " + format_number(head.learned_sink_mass);
  if (head.dead_rows > 0) tip += fmt::format(", {} rows without a key", head.dead_rows);
  if (head.nonfinite_rows > 0) tip += fmt::format(", {} rows not finite", head.nonfinite_rows);
  return tip;
}

/// The newest step of each layer, a row each, heads side by side.
HeatMap map_of(const ProbeReport& probe, Number number, const std::vector<ProbeWarning>& warnings,
               const std::set<Kind>& marked) {
  HeatMap map;
  const size_t heads = heads_of(probe);
  std::map<std::pair<std::string, int64_t>, std::string> marks;
  for (const auto& w : warnings)
    if (marked.contains(w.kind)) marks[{w.layer, w.head}] = text_of(w.kind).mark;
  for (size_t h = 0; h < heads; ++h) map.columns.push_back(std::to_string(h));
  for (const auto& layer : probe.layers) {
    map.rows.push_back(layer.name);
    std::vector<double> values(heads, ProbeHead::kNone);
    std::vector<std::string> tips(heads), signs(heads);
    for (size_t h = 0; h < layer.steps.back().heads.size(); ++h) {
      values[h] = layer.steps.back().heads[h].*number;
      tips[h] = tooltip(probe, layer, h);
      const auto mark = marks.find({layer.name, static_cast<int64_t>(h)});
      if (mark != marks.end()) signs[h] = mark->second;
    }
    map.values.push_back(std::move(values));
    map.tooltips.push_back(std::move(tips));
    map.marks.push_back(std::move(signs));
  }
  return map;
}

/// The map of the layers that have the number at all.
HeatMap map_of_defined(ProbeReport probe, Number number, const std::vector<ProbeWarning>& warnings,
                       Kind marked) {
  std::erase_if(probe.layers, [&](const ProbeLayerReport& layer) {
    return !std::isfinite(mean_of(layer.steps.back(), number));
  });
  return map_of(probe, number, warnings, {marked});
}

ReportTable warning_table(const ProbeReport& probe, const std::vector<ProbeWarning>& warnings,
                          size_t from, size_t to) {
  ReportTable table{.columns = {"kind", "layer", "head", probe.step_name, "value", "in words"},
                    .rows = {}};
  for (size_t i = from; i < std::min(warnings.size(), to); ++i) {
    const auto& w = warnings[i];
    const bool rows = w.kind == Kind::dead || w.kind == Kind::nonfinite;
    table.rows.push_back({text_of(w.kind).name, w.layer,
                          w.head < 0 ? "all" : std::to_string(w.head), std::to_string(w.step),
                          rows ? fmt::format("{:.0f}", w.value) : format_number(w.value), w.text});
  }
  return table;
}

void add_warnings(ReportSection& page, const ProbeReport& probe,
                  const std::vector<ProbeWarning>& warnings) {
  page.heading("Warnings");
  if (probe.calls_left_out > 0)
    page.note(
        fmt::format("{} calls without a name were left out, more than {} in one {}: name the "
                    "layers, or tell where a {} begins.",
                    probe.calls_left_out, Probe::kUnnamed, probe.step_name, probe.step_name));
  if (warnings.empty()) {
    page.paragraph(fmt::format(
        "None: in the newest {0} of each layer no head has a normalised entropy below {1} or above "
        "{2} or more than {3} of its weight on a sink, and in no {0} was a row without a key or "
        "not finite.",
        probe.step_name, kProbeCollapse, kProbeOverload, kProbeSink));
    return;
  }
  std::map<Kind, size_t> counts;
  for (const auto& w : warnings) ++counts[w.kind];
  std::vector<std::string> told;
  for (const auto& [kind, count] : counts)
    told.push_back(fmt::format("{} {}", text_of(kind).name, count));
  page.note(fmt::format("{} to look at: {}.", warnings.size(), fmt::join(told, ", ")));
  page.table(warning_table(probe, warnings, 0, kShown));
  if (warnings.size() <= kShown) return;
  ReportSection more;
  more.table(warning_table(probe, warnings, kShown, kShown + kMore));
  page.details(warnings.size() <= kShown + kMore
                   ? fmt::format("The other {}", warnings.size() - kShown)
                   : fmt::format("{} more of the other {}", kMore, warnings.size() - kShown),
               more);
}

void add_map(ReportSection& page, const HeatMap& map, const std::string& title,
             const std::string& caption) {
  ChartOptions options;
  options.title = title;
  options.x_label = "head";
  options.width = kProbeWidth;
  page.chart(heat_map_chart(map, options), caption);
}

void add_sinks(ReportSection& page, const ProbeReport& probe,
               const std::vector<ProbeWarning>& warnings) {
  const HeatMap first =
      map_of_defined(probe, &ProbeHead::first_key_mass, warnings, Kind::first_key);
  const HeatMap learned =
      map_of_defined(probe, &ProbeHead::learned_sink_mass, warnings, Kind::learned_sink);
  if (first.rows.empty() && learned.rows.empty()) return;
  page.heading("Attention sinks");
  if (!first.rows.empty())
    add_map(page, first, "Weight on the first key",
            fmt::format("Mean weight that queries give to the first key of their sequence, in the "
                        "newest {} of each layer. ● above {}.",
                        probe.step_name, kProbeSink));
  if (!learned.rows.empty())
    add_map(
        page, learned, "Weight on the learned sink",
        fmt::format("Mean weight that goes to the logit without a key. ● above {}.", kProbeSink));
}

void add_numbers(ReportSection& page, const ProbeReport& probe) {
  ReportTable table{
      .columns = {"layer", "heads", probe.step_name, "calls", "rows", "keys", "entropy (nats)",
                  "normalised", "largest weight", "first key", "learned sink"},
      .rows = {}};
  for (const auto& layer : probe.layers) {
    const ProbeStep& step = layer.steps.back();
    int64_t rows = 0;
    for (const auto& head : step.heads) rows = std::max(rows, head.rows);
    std::vector<std::string> row{layer.name, std::to_string(step.heads.size()),
                                 std::to_string(step.step), std::to_string(step.calls),
                                 std::to_string(rows)};
    for (const Number number :
         {&ProbeHead::keys, &ProbeHead::entropy, &ProbeHead::normalised_entropy,
          &ProbeHead::max_mass, &ProbeHead::first_key_mass, &ProbeHead::learned_sink_mass})
      row.push_back(format_number(mean_of(step, number)));
    table.rows.push_back(std::move(row));
  }
  table.caption = "Means over the heads, in the newest " + probe.step_name + " of each layer.";
  ReportSection inside;
  inside.table(table);
  page.details("Numbers of each layer", inside);
}

void add_meaning(ReportSection& page) {
  ReportSection inside;
  inside.list(
      {"Entropy of a query's weights p over its keys: H = -sum p ln p, in nats. Normalised: "
       "divided "
       "by the logarithm of the number of keys that the query may see (causality, window and mask "
       "hide keys; a bias of -inf does not count as hiding), over queries that see two or more. 0: "
       "all weight on one key; 1: spread evenly.",
       fmt::format("Collapse (▼): normalised entropy below {}. Low attention entropy goes with "
                   "unstable training (Zhai et al. 2023, \"Stabilizing Transformer Training by "
                   "Preventing Attention Entropy Collapse\", section 3.1).",
                   kProbeCollapse),
       fmt::format("Overload (▲): normalised entropy above {}; the head tells nothing apart (Jha "
                   "and Reagen 2025, \"Entropy-Guided Attention for Private LLMs\"). Neither paper "
                   "sets a threshold: both numbers are this program's.",
                   kProbeOverload),
       fmt::format("Attention sink (●): more than {} of the weight on the first key (Xiao et al. "
                   "2023, \"Efficient Streaming Language Models with Attention Sinks\"), where "
                   "queries see {} keys or more on average. Usual in language models, and a reason "
                   "not to drop that key from a cache.",
                   kProbeSink, kProbeSinkKeys)});
  inside.paragraph(
      "A sign is where to look, not a verdict: a head that looks at one key may do what it is "
      "for.");
  page.details("What the numbers mean", inside);
}

}  // namespace

void add_probe_sections(ReportSection& page, const ProbeReport& probe) {
  if (probe.layers.empty()) return;
  const std::vector<ProbeWarning> warnings = probe_warnings(probe);
  page.key_values({{"layers", std::to_string(probe.layers.size())},
                   {"heads", std::to_string(heads_of(probe))},
                   {probe.step_name + "s", std::to_string(steps_of(probe).size())},
                   {"calls", std::to_string(probe.calls)}});
  add_warnings(page, probe, warnings);
  page.heading("Entropy by layer and head");
  add_map(page,
          map_of(probe, &ProbeHead::normalised_entropy, warnings, {Kind::collapse, Kind::overload}),
          "Normalised entropy",
          fmt::format("In the newest {} of each layer. Dark: looks at few keys; bright: at all "
                      "alike. ▼ below {}, ▲ above {}. Point at a cell for its numbers.",
                      probe.step_name, kProbeCollapse, kProbeOverload));
  add_trend(page, probe);
  add_sinks(page, probe, warnings);
  add_numbers(page, probe);
  add_meaning(page);
}

}  // namespace report

std::string probe_page(const ProbeReport& probe, const std::string& title) {
  report::Report page(title, "attention, as attn::Probe saw it");
  if (probe.layers.empty())
    page.note("No attention call was recorded.");
  else
    report::add_probe_sections(page, probe);
  return page.page();
}

}  // namespace attn
