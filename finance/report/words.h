// Inside finance/report: numbers, money and metrics in words.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "libattn/report/report.h"

namespace finance {

/// From 1000 on in whole units, digits in threes: "1 234 567", below with four digits: "33.91"; "-"
/// where it is not finite.
std::string money_text(double value);
/// The same with a sign where it is above 0: "+193.5".
std::string signed_money(double value);
/// 0.431: "43.1 %"; "-" where it is not finite.
std::string percent(double share);
/// 0.95: "95 %", 0.999: "99.9 %".
std::string level_text(double level);
/// "1 234 567".
std::string count_text(int64_t count);
/// "1 list", "1 200 lists".
std::string counted(int64_t count, const std::string& one, const std::string& many);
/// A name from a file, short enough for a cell and without bytes that a page cannot show.
std::string short_name(const std::string& name);

/// What money is drawn in, so that an axis shows no more than five digits.
struct MoneyScale {
  double unit = 1;
  std::string label;  ///< "money", "money, thousands", ...
};
MoneyScale money_scale(std::span<const double> values);

/// Whether a metric is told in the unit of the profits.
bool is_money(const std::string& metric);
/// A value of it: as money, or with three digits.
std::string metric_text(const std::string& metric, double value);
/// "0.71 to 0.80"; "-" without an interval.
std::string metric_interval(const std::string& metric, double low, double high);
/// One line: what it says, and where good and bad lie; empty for a metric this room does not know.
std::string metric_meaning(const std::string& metric);

/// How the intervals were made and what they do not say.
std::string interval_words(double level, int64_t lists);

/// The table's first `most` rows, and behind a click the others, at most 400 of them: which those
/// are, `summary` says of their number ("more metrics").
void add_long_table(attn::report::ReportSection& page, const attn::report::ReportTable& table,
                    size_t most, const std::string& summary);

}  // namespace finance
