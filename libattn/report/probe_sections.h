// The page of attn::Probe as parts of other pages.
#pragma once

#include "attn/probe_page.h"
#include "libattn/report/report.h"

namespace attn::report {

/// Warnings, maps, course over the steps, table, and what the numbers mean. Nothing for a report
/// without layers.
void add_probe_sections(ReportSection& page, const ProbeReport& probe);

}  // namespace attn::report
