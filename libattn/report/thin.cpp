#include "libattn/report/thin.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace attn::report {
namespace {

/// Least, greatest and first gap of [begin, end), in ascending order and without repeats.
void add_stretch(std::span<const double> values, size_t begin, size_t end,
                 std::vector<size_t>& places) {
  size_t least = end, greatest = end, gap = end;
  for (size_t i = begin; i < end; ++i) {
    if (!std::isfinite(values[i])) {
      if (gap == end) gap = i;
      continue;
    }
    if (least == end || values[i] < values[least]) least = i;
    if (greatest == end || values[i] > values[greatest]) greatest = i;
  }
  std::array<size_t, 3> found{least, greatest, gap};
  std::sort(found.begin(), found.end());
  for (const size_t i : found)
    if (i < end && (places.empty() || places.back() < i)) places.push_back(i);
}

}  // namespace

std::vector<size_t> thinned(std::span<const double> values, size_t most) {
  if (most < 8) throw std::logic_error("thinned: at least 8 places");
  const size_t n = values.size();
  std::vector<size_t> places;
  if (n <= most) {
    places.resize(n);
    std::iota(places.begin(), places.end(), size_t{0});
    return places;
  }
  const size_t stretches = (most - 2) / 3;
  places.push_back(0);
  for (size_t s = 0; s < stretches; ++s)
    add_stretch(values, n * s / stretches, n * (s + 1) / stretches, places);
  if (places.back() != n - 1) places.push_back(n - 1);
  return places;
}

std::vector<double> picked(std::span<const double> values, std::span<const size_t> places) {
  std::vector<double> out;
  out.reserve(places.size());
  for (const size_t place : places) out.push_back(values[place]);
  return out;
}

}  // namespace attn::report
