// Inside the probe's page: what its parts share, and the course over the steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "attn/probe.h"
#include "libattn/report/report.h"

namespace attn::report {

inline constexpr int kProbeWidth = 960;  ///< of its charts

using Number = double ProbeHead::*;

size_t heads_of(const ProbeReport& probe);
/// Those of all layers.
std::set<int64_t> steps_of(const ProbeReport& probe);
/// Mean over the heads that have the number; NaN where none has.
double mean_of(const ProbeStep& step, Number number);

/// Normalised entropy and the weight on the first key over the steps, where there are two or more:
/// a line a layer, of many layers a map.
void add_trend(ReportSection& page, const ProbeReport& probe);

}  // namespace attn::report
