#include "timeseries/patch/cut_cache.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace timeseries {

CutCache::CutCache(int64_t windows, int64_t length)
    : length_(length),
      width_(length <= 255     ? 1
             : length <= 65535 ? 2
                               : 4),
      windows_(static_cast<size_t>(windows)) {}

int64_t CutCache::bytes() const {
  return static_cast<int64_t>(windows_.size() * sizeof(Entry) + begins_.size());
}

int64_t CutCache::begin_at(int64_t place) const {
  const uint8_t* from = begins_.data() + place * width_;
  int64_t begin = 0;
  for (int64_t i = width_ - 1; i >= 0; --i) begin = begin << 8 | from[i];
  return begin;
}

void CutCache::store(int64_t window, const int64_t* begin, int64_t patches) {
  const uint64_t first = begins_.size() / static_cast<size_t>(width_);
  Entry& entry = windows_[static_cast<size_t>(window)];
  if (entry.patches > 0) return;  // asked for twice in one call
  entry.patches = static_cast<uint32_t>(patches);
  entry.first[0] = static_cast<uint32_t>(first),
  entry.first[1] = static_cast<uint32_t>(first >> 32);
  for (int64_t p = 0; p < patches; ++p)
    for (int64_t i = 0; i < width_; ++i)
      begins_.push_back(static_cast<uint8_t>(begin[p] >> (8 * i)));
  ++found_;
}

PatchCuts CutCache::get(std::span<const int64_t> numbers,
                        const std::function<PatchCuts(std::span<const int64_t> places)>& cut) {
  std::vector<int64_t> places;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int64_t n = numbers[i];
    if (n < 0 || n >= static_cast<int64_t>(windows_.size()))
      throw std::logic_error("the cache holds no window of that number");
    if (windows_[static_cast<size_t>(n)].patches == 0) places.push_back(static_cast<int64_t>(i));
  }
  if (!places.empty()) {
    const PatchCuts fresh = cut(places);
    if (fresh.length != length_ || fresh.offsets.size(0) != static_cast<int64_t>(places.size()) + 1)
      throw std::logic_error("the cuts are those of other windows than were asked for");
    const auto *offsets = fresh.offsets.const_data_ptr<int64_t>(),
               *begin = fresh.begin.const_data_ptr<int64_t>();
    for (size_t i = 0; i < places.size(); ++i)
      store(numbers[static_cast<size_t>(places[i])], begin + offsets[i],
            offsets[i + 1] - offsets[i]);
  }
  std::vector<std::vector<int64_t>> begins(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const Entry& entry = windows_[static_cast<size_t>(numbers[i])];
    const auto first =
        static_cast<int64_t>(uint64_t{entry.first[1]} << 32 | uint64_t{entry.first[0]});
    for (int64_t p = 0; p < static_cast<int64_t>(entry.patches); ++p)
      begins[i].push_back(begin_at(first + p));
  }
  return pack_cuts(begins, length_);
}

}  // namespace timeseries
