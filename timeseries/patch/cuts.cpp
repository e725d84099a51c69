#include "timeseries/patch/cuts.h"

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>

namespace timeseries {
namespace {

void check_row(const std::vector<int64_t>& begin, int64_t length) {
  bool fits = !begin.empty() && begin.front() == 0 && begin.back() <= length;
  for (size_t p = 1; fits && p < begin.size(); ++p) fits = begin[p - 1] < begin[p];
  if (!fits)
    throw std::logic_error("the patches of a row of " + std::to_string(length) +
                           " positions begin at 0 and ascend");
}

}  // namespace

PatchCuts pack_cuts(const std::vector<std::vector<int64_t>>& begins, int64_t length) {
  PatchCuts cuts;
  cuts.length = length;
  cuts.offsets = at::empty({static_cast<int64_t>(begins.size()) + 1}, at::kLong);
  auto* offsets = cuts.offsets.mutable_data_ptr<int64_t>();
  offsets[0] = 0;
  for (size_t n = 0; n < begins.size(); ++n) {
    check_row(begins[n], length);
    offsets[n + 1] = offsets[n] + static_cast<int64_t>(begins[n].size());
  }
  cuts.begin = at::empty({offsets[begins.size()]}, at::kLong);
  auto* to = cuts.begin.mutable_data_ptr<int64_t>();
  for (const std::vector<int64_t>& row : begins)
    for (const int64_t begin : row) *to++ = begin;
  return cuts;
}

at::Tensor patch_lengths(const PatchCuts& cuts) {
  at::Tensor out = at::empty_like(cuts.begin);
  const auto *offsets = cuts.offsets.const_data_ptr<int64_t>(),
             *begin = cuts.begin.const_data_ptr<int64_t>();
  auto* to = out.mutable_data_ptr<int64_t>();
  for (int64_t n = 0; n + 1 < cuts.offsets.size(0); ++n) {
    for (int64_t p = offsets[n]; p < offsets[n + 1]; ++p)
      to[p] = (p + 1 < offsets[n + 1] ? begin[p + 1] : cuts.length) - begin[p];
  }
  return out;
}

double mean_patch_length(const PatchCuts& cuts) {
  const int64_t rows = cuts.offsets.size(0) - 1, patches = cuts.begin.size(0);
  return patches == 0 ? 0 : static_cast<double>(rows * cuts.length) / static_cast<double>(patches);
}

}  // namespace timeseries
