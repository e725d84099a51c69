#include "pathology/slide/slide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using test::data;
using ::testing::AllOf;
using ::testing::HasSubstr;

double difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_INF);
}

TEST(Slide, ARealSlideAndTwoTiffs) {
  ATTN_NEED_SHARED_DATA(data("slides"));
  const Slide aperio = Slide::open(data("slides/cmu-1-small-region.svs"));
  EXPECT_EQ(aperio.vendor(), "aperio");
  EXPECT_EQ(aperio.width(), 2220);
  EXPECT_EQ(aperio.height(), 2967);
  EXPECT_NEAR(aperio.require_mpp(), 0.499, 1e-9);
  EXPECT_EQ(aperio.file().bytes, 1938955);
  const Slide generic = Slide::open(data("slides/mosaic_colon_pos.tiff"));
  EXPECT_EQ(generic.level_count(), 3);
  EXPECT_NEAR(generic.require_mpp(), 0.55, 1e-6);
  EXPECT_EQ(generic.resolution().source, "tiff.XResolution");
  EXPECT_EQ(generic.best_level(64), 2);
  EXPECT_EQ(generic.best_level(1.9), 0);
  EXPECT_EQ(Slide::open(data("slides/mosaic_colon_pos.tiff"), {.instead = 0.25}).require_mpp(),
            0.25);
  EXPECT_EQ(Slide::open(data("slides/mosaic_colon_pos.tiff"), {}, "case7").id(), "case7");
}

TEST(Slide, PixelsAreThoseWritten) {
  const test::TempFolder folder;
  const cv::Mat drawn = test::draw_tissue(700, 600, {{{300, 250}, 200}});
  test::write_tiff(folder / "s.tif", test::pyramid(drawn, 2));
  const Slide slide = Slide::open(folder / "s.tif");
  EXPECT_EQ(slide.vendor(), "generic-tiff");
  EXPECT_EQ(difference(slide.read(0, 100, 50, 300, 260), drawn(cv::Rect(100, 50, 300, 260))), 0);
  const cv::Mat half = test::pyramid(drawn, 2)[1];
  EXPECT_EQ(difference(slide.read(1, 200, 100, 100, 80), half(cv::Rect(100, 50, 100, 80))), 0);
}

TEST(Slide, LevelsThatWouldBeMisreadAreLeftOut) {
  const test::TempFolder folder;
  const cv::Mat drawn = test::draw_tissue(1400, 1000, {{{600, 500}, 400}});
  const auto levels =
      test::pyramid(drawn, 4);  // 1400 x 1000, 700 x 500, 350 x 250, 175 x 125, of 256 px tiles
  test::write_tiff(folder / "s.tif", levels);
  const Slide slide = Slide::open(folder / "s.tif");
  ASSERT_EQ(slide.level_count(), 2);
  for (int i = 0; i < slide.level_count(); ++i) {
    const cv::Mat& level = levels[static_cast<std::size_t>(i)];
    EXPECT_EQ(difference(slide.read(i, 0, 0, level.cols, level.rows), level), 0);
  }
  test::write_tiff(folder / "tiny.tif", {drawn(cv::Rect(500, 500, 100, 300)).clone()});
  EXPECT_THAT(sentence_of([&] { Slide::open(folder / "tiny.tif"); }),
              HasSubstr("smaller than one of its tiles"));
}

TEST(Slide, OutsideIsWhite) {
  const test::TempFolder folder;
  const cv::Mat drawn(300, 300, CV_8UC3, cv::Scalar(10, 20, 30));
  test::write_tiff(folder / "tiled.tif", {drawn});
  test::TiffOptions strips;
  strips.tile = 0;
  test::write_tiff(folder / "flat.tif", {drawn}, strips);
  for (const char* name : {"tiled.tif", "flat.tif"}) {
    const Slide slide = Slide::open(folder / name);
    const cv::Mat pixels = slide.read(0, -10, 290, 30, 30);
    EXPECT_EQ(pixels.at<cv::Vec3b>(0, 0), cv::Vec3b(255, 255, 255)) << name;
    EXPECT_EQ(pixels.at<cv::Vec3b>(0, 10), cv::Vec3b(10, 20, 30)) << name;
    EXPECT_EQ(pixels.at<cv::Vec3b>(29, 10), cv::Vec3b(255, 255, 255)) << name;
    EXPECT_EQ(cv::countNonZero(slide.read(0, 5000, 5000, 8, 8).reshape(1) != 255), 0) << name;
  }
}

TEST(Slide, WrongRequestsAreSentences) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {cv::Mat(300, 300, CV_8UC3, cv::Scalar::all(90))});
  const Slide slide = Slide::open(folder / "s.tif");
  sentence_of([&] { slide.read(1, 0, 0, 8, 8); });
  sentence_of([&] { slide.read(-1, 0, 0, 8, 8); });
  sentence_of([&] { slide.read(0, 0, 0, 0, 8); });
  sentence_of([&] { slide.read(0, 0, 0, 100000, 100000); });
}

TEST(Slide, NoResolutionIsRefusedByNameOfTheOption) {
  const test::TempFolder folder;
  test::TiffOptions none;
  none.resolution = 0;
  test::write_tiff(folder / "s.tif", {cv::Mat(300, 300, CV_8UC3)}, none);
  const Slide slide = Slide::open(folder / "s.tif");
  EXPECT_FALSE(slide.mpp());
  EXPECT_THAT(sentence_of([&] { slide.require_mpp(); }),
              AllOf(HasSubstr("--slide-mpp"), HasSubstr("column mpp")));
}

struct EdgeCase {
  const char* file;
  const char* says;
};

TEST(Slide, EdgeFilesThatDoNotOpen) {
  ATTN_NEED_SHARED_DATA(data("edge"));
  testing::internal::CaptureStderr();
  for (const EdgeCase& c :
       {EdgeCase{"edge/broken_text.svs", "a text file"}, EdgeCase{"edge/boxes_0.dcm", "DICOM"},
        EdgeCase{"edge/unopenable.tiff", "Unsupported TIFF compression"},
        EdgeCase{"interop/clam_coords_cmu-1-small-region.h5", "HDF5"},
        EdgeCase{"edge/absent.svs", "no slide at"}, EdgeCase{"edge", "is a folder"}}) {
    const std::string error = sentence_of([&] { Slide::open(data(c.file)); });
    EXPECT_THAT(error, AllOf(HasSubstr(c.says), HasSubstr(data(c.file).filename().string())));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Slide, EdgeFilesThatOpen) {
  ATTN_NEED_SHARED_DATA(data("edge"));
  testing::internal::CaptureStderr();
  const Slide boxes = Slide::open(data("edge/boxes_pyramid.tiff"));
  EXPECT_EQ(boxes.level_count(),
            2);  // of 4: the last two are smaller than a tile of 64 px and would be misread
  EXPECT_EQ(boxes.read(1, 0, 0, 150, 125).size(), cv::Size(150, 125));
  EXPECT_FALSE(boxes.mpp());  // it says 72 dpi
  EXPECT_EQ(Slide::open(data("edge/small_16px.svs")).read(0, 0, 0, 16, 16).size(),
            cv::Size(16, 16));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Slide, AnErrorIsNotSticky) {
  ATTN_NEED_SHARED_DATA(data("edge"));
  const Slide broken = Slide::open(data("edge/unreadable.svs"));
  for (int i = 0; i < 3; ++i) {
    const std::string error = sentence_of([&] { broken.read(0, 0, 0, 16, 16); });
    EXPECT_THAT(error, AllOf(HasSubstr("Bogus marker length"), HasSubstr("level 0"),
                             HasSubstr("unreadable.svs")));
    // Outside the damage nothing is decoded, and the handle is alive again.
    EXPECT_EQ(cv::countNonZero(broken.read(0, 100, 100, 8, 8).reshape(1) != 255), 0);
  }
}

/// A slide of 8 x 8 deflate tiles in which the data of tile (3, 3) are zeroed.
std::filesystem::path slide_with_a_hole(const test::TempFolder& folder, const cv::Mat& drawn) {
  auto path = folder / "hole.tif";
  test::write_tiff(path, {drawn});
  uint64_t offset = 0, size = 0;
  {
    const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), "r"), TIFFClose);
    const uint32_t tile = TIFFComputeTile(tiff.get(), 3 * 256, 3 * 256, 0, 0);
    offset = TIFFGetStrileOffset(tiff.get(), tile);
    size = TIFFGetStrileByteCount(tiff.get(), tile);
  }
  std::string bytes = attn::test::slurp(path);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), size, '\0');
  attn::test::put(path, bytes);
  return path;
}

TEST(Slide, OneBadTileDoesNotSpoilOtherThreadsReads) {
  const test::TempFolder folder;
  const cv::Mat drawn = test::draw_tissue(2048, 2048, {{{1000, 1000}, 900}});
  const Slide slide = Slide::open(slide_with_a_hole(folder, drawn));
  std::atomic<int> unreadable{0}, wrong{0}, right{0};
  const auto work = [&](int first) {
    for (int i = first; i < 192; i += 4) {
      const int x = i % 8 * 256, y = i / 8 % 8 * 256;
      const bool bad = x == 768 && y == 768;
      try {
        const cv::Mat tile = slide.read(0, x, y, 256, 256);
        (bad || difference(tile, drawn(cv::Rect(x, y, 256, 256))) != 0 ? wrong : right)++;
      } catch (const UnreadableRegion&) {
        (bad ? unreadable : wrong)++;
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work, i);
  }
  EXPECT_EQ(unreadable, 3);
  EXPECT_EQ(right, 189);
  EXPECT_EQ(wrong, 0);
}

TEST(Slide, Thumbnail) {
  const test::TempFolder folder;
  const cv::Mat drawn = test::draw_tissue(1500, 900, {{{700, 450}, 300}});
  test::write_tiff(folder / "s.tif", {drawn});
  const cv::Mat small = Slide::open(folder / "s.tif").thumbnail(150);
  ASSERT_EQ(small.size(), cv::Size(150, 90));
  cv::Mat expected;
  cv::resize(drawn, expected, small.size(), 0, 0, cv::INTER_AREA);
  EXPECT_LE(difference(small, expected), 1);
  EXPECT_EQ(Slide::open(folder / "s.tif").thumbnail(5000).size(), cv::Size(1500, 900));
}

TEST(FlatSlide, PngJpegAndStripTiff) {
  const test::TempFolder folder;
  const cv::Mat drawn = test::draw_tissue(400, 300, {{{200, 150}, 120}});
  cv::Mat bgr;
  cv::cvtColor(drawn, bgr, cv::COLOR_RGB2BGR);
  cv::imwrite(folder / "a.png", bgr);
  cv::imwrite(folder / "b.jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 98});
  test::TiffOptions strips;
  strips.tile = 0;
  test::write_tiff(folder / "c.tif", {drawn}, strips);
  EXPECT_EQ(difference(Slide::open(folder / "a.png").read(0, 0, 0, 400, 300), drawn), 0);
  cv::Mat off;
  cv::absdiff(Slide::open(folder / "b.jpg").read(0, 0, 0, 400, 300), drawn, off);
  EXPECT_LT(cv::mean(off.reshape(1))[0], 2);
  const Slide tiff = Slide::open(folder / "c.tif");
  EXPECT_EQ(tiff.vendor(), "flat-image");
  EXPECT_EQ(difference(tiff.read(0, 0, 0, 400, 300), drawn), 0);
  EXPECT_NEAR(tiff.require_mpp(), 0.5, 1e-6);
  EXPECT_EQ(tiff.resolution().source, "TIFF XResolution");
  EXPECT_FALSE(Slide::open(folder / "a.png").mpp());
  EXPECT_EQ(Slide::open(folder / "a.png", {.instead = 0.5}).require_mpp(), 0.5);
}

TEST(FlatSlide, TransparencyLiesOverWhite) {
  const test::TempFolder folder;
  cv::imwrite(folder / "a.png", cv::Mat(20, 20, CV_8UC4, cv::Scalar(0, 0, 200, 0)));
  EXPECT_EQ(Slide::open(folder / "a.png").read(0, 0, 0, 1, 1).at<cv::Vec3b>(0, 0),
            cv::Vec3b(255, 255, 255));
}

/// A PNG header that promises 60000 x 60000 px.
std::string bomb_png(const test::TempFolder& folder) {
  cv::imwrite(folder / "small.png", cv::Mat(2, 2, CV_8UC3, cv::Scalar::all(0)));
  std::string bytes = attn::test::slurp(folder / "small.png");
  const auto crc = [](const std::string& text) {
    uint32_t c = 0xffffffffU;
    for (const char ch : text) {
      c ^= static_cast<uint8_t>(ch);
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320U ^ (c >> 1) : c >> 1;
    }
    return ~c;
  };
  const std::string side("\0\0\xea\x60", 4);
  bytes.replace(16, 8, side + side);
  const uint32_t sum = crc(bytes.substr(12, 17));
  for (int i = 0; i < 4; ++i)
    bytes[29 + static_cast<std::size_t>(i)] = static_cast<char>(sum >> (24 - 8 * i));
  return bytes;
}

TEST(FlatSlide, TooLargeDamagedOrOdd) {
  const test::TempFolder folder;
  attn::test::put(folder / "bomb.png", bomb_png(folder));
  cv::imwrite(folder / "whole.jpg", test::draw_tissue(300, 300, {{{150, 150}, 100}}));
  const std::string jpeg = attn::test::slurp(folder / "whole.jpg");
  attn::test::put(folder / "cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  std::string zeroed = jpeg;
  std::fill(zeroed.begin() + zeroed.size() / 2, zeroed.begin() + zeroed.size() * 3 / 4, '\0');
  attn::test::put(folder / "zeroed.jpg", zeroed);
  const std::string png = attn::test::slurp(folder / "small.png");
  attn::test::put(folder / "cut.png", png.substr(0, png.size() - 20));
  attn::test::put(folder / "empty.png", "");
  test::TiffOptions strips;
  strips.tile = 0;
  const cv::Mat grey(200, 200, CV_8UC3, cv::Scalar::all(80));
  test::write_tiff(folder / "pages.tif", {grey, grey}, strips);
  test::write_tiff(folder / "strips.svs", {grey}, strips);
  testing::internal::CaptureStderr();
  for (const EdgeCase& c :
       {EdgeCase{"bomb.png", "60000 x 60000"}, EdgeCase{"cut.jpg", "libjpeg-turbo says"},
        EdgeCase{"zeroed.jpg", "libjpeg-turbo says"}, EdgeCase{"cut.png", "cut.png"},
        EdgeCase{"empty.png", "empty"}, EdgeCase{"pages.tif", "several pages"},
        EdgeCase{"strips.svs", "no vendor"}}) {
    const std::string error = sentence_of([&] { Slide::open(folder / c.file); });
    EXPECT_THAT(error, HasSubstr(c.says)) << c.file;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace pathology
