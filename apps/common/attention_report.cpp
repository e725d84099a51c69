#include "apps/common/attention_report.h"

#include "libattn/report/probe_sections.h"
#include "libattn/report/report.h"

namespace attn::app {

AttentionReport::AttentionReport(const Context& context) {
  if (!context.common.attention_report) return;
  path_ = *context.common.attention_report;
  probe_.emplace();
}

void AttentionReport::write(const std::string& subject) const {
  if (!probe_) return;
  ProbeReport seen = probe_->report();
  for (const auto& layer : seen.layers)
    if (layer.steps.back().step > 0) seen.step_name = "epoch";  // something was trained
  report::Report page("Attention entropy", subject);
  if (seen.layers.empty())
    page.note(
        "No attention was computed in this call: the model has none, or all was finished before.");
  else
    report::add_probe_sections(page, seen);
  page.write(path_);
}

}  // namespace attn::app
