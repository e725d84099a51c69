// The cuts of windows that are looked at again and again, each found once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "timeseries/patch/cuts.h"

namespace timeseries {

/// Cuts of windows 0 ... windows - 1 of one length, filled as they are asked for. Memory: 12 bytes
/// a window from the start, then 1 byte a patch (2 where the length is above 255, 4 above 65535) of
/// the windows found: 59,808 windows of 12 patches take 1.4 MB. Not for several threads at once.
class CutCache {
 public:
  CutCache(int64_t windows, int64_t length);

  /// The cuts of windows `numbers`, in that order. Those not yet known are asked of `cut` at once:
  /// it is given their places in `numbers` and returns the cuts of these windows, in that order.
  PatchCuts get(std::span<const int64_t> numbers,
                const std::function<PatchCuts(std::span<const int64_t> places)>& cut);

  int64_t found() const { return found_; }
  int64_t bytes() const;

 private:
  int64_t begin_at(int64_t place) const;
  void store(int64_t window, const int64_t* begin, int64_t patches);

  int64_t length_, found_ = 0, width_;  // width: bytes of a begin
  std::vector<uint8_t> begins_;
  struct Entry {
    uint32_t patches = 0;        // 0: not known
    uint32_t first[2] = {0, 0};  // of its begins, in two halves: no padding
  };
  std::vector<Entry> windows_;
};

}  // namespace timeseries
