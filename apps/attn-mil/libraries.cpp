#include <ATen/Parallel.h>
#include <arrow/util/config.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <openslide.h>
#include <torch/headeronly/version.h>

#include <opencv2/core.hpp>
#include <opencv2/core/version.hpp>

#include "apps/attn-mil/verbs.h"

namespace attn::app {

std::vector<std::pair<std::string, std::string>> library_versions() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return {{"LibTorch", TORCH_VERSION},
          {"OpenCV", CV_VERSION},
          {"OpenSlide", openslide_get_version()},
          {"HDF5", fmt::format("{}.{}.{}", major, minor, release)},
          {"Arrow", ARROW_VERSION_STRING}};
}

void start_libraries(int threads) {
  at::set_num_threads(threads);
  cv::setNumThreads(1);  // the rooms share out their work themselves
}

}  // namespace attn::app
