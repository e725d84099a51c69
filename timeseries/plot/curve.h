// Inside timeseries/plot: what its pictures share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libattn/report/svg.h"

namespace timeseries {

inline constexpr int kPlotWidth = 960;
/// Points that a curve is drawn with at most; of more the peaks and the gaps are kept.
inline constexpr size_t kMostPoints = 2000;

/// A curve over stamps, thinned. Throws std::logic_error where the two are not as many.
attn::report::Series curve(const std::string& name, std::span<const int64_t> stamps,
                           std::span<const double> values, int color);

/// The x axis over these stamps: dates, or whole numbers from end to end.
void set_x_axis(attn::report::ChartOptions& options, bool dates, std::span<const int64_t> stamps);

/// Whether any of them is finite.
bool any_known(std::span<const double> values);

/// 0.8: "80 %".
std::string percent(double level);
/// "1 patch", "12 patches".
std::string counted(int64_t count, const std::string& one, const std::string& many);

}  // namespace timeseries
