#include "timeseries/patch/boundaries.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "attn/error.h"

namespace timeseries {
namespace {

/// The q-quantile, linear between order statistics.
template <class T>
double quantile_of(std::span<const T> values, double q) {
  const double place = q * static_cast<double>(values.size() - 1);
  const size_t at = static_cast<size_t>(place), from_top = values.size() - at;
  double below = 0, above = 0;
  if (from_top <= 16) {  // few are greater: the rest need no order
    std::array<T, 16> top;
    std::partial_sort_copy(values.begin(), values.end(), top.begin(), top.begin() + from_top,
                           std::greater<T>());
    below = static_cast<double>(top[from_top - 1]);
    if (from_top == 1) return below;
    above = static_cast<double>(top[from_top - 2]);
  } else {
    std::vector<T> parted(values.begin(), values.end());
    const auto middle = parted.begin() + static_cast<std::ptrdiff_t>(at);
    std::nth_element(parted.begin(), middle, parted.end());
    below = static_cast<double>(*middle);
    above = static_cast<double>(*std::min_element(middle + 1, parted.end()));
  }
  return below + (place - std::floor(place)) * (above - below);
}

/// The rule with its thresholds, for one window.
template <class T>
class Mask {
 public:
  Mask(const BoundaryOptions& o, std::span<const T> entropy)
      : o_(o),
        entropy_(entropy),
        tie_(o.reference ? 0 : o.tie),
        theta_(o.reference ? static_cast<double>(static_cast<T>(o.threshold))
                           : o.threshold + tie_) {
    if (o.rule == CutRule::quantile && !entropy.empty())
      theta_ = quantile_of(entropy, o.quantile) + tie_;
  }

  /// Whether t + 1 begins a patch.
  bool operator()(int64_t t) const {
    switch (o_.rule) {
      case CutRule::none:
        return false;
      case CutRule::fixed:
        return (t + 1) % o_.length == 0;
      case CutRule::threshold:
      case CutRule::quantile:
        return high(t);
      case CutRule::rise:
        return t == 0 ? o_.reference : rises(t);
      case CutRule::both:
        if (o_.reference && t <= 1) return t == 0;
        return t > 0 && high(t) && rises(t);
    }
    return false;
  }

 private:
  double at(int64_t t) const { return static_cast<double>(entropy_[static_cast<size_t>(t)]); }
  bool high(int64_t t) const { return at(t) > theta_; }
  bool rises(int64_t t) const {
    if (!o_.reference) return at(t) - at(t - 1) > o_.rise + tie_;
    // All in the type of the entropies.
    const auto i = static_cast<size_t>(t);
    return static_cast<T>(entropy_[i] - entropy_[i - 1]) > static_cast<T>(o_.rise);
  }

  const BoundaryOptions& o_;
  std::span<const T> entropy_;
  double tie_, theta_;
};

/// The published way: all masked positions, L among them, then greedy pieces of L + 1 positions.
template <class T>
std::vector<int64_t> reference_begins(const BoundaryOptions& o, const Mask<T>& mask,
                                      int64_t length) {
  std::vector<int64_t> begins;
  int64_t begin = 0;
  for (int64_t p = 1; p <= length + 1; ++p) {
    if (p <= length && !mask(p - 1)) continue;
    const int64_t piece = o.max_length > 0 ? o.max_length : length + 1;
    for (; begin < p; begin += piece) begins.push_back(begin);
    begin = p;
  }
  return begins;
}

template <class T>
std::vector<int64_t> begins_of(const BoundaryOptions& o, std::span<const T> entropy,
                               int64_t length) {
  if (needs_entropy(o.rule) && static_cast<int64_t>(entropy.size()) != length)
    throw std::logic_error("a window of so many positions has as many entropies");
  if (length == 0) return {};
  const Mask<T> mask(o, entropy);
  if (o.reference) return reference_begins(o, mask, length);
  const bool bounded = needs_entropy(o.rule);
  const int64_t least = bounded ? o.min_length : 1;
  const int64_t most =
      bounded && o.max_length > 0 ? o.max_length : std::numeric_limits<int64_t>::max();
  std::vector<int64_t> begins{0};
  for (int64_t p = 1; p < length; ++p) {
    const int64_t held = p - begins.back();
    if (held >= most || (held >= least && mask(p - 1))) begins.push_back(p);
  }
  return begins;
}

/// Thresholds of a rule at the quantile q of what each is compared with.
class Thresholds {
 public:
  Thresholds(std::span<const float> entropy, int64_t rows, int64_t length) {
    levels_.assign(entropy.begin(), entropy.end());
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t t = 1; t < length; ++t) {
        const auto i = static_cast<size_t>(n * length + t);
        rises_.push_back(static_cast<double>(entropy[i]) - static_cast<double>(entropy[i - 1]));
      }
    }
    std::sort(levels_.begin(), levels_.end());
    std::sort(rises_.begin(), rises_.end());
  }

  BoundaryOptions at(BoundaryOptions o, double q) const {
    o.threshold = pick(levels_, q);
    o.rise = pick(rises_, q);
    o.quantile = q;
    return o;
  }

 private:
  static double pick(const std::vector<double>& sorted, double q) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<size_t>(std::lround(q * static_cast<double>(sorted.size() - 1)))];
  }
  std::vector<double> levels_, rises_;
};

void check_wanted_length(const BoundaryOptions& o, int64_t length, double wanted) {
  const int64_t most = needs_entropy(o.rule) && o.max_length > 0 ? o.max_length : length;
  if (!(wanted >= 1 && wanted <= static_cast<double>(most)))
    throw attn::UsageError("the mean length of patches is " + std::to_string(wanted) +
                           "; expected 1 to " + std::to_string(most) +
                           ", the greatest length of a patch");
}

double mean_length(const BoundaryOptions& o, std::span<const float> entropy, int64_t rows,
                   int64_t length) {
  size_t patches = 0;
  for (int64_t n = 0; n < rows; ++n)
    patches += patch_begins(
                   o, entropy.subspan(static_cast<size_t>(n * length), static_cast<size_t>(length)),
                   length)
                   .size();
  return static_cast<double>(rows * length) / static_cast<double>(std::max<size_t>(patches, 1));
}

}  // namespace

bool needs_entropy(CutRule rule) {
  return rule != CutRule::none && rule != CutRule::fixed;
}

std::vector<int64_t> patch_begins(const BoundaryOptions& options, std::span<const float> entropy,
                                  int64_t length) {
  return begins_of(options, entropy, length);
}

std::vector<int64_t> patch_begins(const BoundaryOptions& options, std::span<const double> entropy,
                                  int64_t length) {
  return begins_of(options, entropy, length);
}

FittedBoundaries fit_boundaries(const BoundaryOptions& options, std::span<const float> entropy,
                                int64_t rows, int64_t length, double wanted) {
  check_wanted_length(options, length, wanted);
  BoundaryOptions o = options;
  if (o.rule == CutRule::fixed) o.length = std::lround(wanted);
  if (!needs_entropy(o.rule) || rows == 0) return {o, mean_length(o, entropy, rows, length)};
  const Thresholds thresholds(entropy, rows, length);
  const auto at = [&](double q) {
    FittedBoundaries f{thresholds.at(options, q), 0};
    f.mean_length = mean_length(f.options, entropy, rows, length);
    return f;
  };
  // The mean length rises with q.
  double low = 0, high = 1;
  FittedBoundaries best = at(0.5);
  const auto try_next = [&](double q) {
    const FittedBoundaries found = at(q);
    if (std::abs(found.mean_length - wanted) < std::abs(best.mean_length - wanted)) best = found;
    return found.mean_length < wanted;
  };
  for (int i = 0; i < 24; ++i) {
    const double middle = 0.5 * (low + high);
    (try_next(middle) ? low : high) = middle;
  }
  try_next(0), try_next(1);
  return best;
}

}  // namespace timeseries
