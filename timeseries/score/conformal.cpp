#include "timeseries/score/conformal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "timeseries/score/level_text.h"

namespace timeseries {
namespace {

using Values = std::vector<double>;

/// ceil((n + 1) level), where the product's rounding does not carry it over a whole number.
int64_t rank_of(size_t n, double level) {
  const double product = static_cast<double>(n + 1) * level;
  return static_cast<int64_t>(std::ceil(product * (1 - 1e-12)));
}

/// The level of each one-sided quantile.
double side_level(bool symmetric, double level) {
  return symmetric ? level : (1 + level) / 2;
}

struct Offsets {
  double low = 0, high = 0;
};

/// As conformal_quantile, but the largest where that is infinite.
double capped_quantile(const Values& ascending, double level) {
  const double quantile = conformal_quantile(ascending, level);
  return std::isinf(quantile) ? ascending.back() : quantile;
}

/// Of a step's residuals, in ascending order; at() wants at least one.
class Sides {
 public:
  Sides(const Values& residuals, bool symmetric) : symmetric_(symmetric) {
    if (!symmetric) high_ = residuals;
    for (const double r : residuals) low_.push_back(symmetric ? std::abs(r) : -r);
    std::sort(low_.begin(), low_.end());
  }
  Offsets at(double level) const {
    const double side = side_level(symmetric_, level);
    const double low = capped_quantile(low_, side);
    return {-low, symmetric_ ? low : capped_quantile(high_, side)};
  }

 private:
  bool symmetric_;
  Values low_, high_;  ///< of |r| or -r, and of r
};

Offsets blend(const Offsets& own, const Offsets& common, double share) {
  return {share * own.low + (1 - share) * common.low, share * own.high + (1 - share) * common.high};
}

/// Mean of |r| over the steps within T/8 of each, of steps that have residuals; 0 where none has.
std::vector<double> sizes_of(const std::vector<Values>& steps) {
  const auto count = static_cast<int64_t>(steps.size()), reach = std::max<int64_t>(count / 8, 1);
  std::vector<double> out;
  for (int64_t t = 0; t < count; ++t) {
    double sum = 0, near = 0;
    for (int64_t k = std::max<int64_t>(t - reach, 0); k <= std::min(t + reach, count - 1); ++k) {
      const Values& own = steps[static_cast<size_t>(k)];
      if (own.empty()) continue;
      for (const double r : own) sum += std::abs(r) / static_cast<double>(own.size());
      ++near;
    }
    out.push_back(near > 0 ? sum / near : 0);
  }
  return out;
}

/// Residuals of all steps over their step's size, of a step at most `most`, evenly spread.
Values shape_of(const std::vector<Values>& steps, const std::vector<double>& sizes, size_t most) {
  Values out;
  for (size_t t = 0; t < steps.size(); ++t) {
    if (!(sizes[t] > 0)) continue;
    const size_t count = steps[t].size(), taken = std::min(count, most);
    for (size_t i = 0; i < taken; ++i)
      out.push_back(steps[t][(2 * i + 1) * count / (2 * taken)] / sizes[t]);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Quantiles of each step's residuals beside those of all steps, brought to its size.
class StepQuantiles {
 public:
  /// `steps` (T): each ascending.
  StepQuantiles(std::vector<Values> steps, const ConformalOptions& options)
      : steps_(std::move(steps)),
        symmetric_(options.symmetric),
        smooth_(steps_.size() > 1 ? options.smooth : 0) {
    if (!(smooth_ > 0)) return;
    sizes_ = sizes_of(steps_);
    const Values shape = shape_of(steps_, sizes_, kShapeResiduals);
    if (!shape.empty()) shape_.emplace(shape, symmetric_);
  }

  const Values& residuals(int64_t t) const { return steps_[static_cast<size_t>(t)]; }

  /// At each of `levels`, of a step that has residuals.
  std::vector<Offsets> at(int64_t t, const std::vector<double>& levels) const {
    const Values& own = residuals(t);
    const Sides sides(own, symmetric_);
    const auto n = static_cast<double>(own.size());
    const double share = shape_ ? n / (n + smooth_) : 1;
    std::vector<Offsets> out;
    for (const double level : levels) {
      out.push_back(sides.at(level));
      if (share == 1) continue;
      Offsets common = shape_->at(level);
      common.low *= sizes_[static_cast<size_t>(t)];
      common.high *= sizes_[static_cast<size_t>(t)];
      out.back() = blend(out.back(), common, share);
    }
    return out;
  }

 private:
  static constexpr size_t kShapeResiduals = 1000;
  std::vector<Values> steps_;
  bool symmetric_;
  double smooth_;
  std::vector<double> sizes_;
  std::optional<Sides> shape_;
};

/// The step whose residuals serve at `step`: itself, else the nearest that has some, of two the
/// later.
int64_t serving_step(const StepQuantiles& pooled, int64_t step, int64_t steps) {
  const auto has = [&](int64_t t) { return t >= 0 && t < steps && !pooled.residuals(t).empty(); };
  for (int64_t away = 0; away < steps; ++away) {
    if (has(step + away)) return step + away;
    if (has(step - away)) return step - away;
  }
  throw attn::Error(
      "intervals: no residual is known, since the validation part holds no value that was "
      "forecast; give it more rows");
}

std::vector<Values> residuals_of(const ResidualSample& sample, int64_t channel) {
  std::vector<Values> out;
  for (int64_t t = 0; t < sample.horizon(); ++t) out.push_back(sample.sorted(channel, t));
  return out;
}

std::vector<Values> pooled_residuals(const ResidualSample& sample) {
  std::vector<Values> out(static_cast<size_t>(sample.horizon()));
  for (int64_t t = 0; t < sample.horizon(); ++t) {
    Values& all = out[static_cast<size_t>(t)];
    for (int64_t c = 0; c < sample.channels(); ++c) {
      const Values own = sample.sorted(c, t);
      all.insert(all.end(), own.begin(), own.end());
    }
    std::sort(all.begin(), all.end());
  }
  return out;
}

std::vector<double> checked_levels(std::vector<double> levels) {
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  if (levels.empty()) throw attn::UsageError("intervals: no level is given; give one such as 80");
  for (const double level : levels)
    if (!(level > 0 && level < 1))
      throw attn::UsageError("intervals: a level lies between 0 and 100 %, found " +
                             level_text(level));
  return levels;
}

class Fit {
 public:
  Fit(const ResidualSample& sample, const ConformalOptions& options) : options_(options) {
    out_.levels = checked_levels(options.levels);
    out_.horizon = sample.horizon();
    out_.channels = sample.channels();
    out_.symmetric = options.symmetric;
    const size_t places = static_cast<size_t>(out_.channels * out_.horizon);
    out_.low.resize(out_.levels.size() * places);
    out_.high.resize(out_.levels.size() * places);
    out_.residuals.resize(places);
    needed_ = residuals_needed(side_level(options.symmetric, out_.levels.back()));
    pool(StepQuantiles(pooled_residuals(sample), options));
    for (int64_t c = 0; c < out_.channels; ++c) fill(sample, c);
  }

  ConformalIntervals take() { return std::move(out_); }

 private:
  /// What all channels' residuals say at a step.
  struct Common {
    int64_t from = 0;  ///< the step that serves
    size_t residuals = 0;
    std::vector<Offsets> at;  ///< of each level
  };

  void pool(const StepQuantiles& pooled) {
    for (int64_t t = 0; t < out_.horizon; ++t) {
      const int64_t from = serving_step(pooled, t, out_.horizon);
      common_.push_back({from, pooled.residuals(from).size(), pooled.at(from, out_.levels)});
    }
  }

  void fill(const ResidualSample& sample, int64_t c) {
    const StepQuantiles own(out_.channels > 1 ? residuals_of(sample, c) : std::vector<Values>(),
                            options_);
    for (int64_t t = 0; t < out_.horizon; ++t) {
      const Common& common = common_[static_cast<size_t>(t)];
      const size_t count = out_.channels > 1 ? own.residuals(common.from).size() : 0;
      const bool enough = count > 0 && static_cast<int64_t>(count) >= needed_;
      put(c, t, common, enough ? own.at(common.from, out_.levels) : std::vector<Offsets>(),
          enough ? count : 0);
    }
  }

  /// `own` of channel c where it has `own_count` residuals, enough.
  void put(int64_t c, int64_t t, const Common& common, const std::vector<Offsets>& own,
           size_t own_count) {
    const auto n = static_cast<double>(own_count);
    const double share = own_count > 0 ? n / (n + options_.shrink) : 0;
    const auto place = static_cast<size_t>(c * out_.horizon + t);
    const size_t stride = out_.residuals.size();
    out_.residuals[place] = static_cast<int64_t>(share == 1 ? own_count : common.residuals);
    for (size_t k = 0; k < common.at.size(); ++k) {
      const Offsets at = share > 0 ? blend(own[k], common.at[k], share) : common.at[k];
      out_.low[k * stride + place] = at.low;
      out_.high[k * stride + place] = at.high;
    }
  }

  const ConformalOptions& options_;
  std::vector<Common> common_;  ///< (T)
  int64_t needed_ = 0;          ///< by the highest level, of a channel's own
  ConformalIntervals out_;
};

}  // namespace

double conformal_quantile(std::span<const double> ascending, double level) {
  const int64_t rank = std::max<int64_t>(rank_of(ascending.size(), level), 1);
  if (rank > static_cast<int64_t>(ascending.size())) return std::numeric_limits<double>::infinity();
  return ascending[static_cast<size_t>(rank - 1)];
}

int64_t residuals_needed(double level) {
  return static_cast<int64_t>(std::ceil(level / (1 - level) * (1 - 1e-12)));
}

ConformalIntervals conformal_intervals(const ResidualSample& sample,
                                       const ConformalOptions& options) {
  if (!(options.shrink >= 0)) throw attn::UsageError("intervals: shrink must not be negative");
  if (!(options.smooth >= 0)) throw attn::UsageError("intervals: smooth must not be negative");
  return Fit(sample, options).take();
}

std::string told(const ConformalIntervals& intervals) {
  if (intervals.residuals.empty()) return "";
  const int64_t fewest = *std::min_element(intervals.residuals.begin(), intervals.residuals.end());
  for (const double level : intervals.levels) {
    const int64_t needed = residuals_needed(side_level(intervals.symmetric, level));
    if (fewest < needed)
      return fmt::format(
          "intervals of {} and above rest on only {} residuals at a step of the horizon, where {} "
          "are needed for them to hold: more validation rows would make them surer",
          level_text(level), fewest, needed);
  }
  return "";
}

IntervalBounds bounds_of(const ConformalIntervals& intervals, int64_t channel,
                         std::span<const double> forecast, double scale) {
  const auto steps = static_cast<int64_t>(forecast.size());
  if (steps > intervals.horizon)
    throw attn::Error(fmt::format(
        "intervals: they were made for {} steps of the horizon and {} are forecast; forecast at "
        "most {} or train with a longer --horizon",
        intervals.horizon, steps, intervals.horizon));
  const size_t from = static_cast<size_t>(intervals.channels > 1 ? channel : 0) *
                      static_cast<size_t>(intervals.horizon);
  const size_t stride = intervals.residuals.size();
  IntervalBounds out;
  for (size_t k = 0; k < intervals.levels.size(); ++k) {
    for (size_t t = 0; t < forecast.size(); ++t) {
      out.low.push_back(forecast[t] + scale * intervals.low.at(k * stride + from + t));
      out.high.push_back(forecast[t] + scale * intervals.high.at(k * stride + from + t));
    }
  }
  return out;
}

ConformalIntervals select_levels(const ConformalIntervals& intervals, std::vector<double> levels) {
  ConformalIntervals out = intervals;
  out.levels = checked_levels(std::move(levels));
  out.low.clear();
  out.high.clear();
  const auto stride = static_cast<std::ptrdiff_t>(intervals.residuals.size());
  for (const double level : out.levels) {
    const auto found = std::find_if(intervals.levels.begin(), intervals.levels.end(),
                                    [&](double held) { return std::abs(held - level) < 1e-9; });
    if (found == intervals.levels.end())
      throw attn::UsageError("intervals: the level " + level_text(level) +
                             " is not among those of the model, " + levels_text(intervals.levels) +
                             "; choose of these, or train again with it");
    const auto k = found - intervals.levels.begin();
    for (auto [to, all] : {std::pair(&out.low, &intervals.low), {&out.high, &intervals.high}})
      to->insert(to->end(), all->begin() + k * stride, all->begin() + (k + 1) * stride);
  }
  return out;
}

}  // namespace timeseries
