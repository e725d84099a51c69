#include "vision/gaze/scanpaths/objects.h"

#include <random>

#include "tests/vision/gaze/scanpaths/same_scanpaths.h"

namespace gaze::test {
namespace {

using testing::HasSubstr;

class Objects : public ScanpathTest {
 protected:
  std::vector<ImageObjects> objects(const std::string& name, const std::string& text) {
    put(folder_ / name, text);
    return read_objects(folder_ / name);
  }
  std::string said(const std::string& name, const std::string& text) {
    return short_sentence([&] { objects(name, text); });
  }
};

const std::string kCoco =
    R"({"images":[{"id":7,"file_name":"a.jpg","width":640,"height":480},{"id":8,"file_name":"b.jpg"}],)"
    R"("categories":[{"id":3,"name":"car"}],)"
    R"("annotations":[{"image_id":7,"category_id":3,"bbox":[1,2,3.5,4]},)"
    R"({"image_id":7,"category_id":9,"bbox":[0,0,1,1],"score":0.5}]})";

TEST_F(Objects, Coco) {
  const auto all = objects("x.json", kCoco);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].image, "a.jpg");
  EXPECT_EQ(all[0].size.height, 480);
  ASSERT_EQ(all[0].boxes.size(), 2U);
  EXPECT_EQ(all[0].boxes[0].label, "car");
  EXPECT_EQ(all[0].boxes[0].x1, 4.5);
  EXPECT_TRUE(std::isnan(all[0].boxes[0].score));
  EXPECT_EQ(all[0].boxes[1].label, "9");
  EXPECT_TRUE(all[1].boxes.empty());
}

TEST_F(Objects, Detections) {
  const auto all =
      objects("x.json", R"([{"file_name":"a","bbox":[1,2,3,4],"category":"cup","score":0.9},)"
                        R"({"image_id":12,"bbox":[1,2,3,4],"category_id":5},)"
                        R"({"file_name":"a","bbox":[5,5,0,0]}])");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].boxes.size(), 2U);
  EXPECT_EQ(all[0].boxes[0].label, "cup");
  EXPECT_EQ(all[0].boxes[0].score, 0.9);
  EXPECT_EQ(all[1].image, "12");
  EXPECT_EQ(all[1].boxes[0].label, "5");
}

TEST_F(Objects, Refusals) {
  EXPECT_EQ(
      said("x.json", R"([{"file_name":"a","bbox":[1,2,-3,4]}])"),
      "x.json: detection 1: key bbox: expected x, y, width and height with sizes of 0 or more, "
      "found \"[1,2,-3,4]\"");
  EXPECT_THAT(said("x.json", R"([{"bbox":[1,2,3,4]}])"), HasSubstr("key image_id is missing"));
  EXPECT_THAT(said("x.json", R"({"images":[],"annotations":[{"image_id":1,"bbox":[1,2,3,4]}]})"),
              HasSubstr("annotation 1: there is no image of the id '1'"));
  EXPECT_THAT(said("x.json", R"({"a":1})"), HasSubstr("key images is missing"));
  EXPECT_THAT(said("x.json", "[3]"), HasSubstr("detection 1: expected an object, found 3"));
  EXPECT_THAT(said("x.csv", "image,x1,y1,x2,y2\na,1,2,0,5\n"),
              HasSubstr("x.csv: row 2: expected a box with x1 <= x2"));
  EXPECT_THAT(said("x.csv", "image,x1,y1,x2,y2\na,1,2,.,5\n"),
              HasSubstr("column x2: expected a number"));
  EXPECT_THAT(said("x.csv", "image,x1,y1,x2\na,1,2,3\n"), HasSubstr("y2"));
  EXPECT_THAT(said("x.csv", ""), HasSubstr("an empty file"));
}

TEST_F(Objects, Damaged) {
  std::mt19937_64 random(3);
  for (size_t size = 0; size < kCoco.size(); ++size)
    EXPECT_FALSE(
        attn::test::reads_or_explains([&] { objects("x.json", kCoco.substr(0, size)); }, "cut"));
  for (int i = 0; i < 500; ++i)
    attn::test::reads_or_explains(
        [&] { objects("x.json", attn::test::with_flipped_bits(kCoco, random, 1 + i % 3)); },
        "bits");
}

TEST(Grid, FillsTheScreen) {
  const auto boxes = grid_boxes({1680, 1050}, 6, 14);
  ASSERT_EQ(boxes.size(), 84U);
  EXPECT_EQ(boxes[15].x0, 120);
  EXPECT_EQ(boxes[15].y0, 175);
  EXPECT_EQ(boxes.back().x1, 1680);
  EXPECT_EQ(boxes.back().y1, 1050);
  EXPECT_THROW(grid_boxes({1680, 1050}, 0, 3), attn::UsageError);
  EXPECT_THROW(grid_boxes({1680, 1050}, int64_t{1} << 62, int64_t{1} << 62), attn::UsageError);
  EXPECT_THROW(grid_boxes({0, 1050}, 1, 3), attn::UsageError);
}

}  // namespace
}  // namespace gaze::test
