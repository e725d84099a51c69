#include <fmt/format.h>

#include <algorithm>

#include "attn/probe_page.h"

namespace attn {
namespace {

using Kind = ProbeWarning::Kind;

void warn_of_head(const std::string& layer, const ProbeStep& step, size_t number,
                  std::vector<ProbeWarning>& out) {
  const ProbeHead& head = step.heads[number];
  const std::string name = fmt::format("head {} of {}", number, layer);
  const auto add = [&](Kind kind, double value, const std::string& text) {
    out.push_back({kind, layer, static_cast<int64_t>(number), step.step, value, text});
  };
  // Comparisons with NaN are false: what is not defined warns of nothing.
  if (head.normalised_entropy < kProbeCollapse)
    add(Kind::collapse, head.normalised_entropy,
        fmt::format("{} looks at one key: its normalised entropy is {:.3f}, its largest weight "
                    "{:.3f} on average (entropy collapse)",
                    name, head.normalised_entropy, head.max_mass));
  if (head.normalised_entropy > kProbeOverload)
    add(Kind::overload, head.normalised_entropy,
        fmt::format("{} is uniform: its normalised entropy is {:.3f}, this head mixes everything "
                    "(entropic overload)",
                    name, head.normalised_entropy));
  const bool many = head.keys >= kProbeSinkKeys;
  if (many && head.first_key_mass > kProbeSink)
    add(Kind::first_key, head.first_key_mass,
        fmt::format("{} puts {:.2f} of its weight on the first key (attention sink)", name,
                    head.first_key_mass));
  if (many && head.learned_sink_mass > kProbeSink)
    add(Kind::learned_sink, head.learned_sink_mass,
        fmt::format("{} puts {:.2f} of its weight on the learned sink, and little on any key", name,
                    head.learned_sink_mass));
}

/// Rows of a head over all steps.
struct Rows {
  int64_t all = 0, bad = 0, last_step = 0;
};

template <class Count>
std::vector<Rows> count_rows(const ProbeLayerReport& layer, const Count& count) {
  std::vector<Rows> out;
  for (const ProbeStep& step : layer.steps) {
    out.resize(std::max(out.size(), step.heads.size()));
    for (size_t h = 0; h < step.heads.size(); ++h) {
      const ProbeHead& head = step.heads[h];
      out[h].all += head.rows + head.dead_rows + head.nonfinite_rows;
      out[h].bad += count(head);
      if (count(head) > 0) out[h].last_step = step.step;
    }
  }
  return out;
}

/// One warning where all heads have the same number of such rows, else one a head.
void warn_of_rows(const ProbeLayerReport& layer, Kind kind, const char* what,
                  const std::vector<Rows>& rows, std::vector<ProbeWarning>& out) {
  const bool same = rows.size() > 1 && std::all_of(rows.begin(), rows.end(), [&](const Rows& r) {
                      return r.bad == rows.front().bad && r.all == rows.front().all;
                    });
  for (size_t h = 0; h < (same ? 1 : rows.size()); ++h) {
    if (rows[h].bad == 0) continue;
    out.push_back({kind, layer.name, same ? -1 : static_cast<int64_t>(h), rows[h].last_step,
                   static_cast<double>(rows[h].bad),
                   fmt::format("{} of {} rows of {} of {} {}", rows[h].bad, rows[h].all,
                               same ? "every head" : fmt::format("head {}", h), layer.name, what)});
  }
}

}  // namespace

std::vector<ProbeWarning> probe_warnings(const ProbeReport& report) {
  std::vector<ProbeWarning> out;
  for (const ProbeLayerReport& layer : report.layers) {
    if (layer.steps.empty()) continue;
    const ProbeStep& newest = layer.steps.back();
    for (size_t h = 0; h < newest.heads.size(); ++h) warn_of_head(layer.name, newest, h, out);
    warn_of_rows(layer, Kind::dead, "see no key: their output is 0",
                 count_rows(layer, [](const ProbeHead& head) { return head.dead_rows; }), out);
    warn_of_rows(layer, Kind::nonfinite, "are not finite: look for extreme or undefined inputs",
                 count_rows(layer, [](const ProbeHead& head) { return head.nonfinite_rows; }), out);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.kind < b.kind; });
  return out;
}

}  // namespace attn
