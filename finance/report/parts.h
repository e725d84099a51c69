// Inside finance/report: the parts of a page, each nothing where it has no data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/report/rank_pages.h"
#include "libattn/report/report.h"
#include "libattn/report/svg.h"

namespace finance {

inline constexpr int kWide = 960, kHalf = 460;  ///< widths of charts, pixels
inline constexpr size_t kMostPoints = 1500;     ///< of a curve or a cloud

/// Rows of list l of a column; of a column that is not there, none.
std::span<const double> part_of(const RankLists& lists, std::span<const double> column, int64_t l);
/// "row 17": of the data, from 1, of the row at `place` among those of the lists.
std::string row_name(const RankLists* lists, int64_t place);
/// The n rows of a list from the highest score down, ties by row; a score that is NaN comes last.
/// Without scores the rows as they stand.
std::vector<int64_t> by_score(std::span<const double> scores, int64_t n);
bool all_finite(std::span<const double> values);

/// A line over x, thinned.
attn::report::Series thin_line(const std::string& name, std::span<const double> x,
                               std::span<const double> y, int color);
/// RankPage::curve over 0, 1, 2, ... traders hedged, in units of money: it starts at 0.
attn::report::Series depth_line(const std::string& name, const std::vector<double>& curve,
                                double unit, int color);

void add_metrics(attn::report::ReportSection& page, const RankPage& of);
void add_depth(attn::report::ReportSection& page, const RankPage& of);
void add_hedging(attn::report::ReportSection& page, const RankPage& of);
void add_calibration(attn::report::ReportSection& page, const RankPage& of);
void add_attention(attn::report::ReportSection& page, const RankPage& of);
void add_training(attn::report::ReportSection& page, const RankPage& of);

}  // namespace finance
