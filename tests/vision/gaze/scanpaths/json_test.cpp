#include <nlohmann/json.hpp>
#include <random>

#include "tests/vision/gaze/scanpaths/same_scanpaths.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ScanpathJson : public ScanpathTest {};

const ReadOptions kAsked{.screen = kCanvas};

/// Of everything something.
Scanpaths full() {
  Trial t{.image = "a.jpg",
          .subject = "007",
          .task = "tv",
          .condition = "present",
          .split = "dev",
          .id = "3",
          .eye = "R",
          .screen = {1680, 1050.5},
          .fixations = {},
          .starts = {},
          .target = {},
          .correct = false,
          .events = {},
          .extra = {},
          .fields = {}};
  t.fixations = {{1.1, -0.0, 0.1 + 0.2}, {kNaN, kNaN, kNaN}, {1e300, 5e-324, 1.0 / 3}};
  t.starts = {0.1, 1.0 / 3, 1e9};
  t.target = Box{.x0 = -0.1, .y0 = 0.3, .x1 = 0.7, .y1 = 1e9, .label = "tv \"x\"", .score = 0.25};
  t.events.saccades = {{1, 2, 0, 0, kNaN, kNaN, 3.5, 100, 0.5}};
  t.events.blinks = {{1, 2, 1.5}};
  t.events.messages = {{0.5, "TRIALID\t1"}, {0.7, "\xC3\x84"}};
  t.events.samples = 12;
  t.events.unfinished = 2;
  t.events.ended = false;
  t.extra = {{"RT", "920"}, {"X", "\"a name that is a key\""}, {"nested", "{\"a\":[1,null]}"}};
  t.fields = {{"pupil", {"1", "null", "2.5"}}};
  Trial empty;
  empty.screen = {10, 20};
  return {.trials = {t, empty},
          .images = {{.name = "a.jpg",
                      .size = {3, 4},
                      .targets = {{.x0 = 1, .x1 = 2}, {}},
                      .extra = {{"k", "1"}}}}};
}

TEST_F(ScanpathJson, HoldsEverythingToTheLastBit) {
  expect_same(full(), again(full(), "x.json"));
  Scanpaths trials = full();
  trials.images.clear();
  expect_same(trials, again(full(), "y.json", ScanpathFormat::coco));
}

TEST_F(ScanpathJson, RandomNumbersToTheLastBit) {
  std::mt19937_64 random(7);
  Scanpaths all;
  for (int i = 0; i < 2'000; ++i) {
    Trial t;
    t.screen = {100, 100};
    const auto draw = [&] {
      return std::ldexp(static_cast<double>(random()), -64 - static_cast<int>(random() % 12));
    };
    for (int k = 0; k < 3; ++k) t.fixations.push_back({draw(), -draw(), draw()});
    const double x = draw() - 0.5, y = draw() - 0.5;
    t.target = Box{.x0 = x, .y0 = y, .x1 = x + draw(), .y1 = y + draw()};
    all.trials.push_back(t);
  }
  expect_same(all, again(all, "x.json"));
}

TEST_F(ScanpathJson, MillisecondsComeBackFromSeconds) {
  for (int n = 0; n < 100'000; ++n) EXPECT_EQ(milliseconds(n / 1000.0), n);
  EXPECT_EQ(milliseconds(0.0205), 20.5);
  EXPECT_TRUE(std::isnan(milliseconds(kNaN)));
}

TEST_F(ScanpathJson, KeysOfOtherWritersAreKept) {
  const Scanpaths all = read(
      "x.json",
      R"([{"name":"a","subject":"s","X":[1],"Y":[2],"length":5,"target":"cup","id":7,"fixOnTarget":true}])",
      kAsked);
  const Trial& t = all.trials[0];
  EXPECT_TRUE(std::isnan(t.fixations[0].duration));
  EXPECT_EQ(t.extra,
            (std::map<std::string, std::string>{
                {"fixOnTarget", "true"}, {"id", "7"}, {"length", "5"}, {"target", "\"cup\""}}));
  EXPECT_EQ(t.id, "");
  expect_same(all, again(all, "y.json"));
}

TEST_F(ScanpathJson, Refusals) {
  const auto trial = [&](const std::string& keys) {
    return refusal("x.json",
                   R"([{"name":"a.jpg","subject":2,"X":[1,2],"Y":[3,4],"T":[5,6]},)"
                   R"({"name":"b.jpg","subject":3,)" +
                       keys + "}]",
                   kAsked);
  };
  const std::string where = "x.json: trial 2 (b.jpg, subject 3): ";
  EXPECT_EQ(trial(R"("X":[1,2],"Y":[3],"T":[5,6])"),
            where + "key Y: expected 2 values as in X, found 1");
  EXPECT_EQ(trial(R"("X":[1,2],"Y":[3,4],"T":[5])"),
            where + "key T: expected 2 values as in X, found 1");
  EXPECT_EQ(trial(R"("X":[1,"b"],"Y":[3,4],"T":[5,6])"),
            where + "key X[1]: expected a number, found \"b\"");
  EXPECT_EQ(trial(R"("X":7,"Y":[3,4],"T":[5,6])"), where + "key X: expected a list, found 7");
  EXPECT_EQ(trial(R"("X":[1],"Y":[1],"T":[-5])"),
            where + "key T: expected times of 0 or more, found -5");
  EXPECT_THAT(trial(R"("X":[1],"Y":[1],"bbox":[1,2,3])"),
              HasSubstr("key bbox: expected a list of 4 numbers"));
  EXPECT_THAT(trial(R"("X":[1],"Y":[1],"correct":2)"), HasSubstr("key correct: expected 0, 1"));
  EXPECT_THAT(trial(R"("X":[1])"), HasSubstr("found the keys X, name, subject"));
  EXPECT_THAT(refusal("x.json", R"([{"X":[1],"Y":[1]}])"),
              StartsWith("x.json: trial 1: the size of the screen is not in the file"));
  EXPECT_EQ(refusal("x.json", "[1]"),
            "x.json: trial 1: expected a trial, an object with X, Y and T, found 1");
  EXPECT_THAT(refusal("x.json", R"({"a":1,"b":2})"),
              HasSubstr("found an object with the keys a, b"));
  EXPECT_THAT(refusal("x.json", R"({"trials":[]})"), HasSubstr("key format is missing"));
  EXPECT_THAT(refusal("x.json", R"({"format":"gaze scanpaths","version":9,"trials":[]})"),
              HasSubstr("is of version 9"));
  EXPECT_THAT(refusal("x.json", "[{"), HasSubstr("not valid JSON at line 1"));
  EXPECT_THAT(refusal("x.json", ""), HasSubstr("found an empty file"));
  EXPECT_THAT(refusal("x.json", "hello\n"),
              HasSubstr("found a text file that begins with 'hello'"));
  EXPECT_THAT(refusal("x.json", "{}", {.format = ScanpathFormat::coco}),
              HasSubstr("expected a list of trials as COCO-Search18 has it"));
}

TEST_F(ScanpathJson, AmazonRefusals) {
  const auto cover = [&](const std::string& fixations, const std::string& box,
                         const std::string& size = R"({"width":10,"height":5})") {
    return refusal("x.json", R"({"1.jpg":{"fixations":)" + fixations + R"(,"ground_truth":[)" +
                                 box + R"(],"size":)" + size + R"(,"target":"t"}})");
  };
  const std::string box = R"({"xmin":1,"xmax":2,"ymin":3,"ymax":4})";
  EXPECT_EQ(cover(R"({"1":[[1,2],[3]]})", box),
            "x.json: image '1.jpg': subject '1': key fixations[1]: expected a list of 2 numbers, "
            "found \"1 values\"");
  EXPECT_THAT(cover(R"({"1":[[1,null]]})", box),
              HasSubstr("fixations[0][1]: expected a number, found null"));
  EXPECT_THAT(cover("[]", box), HasSubstr("key fixations: expected an object of subjects"));
  EXPECT_THAT(cover("{}", R"({"xmin":3,"xmax":2,"ymin":3,"ymax":4})"), HasSubstr("xmin <= xmax"));
  EXPECT_THAT(cover("{}", box, R"({"width":0,"height":5})"), HasSubstr("found 0 x 5"));
  EXPECT_THAT(cover("{}", box, "{}"), HasSubstr("key size.width is missing"));
}

TEST_F(ScanpathJson, CutAtEveryByteAndFlippedBits) {
  write_scanpaths(folder_ / "x.json", full());
  const std::string good = slurp(folder_ / "x.json");
  for (size_t size = 0; size + 2 < good.size(); ++size) {
    put(folder_ / "x.json", good.substr(0, size));
    EXPECT_FALSE(attn::test::reads_or_explains([&] { read_scanpaths(folder_ / "x.json"); },
                                               "cut at " + std::to_string(size)));
  }
  std::mt19937_64 random(8);
  for (int i = 0; i < 500; ++i) {
    put(folder_ / "x.json", attn::test::with_flipped_bits(good, random, 1 + i % 4));
    attn::test::reads_or_explains([&] { read_scanpaths(folder_ / "x.json"); }, "flipped");
  }
}

TEST_F(ScanpathJson, EveryValueReplaced) {
  using nlohmann::json;
  write_scanpaths(folder_ / "x.json", full());
  const json good = json::parse(slurp(folder_ / "x.json"));
  const json flat = good.flatten();
  for (const auto& item : flat.items())
    for (const json& other :
         {json(nullptr), json("text"), json(-1), json::array(), json::object(), json(1e308)}) {
      json damaged = good;
      damaged[json::json_pointer(item.key())] = other;
      put(folder_ / "x.json", damaged.dump());
      attn::test::reads_or_explains([&] { read_scanpaths(folder_ / "x.json"); }, item.key());
    }
}

TEST(ScanpathFormats, Words) {
  EXPECT_EQ(parse_scanpath_format("asc"), ScanpathFormat::asc);
  EXPECT_EQ(parse_scanpath_format("bids"), ScanpathFormat::bids);
  EXPECT_EQ(parse_scanpath_format("auto"), ScanpathFormat::detect);
  EXPECT_THAT(attn::test::sentence_of([] { parse_scanpath_format("multimach"); }),
              HasSubstr("did you mean 'multimatch'?"));
}

}  // namespace
}  // namespace gaze::test
