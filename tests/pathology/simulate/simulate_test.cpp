#include "pathology/simulate/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openslide.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>
#include <opencv2/core.hpp>
#include <set>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;

SimulateOptions small_options() {
  SimulateOptions options;
  options.slides = 4;
  options.seed = 5;
  options.width_px = 1536;
  options.height_px = 1100;  // no multiple of a tile or strip
  options.foci = 2;
  options.focus_diameter_um = 110;
  options.pen_probability = 0;
  options.blur_probability = 0;
  options.fold_probability = 0;
  return options;
}

struct CloseSlide {
  void operator()(openslide_t* slide) const { openslide_close(slide); }
};
using SlidePtr = std::unique_ptr<openslide_t, CloseSlide>;

std::string property(openslide_t* slide, const char* name) {
  const char* value = openslide_get_property_value(slide, name);
  return value == nullptr ? "" : value;
}

// Level 0 as BGRA.
cv::Mat4b pixels_of(openslide_t* slide) {
  int64_t w = 0;
  int64_t h = 0;
  openslide_get_level0_dimensions(slide, &w, &h);
  cv::Mat4b pixels(static_cast<int>(h), static_cast<int>(w));
  openslide_read_region(slide, pixels.ptr<uint32_t>(0), 0, 0, 0, w, h);
  EXPECT_EQ(openslide_get_error(slide), nullptr);
  return pixels;
}

// Simulated once for all tests: they only look.
class Simulated : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder() = fs::temp_directory_path() / ("attn-simulate-" + std::to_string(::getpid()));
    result() = simulate_slides(folder() / "a", small_options(), 2, {});
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }
  static fs::path& folder() {
    static fs::path path;
    return path;
  }
  static SimulateResult& result() {
    static SimulateResult drawn;
    return drawn;
  }
  static fs::path slide_path(const std::string& id) {
    return folder() / "a" / "slides" / (id + ".tif");
  }
  static std::vector<Outline> truth(const std::string& id) {
    return read_geojson(folder() / "a" / "truth" / (id + ".geojson"));
  }
  static std::map<std::string, std::string> bytes_under(const fs::path& root) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file()) {
        out[fs::relative(entry.path(), root).string()] = attn::io::read_file(entry.path());
      }
    }
    return out;
  }
};

TEST_F(Simulated, OpenSlideOpensEachWithItsPyramidAndResolution) {
  EXPECT_EQ(result().drawn, 4);
  for (const SlidePlan& plan : plan_slides(small_options())) {
    const SlidePtr slide(openslide_open(slide_path(plan.slide_id).c_str()));
    ASSERT_NE(slide, nullptr) << plan.slide_id;
    ASSERT_EQ(openslide_get_error(slide.get()), nullptr);
    EXPECT_EQ(property(slide.get(), OPENSLIDE_PROPERTY_NAME_VENDOR), "generic-tiff");
    EXPECT_EQ(property(slide.get(), "tiff.ResolutionUnit"), "centimeter");
    EXPECT_NEAR(1e4 / std::stod(property(slide.get(), "tiff.XResolution")), 0.5, 1e-6);
    EXPECT_NEAR(1e4 / std::stod(property(slide.get(), "tiff.YResolution")), 0.5, 1e-6);
    ASSERT_EQ(openslide_get_level_count(slide.get()), 3);
    for (int level = 0; level < 3; ++level) {
      int64_t w = 0;
      int64_t h = 0;
      openslide_get_level_dimensions(slide.get(), level, &w, &h);
      EXPECT_EQ(w, 1536 >> level);
      EXPECT_EQ(h, 1100 >> level);
      EXPECT_NEAR(openslide_get_level_downsample(slide.get(), level), 1 << level, 0.01);
    }
  }
}

TEST_F(Simulated, LevelsShowTheSamePicture) {
  const SlidePtr slide(openslide_open(slide_path("sim-0001").c_str()));
  ASSERT_NE(slide, nullptr);
  const cv::Mat4b full = pixels_of(slide.get());
  cv::Mat4b low(275, 384);
  openslide_read_region(slide.get(), low.ptr<uint32_t>(0), 0, 0, 2, 384, 275);
  double difference = 0;
  for (int y = 0; y < 275; ++y) {
    for (int x = 0; x < 384; ++x) {
      const cv::Scalar mean = cv::mean(full(cv::Rect(4 * x, 4 * y, 4, 4)));
      for (int c = 0; c < 3; ++c) difference += std::abs(mean[c] - low(y, x)[c]);
    }
  }
  EXPECT_LT(difference / (275 * 384 * 3), 4.0);  // JPEG, subsampled colour
}

TEST_F(Simulated, FociLieInPositiveSlidesInsideTheTissue) {
  const SimulateOptions options = small_options();
  int positive = 0;
  for (const SlidePlan& plan : plan_slides(options)) {
    const std::vector<Outline> outlines = truth(plan.slide_id);
    std::vector<Region> tissue;
    std::vector<Region> foci;
    for (const Outline& outline : outlines) {
      if (outline.classification == "Tissue") tissue.push_back(outline.region);
      if (outline.classification == "tumor") foci.push_back(outline.region);
    }
    ASSERT_FALSE(tissue.empty());
    EXPECT_EQ(foci.size(), plan.label == 0 ? 0U : 2U) << plan.slide_id;
    if (plan.label != 0) ++positive;
    for (const Region& focus : foci) {
      const double diameter = 2 * std::sqrt(area(focus) / std::numbers::pi) * options.mpp;
      EXPECT_NEAR(diameter, options.focus_diameter_um, 0.01 * options.focus_diameter_um);
      for (const Point& p : focus.exterior) {
        EXPECT_TRUE(std::any_of(tissue.begin(), tissue.end(),
                                [&](const Region& t) { return contains(t, p); }));
      }
    }
  }
  EXPECT_GT(positive, 0);
  EXPECT_LT(positive, options.slides);
}

// Mean of a colour channel over the pixels inside (or outside) of the outlines of a class, within
// the tissue.
struct Means {
  double inside = 0, outside = 0;
};
Means red_of(const cv::Mat4b& pixels, const std::vector<Outline>& outlines,
             const std::string& name) {
  double sums[2] = {0, 0};
  double counts[2] = {0, 0};
  for (int y = 4; y < pixels.rows; y += 8) {
    for (int x = 4; x < pixels.cols; x += 8) {
      const Point p{static_cast<double>(x), static_cast<double>(y)};
      bool tissue = false;
      bool focus = false;
      for (const Outline& o : outlines) {
        if (o.classification == "Tissue") tissue = tissue || contains(o.region, p);
        if (o.classification == name) focus = focus || contains(o.region, p);
      }
      if (!tissue) continue;
      sums[focus ? 0 : 1] += pixels(y, x)[2];
      ++counts[focus ? 0 : 1];
    }
  }
  return {sums[0] / counts[0], sums[1] / counts[1]};
}

TEST_F(Simulated, FociAndAggregatesAreDarkerThanStroma) {
  for (const SlidePlan& plan : plan_slides(small_options())) {
    const SlidePtr slide(openslide_open(slide_path(plan.slide_id).c_str()));
    ASSERT_NE(slide, nullptr);
    const cv::Mat4b pixels = pixels_of(slide.get());
    const Means aggregate = red_of(pixels, truth(plan.slide_id), "Lymphoid aggregate");
    if (!std::isnan(aggregate.inside)) {
      EXPECT_LT(aggregate.inside, aggregate.outside - 10) << plan.slide_id;
    }
    if (plan.label == 0) continue;
    const Means focus = red_of(pixels, truth(plan.slide_id), "tumor");
    EXPECT_LT(focus.inside, focus.outside - 20) << plan.slide_id;
  }
}

TEST_F(Simulated, BackgroundIsNearWhiteAndTissueIsPink) {
  const SlidePtr slide(openslide_open(slide_path("sim-0001").c_str()));
  ASSERT_NE(slide, nullptr);
  const cv::Mat4b pixels = pixels_of(slide.get());
  const cv::Scalar corner = cv::mean(pixels(cv::Rect(0, 0, 60, 60)));
  for (int c = 0; c < 3; ++c) EXPECT_GT(corner[c], 225);
  EXPECT_LT(std::abs(corner[0] - corner[2]), 12);
  const std::vector<Outline> outlines = truth("sim-0001");
  cv::Scalar sum;
  int count = 0;
  for (int y = 4; y < pixels.rows; y += 8) {
    for (int x = 4; x < pixels.cols; x += 8) {
      if (!contains(outlines.front().region, {static_cast<double>(x), static_cast<double>(y)}))
        continue;
      sum += cv::Scalar(pixels(y, x));
      ++count;
    }
  }
  ASSERT_GT(count, 1000);
  EXPECT_GT(sum[2] / count, sum[1] / count + 20);  // red over green
  EXPECT_GT(sum[0] / count, sum[1] / count + 5);   // blue over green
}

TEST_F(Simulated, LabelsAgreeWithThePlan) {
  std::string expected = "case_id,slide_id,label\n";
  const std::vector<std::string> names = class_names(small_options());
  for (const SlidePlan& plan : plan_slides(small_options())) {
    expected +=
        plan.case_id + "," + plan.slide_id + "," + names[static_cast<size_t>(plan.label)] + "\n";
  }
  EXPECT_EQ(attn::io::read_file(folder() / "a" / "labels.csv"), expected);
}

TEST_F(Simulated, SameBytesWithOneThreadAndAsPartOfALargerSet) {
  SimulateOptions more = small_options();
  more.slides = 5;
  simulate_slides(folder() / "b", more, 1, {});
  const auto a = bytes_under(folder() / "a");
  const auto b = bytes_under(folder() / "b");
  int compared = 0;
  for (const auto& [name, bytes] : a) {
    if (name == "labels.csv" || name == "simulate.json") continue;
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_TRUE(bytes == b.at(name)) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 8);
  fs::remove_all(folder() / "b");
}

TEST_F(Simulated, FinishedSlidesStayAndDamagedOnesAreDrawnAgain) {
  const fs::path out = folder() / "c";
  SimulateOptions options = small_options();
  options.slides = 2;
  EXPECT_EQ(simulate_slides(out, options, 2, {}).drawn, 2);
  EXPECT_EQ(simulate_slides(out, options, 2, {}).skipped, 2);

  const fs::path first = out / "slides" / "sim-0001.tif";
  const std::string whole = attn::io::read_file(first);
  fs::resize_file(first, fs::file_size(first) / 2);
  EXPECT_EQ(simulate_slides(out, options, 2, {}).drawn, 1);
  EXPECT_TRUE(attn::io::read_file(first) == whole);

  fs::remove(out / "truth" / "sim-0002.geojson");
  EXPECT_EQ(simulate_slides(out, options, 2, {}).drawn, 1);

  options.overwrite = true;
  EXPECT_EQ(simulate_slides(out, options, 2, {}).drawn, 2);
  options.overwrite = false;
  options.seed = 6;
  EXPECT_EQ(simulate_slides(out, options, 2, {}).drawn, 2);
  EXPECT_FALSE(attn::io::read_file(first) == whole);

  // Fewer slides: the rest are strangers, told of and left alone.
  options.slides = 1;
  std::string warning;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view sentence) { warning = sentence; };
  simulate_slides(out, options, 1, hooks);
  EXPECT_THAT(warning, testing::HasSubstr("sim-0002.tif"));
  EXPECT_TRUE(fs::exists(out / "slides" / "sim-0002.tif"));
  fs::remove_all(out);
}

TEST_F(Simulated, LabelsOfAnotherAreLeftAlone) {
  const fs::path out = folder() / "foreign";
  fs::create_directories(out);
  attn::io::write_file(out / "labels.csv", "mine");
  EXPECT_THROW(simulate_slides(out, small_options(), 1, {}), attn::UsageError);
  EXPECT_EQ(attn::io::read_file(out / "labels.csv"), "mine");
  EXPECT_FALSE(fs::exists(out / "slides"));
}

TEST_F(Simulated, StopLeavesNothingHalfWritten) {
  const fs::path out = folder() / "d";
  std::atomic<bool> stop = false;
  attn::Hooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](std::string_view /*what*/, int64_t done, int64_t /*total*/) {
    if (done >= 1) stop = true;
  };
  SimulateOptions options = small_options();
  options.slides = 30;
  EXPECT_THROW(simulate_slides(out, options, 2, hooks), attn::Interrupted);
  EXPECT_FALSE(fs::exists(out / "labels.csv")) << "they come when all slides are there";
  int slides = 0;
  for (const auto& entry : fs::directory_iterator(out / "slides")) {
    EXPECT_EQ(entry.path().extension(), ".tif");
    const SlidePtr slide(openslide_open(entry.path().c_str()));
    EXPECT_NE(slide, nullptr);
    ++slides;
  }
  EXPECT_GE(slides, 1);
  EXPECT_LT(slides, 30);
  fs::remove_all(out);
}

TEST_F(Simulated, PensBlurAndFoldsChangeThePictureNotTheTruth) {
  SimulateOptions options = small_options();
  options.slides = 1;
  options.pen_probability = options.blur_probability = options.fold_probability = 1;
  simulate_slides(folder() / "e", options, 1, {});
  EXPECT_EQ(attn::io::read_file(folder() / "e" / "truth" / "sim-0001.geojson"),
            attn::io::read_file(folder() / "a" / "truth" / "sim-0001.geojson"));
  const SlidePtr clean(openslide_open(slide_path("sim-0001").c_str()));
  const SlidePtr marked(openslide_open((folder() / "e" / "slides" / "sim-0001.tif").c_str()));
  ASSERT_NE(marked, nullptr);
  EXPECT_GT(cv::norm(pixels_of(clean.get()), pixels_of(marked.get()), cv::NORM_L1) / (1536 * 1100),
            1.0);
  fs::remove_all(folder() / "e");
}

TEST_F(Simulated, ThirdClassAndFocusFraction) {
  SimulateOptions options = small_options();
  options.classes = 3;
  options.positive_fraction = 1;
  options.second_slide_fraction = 0;
  options.slides = 2;
  options.foci = 1;
  options.focus_fraction = 0.03;
  simulate_slides(folder() / "f", options, 2, {});
  std::set<std::string> classes;
  for (const SlidePlan& plan : plan_slides(options)) {
    double tissue = 0;
    double focus = 0;
    for (const Outline& o : read_geojson(folder() / "f" / "truth" / (plan.slide_id + ".geojson"))) {
      if (o.classification == "Tissue") tissue += area(o.region);
      if (o.classification == "tumor" || o.classification == "spindle") {
        focus += area(o.region);
        classes.insert(o.classification);
      }
    }
    EXPECT_NEAR(focus / tissue, 0.03, 0.001);
  }
  EXPECT_THAT(classes, testing::ElementsAre("spindle", "tumor"));
  fs::remove_all(folder() / "f");
}

TEST_F(Simulated, FociWithoutRoomEndInASentence) {
  SimulateOptions options = small_options();
  options.focus_diameter_um = 900;
  try {
    simulate_slides(folder() / "g", options, 1, {});
    FAIL() << "expected an error";
  } catch (const attn::Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("find no room"));
    EXPECT_THAT(error.what(), testing::HasSubstr("900 um"));
  }
  EXPECT_TRUE(fs::is_empty(folder() / "g" / "slides"));
  fs::remove_all(folder() / "g");
}

TEST(SimulatePlan, PatientsKeepTheirLabelAndClassesAreBalanced) {
  SimulateOptions options;
  options.slides = 400;
  options.classes = 3;
  options.positive_fraction = 0.5;
  std::map<std::string, std::set<int>> labels;
  std::map<int, int> patients;
  std::map<std::pair<int, int>, int> hospital;
  int pairs = 0;
  for (const SlidePlan& plan : plan_slides(options)) {
    if (!labels[plan.case_id].empty()) {
      ++pairs;
    } else {
      ++patients[plan.label];
      ++hospital[{plan.label != 0 ? 1 : 0, plan.hospital}];
    }
    labels[plan.case_id].insert(plan.label);
  }
  for (const auto& [name, set] : labels) EXPECT_EQ(set.size(), 1U) << name;
  const double count = static_cast<double>(labels.size());
  EXPECT_NEAR(pairs / count, options.second_slide_fraction, 0.06);
  EXPECT_NEAR(patients[0] / count, 0.5, 0.02);
  EXPECT_NEAR(patients[1] / count, 0.25, 0.02);
  // Hospitals are drawn independently of the label: chi-squared with 3 degrees of freedom, 0.1 %
  // point 16.3.
  double chi2 = 0;
  for (int h = 0; h < 4; ++h) {
    const double both = hospital[{0, h}] + hospital[{1, h}];
    for (int positive = 0; positive < 2; ++positive) {
      const double expected = both * (positive == 1 ? count - patients[0] : patients[0]) / count;
      chi2 += std::pow(hospital[{positive, h}] - expected, 2) / expected;
    }
  }
  EXPECT_LT(chi2, 16.3);
}

TEST(SimulatePlan, RefusesOptionsOutOfRange) {
  const auto refused = [](auto change) {
    SimulateOptions options;
    change(options);
    EXPECT_THROW(plan_slides(options), attn::UsageError);
  };
  refused([](SimulateOptions& o) { o.slides = 0; });
  refused([](SimulateOptions& o) { o.width_px = 100; });
  refused([](SimulateOptions& o) { o.mpp = std::nan(""); });
  refused([](SimulateOptions& o) { o.classes = 4; });
  refused([](SimulateOptions& o) { o.positive_fraction = 1.5; });
  refused([](SimulateOptions& o) { o.foci = 0; });
  refused([](SimulateOptions& o) { o.jpeg_quality = 101; });
}

}  // namespace
}  // namespace pathology
