// Every file of the project's gaze data: what it holds, and that nothing is lost in the room's own
// formats.
#include <nlohmann/json.hpp>

#include "libattn/io/table.h"
#include "tests/vision/gaze/scanpaths/same_scanpaths.h"
#include "vision/gaze/scanpaths/objects.h"

namespace gaze::test {
namespace {

using attn::test::shared_data;
using nlohmann::json;

class RealFiles : public ScanpathTest {};

TEST_F(RealFiles, CocoSearch18) {
  const auto path = shared_data("gaze/coco_search18/fixations_TP_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  const Scanpaths coco = read_scanpaths(path, {.screen = kCanvas});
  const ScanpathCounts n = count(coco);
  EXPECT_EQ(n.trials, 2028);
  EXPECT_EQ(n.images, 197);
  EXPECT_EQ(n.fixations, 7744);  // 3.82 a trial
  EXPECT_EQ(n.correct, 1856);    // 0.915
  EXPECT_EQ(n.told_correct, 2028);
  EXPECT_EQ(n.off_screen, 2);
  EXPECT_EQ(n.without_position + n.without_duration + n.empty, 0);
  EXPECT_EQ(common_screen(coco).width, 1680);
  const Trial& first = coco.trials.front();
  EXPECT_EQ(first.image, "000000211326.jpg");
  EXPECT_EQ(first.subject, "2");
  EXPECT_EQ(first.fixations[1].x, 738.5);
  EXPECT_EQ(first.fixations[1].duration, 0.157);
  EXPECT_EQ(first.target->x1, 377 + 288);
  EXPECT_EQ(first.extra, (std::map<std::string, std::string>{{"RT", "920"}}));
  expect_same(coco, again(coco, "x.json"));
  expect_same(coco, again(coco, "y.json", ScanpathFormat::coco));
}

TEST_F(RealFiles, CocoWrittenHoldsEveryKeyAndValueOfTheFile) {
  const auto path = shared_data("gaze/coco_search18/fixations_TP_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  write_scanpaths(folder_ / "x.json", read_scanpaths(path, {.screen = kCanvas}),
                  ScanpathFormat::coco);
  json written = json::parse(slurp(folder_ / "x.json"));
  for (json& trial : written) EXPECT_EQ(trial.erase("screen"), 1U);
  EXPECT_EQ(written, json::parse(slurp(path)));
}

TEST_F(RealFiles, CocoSearch18AsATable) {
  const auto path = shared_data("gaze/coco_search18/fixations_TP_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  Scanpaths coco = read_scanpaths(path, {.screen = kCanvas});
  const Scanpaths table = again(coco, "x.csv");
  for (size_t i = 0; i < coco.trials.size(); ++i) {
    coco.trials[i].id = std::to_string(i + 1);
    coco.trials[i].extra["RT"] = json(coco.trials[i].extra["RT"]).dump();  // tables hold text
  }
  expect_same(coco, table);
}

TEST_F(RealFiles, AmazonCovers) {
  const auto path = shared_data("gaze/amazon_covers/amazon_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  const Scanpaths covers = read_scanpaths(path);
  const ScanpathCounts n = count(covers);
  EXPECT_EQ(n.trials, 420);
  EXPECT_EQ(n.images, 70);
  EXPECT_EQ(n.subjects, 6);
  EXPECT_EQ(n.fixations, 6082);  // 14.5 a trial
  EXPECT_EQ(n.without_duration, 6082);
  EXPECT_EQ(n.off_screen, 0);
  int on_target = 0;
  for (const Trial& trial : covers.trials) {
    const Box& t = *trial.target;
    const Box near{.x0 = t.x0 - 30, .y0 = t.y0 - 30, .x1 = t.x1 + 30, .y1 = t.y1 + 30};
    on_target += contains(near, trial.fixations.back()) ? 1 : 0;
  }
  EXPECT_NEAR(on_target / 420.0, 0.89, 0.02);  // of all 600 paths
  EXPECT_EQ(covers.images[0].name, "10.jpg");
  EXPECT_EQ(covers.images[0].size.height, 1585);
  EXPECT_EQ(covers.trials[0].task, "target_0.jpg");
  expect_same(covers, again(covers, "x.json"));
  EXPECT_THAT(
      short_sentence([&] { common_screen(covers); }),
      testing::StartsWith("expected one size of screen for all trials, found 2560 x 1585 in "
                          "trial 1 (10.jpg, subject 1) and "));
}

TEST_F(RealFiles, AscOfSeveralTrialsInARecording) {
  const auto path = shared_data("gaze/eyelink_asc/eyelink_monocular_example.asc");
  ATTN_NEED_SHARED_DATA(path);
  const Scanpaths asc = read_scanpaths(path);
  ASSERT_EQ(asc.trials.size(), 5U);
  const ScanpathCounts n = count(asc);
  EXPECT_EQ(n.fixations, 2);
  EXPECT_EQ(n.unfinished, 0);
  const Screen screen = common_screen(asc);
  EXPECT_EQ(screen.width, 1280);
  EXPECT_EQ(screen.height, 1024);
  const Trial& first = asc.trials[0];  // EFIX comes three trials later, and began here
  EXPECT_EQ(first.id, "0");
  EXPECT_EQ(first.eye, "L");
  EXPECT_EQ(first.subject, "sub_1");
  ASSERT_EQ(first.fixations.size(), 1U);
  EXPECT_EQ(first.fixations[0].x, 141.0);
  EXPECT_EQ(first.fixations[0].duration, 0.133);
  EXPECT_EQ(first.starts[0], 2154.563);
  EXPECT_EQ(first.fields.at("pupil"), (std::vector<std::string>{"791"}));
  EXPECT_EQ(first.extra.at("rate"), "1000");
  EXPECT_EQ(asc.trials[3].fixations.size(), 1U);
  EXPECT_EQ(asc.trials[4].extra.at("Trial_Index_"), "\"13\"");
  int64_t samples = 0;
  size_t saccades = 0, messages = 0;
  for (const Trial& trial : asc.trials) {
    samples += trial.events.samples;
    saccades += trial.events.saccades.size();
    messages += trial.events.messages.size();
    EXPECT_TRUE(trial.events.ended);
  }
  std::string text = slurp(path);
  int64_t lines = 0, numbered = 0;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    lines += text.compare(at, 3, "MSG") == 0 ? 1 : 0;
    numbered += text[at] >= '0' && text[at] <= '9' ? 1 : 0;
  }
  EXPECT_EQ(messages, static_cast<size_t>(lines));
  EXPECT_EQ(samples, numbered);
  EXPECT_EQ(saccades, 1U);
  expect_same(asc, again(asc, "x.json"));
}

TEST_F(RealFiles, AscWithoutEnd) {
  const auto path = shared_data("gaze/eyelink_asc/eyelink_monocular_no_dummy_example.asc");
  ATTN_NEED_SHARED_DATA(path);
  const Scanpaths asc = read_scanpaths(path);
  ASSERT_EQ(asc.trials.size(), 1U);
  const Trial& trial = asc.trials[0];
  EXPECT_EQ(trial.id, "TEXT");
  EXPECT_EQ(trial.condition, "TEXT");
  EXPECT_EQ(trial.image, "Images/text.png");
  EXPECT_EQ(trial.subject, "sergiu0");
  EXPECT_EQ(trial.screen.width, 1920);
  EXPECT_EQ(trial.fixations.size(), 2U);
  EXPECT_EQ(trial.fixations[1].duration, 0.326);
  EXPECT_EQ(trial.events.saccades.size(), 2U);
  EXPECT_TRUE(std::isnan(trial.events.saccades[0].x0));
  EXPECT_EQ(trial.events.saccades[0].amplitude, 2.3e6);
  ASSERT_EQ(trial.events.blinks.size(), 2U);
  EXPECT_EQ(trial.events.blinks[1].duration, 0.112);
  EXPECT_FALSE(trial.events.ended);
  EXPECT_EQ(trial.events.messages[1].text, "ENCODING TEST \xC3\x84\xC3\x96\xC3\x9C");
  expect_same(asc, again(asc, "x.json"));
}

TEST_F(RealFiles, FixationReport) {
  const auto path = shared_data("gaze/eyelink_asc/18sat_fixfinal.csv");
  ATTN_NEED_SHARED_DATA(path);
  EXPECT_THAT(short_sentence([&] { read_scanpaths(path); }),
              testing::HasSubstr("the size of the screen is not in the file"));
  const ReadOptions options{.screen = Screen{1280, 1024}, .image_column = "page_name"};
  const Scanpaths report = read_scanpaths(path, options);
  const attn::io::Table table = attn::io::Table::read(path);
  EXPECT_EQ(count(report).fixations, table.rows());
  EXPECT_EQ(count(report).without_position, 0);
  const Trial& first = report.trials.front();
  EXPECT_EQ(first.subject, "msd001");
  EXPECT_EQ(first.id, "1");
  EXPECT_EQ(first.image, "reading-dickens-1");
  EXPECT_EQ(first.fixations[1].x, 348.7);
  EXPECT_EQ(first.fixations[1].duration, 0.026);
  EXPECT_EQ(first.extra.at("RT"), "\"25094.5384131\"");
  EXPECT_EQ(first.fields.at("CURRENT_FIX_INTEREST_AREA_LABEL")[1], "\"long\"");
  expect_same(report, again(report, "x.json"));
  expect_same(report, again(report, "x.csv", ScanpathFormat::report));
}

TEST_F(RealFiles, EveryMultiMatchFile) {
  const auto folder = shared_data("gaze/multimatch/fixvectors");
  ATTN_NEED_SHARED_DATA(folder);
  const ReadOptions options{.screen = Screen{1280, 720}};
  const std::vector<std::filesystem::path> folders = {folder};
  const ManyScanpaths all = read_all_scanpaths(folders, options);
  EXPECT_TRUE(all.failures.empty());
  EXPECT_EQ(all.read.size(), attn::test::listing(folder).size());
  ASSERT_EQ(all.scanpaths.trials.size(), all.read.size());
  const Trial& first = all.scanpaths.trials.front();
  EXPECT_EQ(first.image, "segment_0");
  EXPECT_EQ(first.subject, "01");
  EXPECT_EQ(all.scanpaths.trials[0].fixations[1].duration, 0.0205);
  for (const Trial& trial : all.scanpaths.trials)
    expect_same({.trials = {trial}, .images = {}},
                again({.trials = {trial}, .images = {}}, trial.id + ".tsv", ScanpathFormat::detect,
                      options));
  expect_same(all.scanpaths, again(all.scanpaths, "x.json"));
  // A file a trial, by the names that they came with.
  const auto files = write_trial_files(folder_ / "files", all.scanpaths);
  const std::vector<std::filesystem::path> written = {folder_ / "files"};
  expect_same(all.scanpaths, read_all_scanpaths(written, options).scanpaths);
  EXPECT_EQ(files.front().filename(), all.read.front().filename());
}

TEST_F(RealFiles, DetectedObjects) {
  const auto path = shared_data("gaze/coco_search18/detected_objects_dev.csv");
  ATTN_NEED_SHARED_DATA(path);
  const std::vector<ImageObjects> objects = read_objects(path);
  size_t boxes = 0;
  for (const ImageObjects& picture : objects) boxes += picture.boxes.size();
  EXPECT_EQ(boxes, 759U);
  EXPECT_EQ(objects[0].image, "000000019544.jpg");
  EXPECT_EQ(objects[0].task, "bottle");
  EXPECT_EQ(objects[0].boxes[1].label, "laptop");
  EXPECT_EQ(objects[0].boxes[1].score, 98.9898);
  EXPECT_EQ(objects[0].boxes[1].x1, 1553);
  // 58 % of the fixations after the first are within 20 px of a box, of 3.7 boxes a picture.
  const auto coco = shared_data("gaze/coco_search18/fixations_TP_dev.json");
  std::map<std::pair<std::string, std::string>, const ImageObjects*> by_name;
  for (const ImageObjects& picture : objects) by_name[{picture.task, picture.image}] = &picture;
  int64_t all = 0, inside = 0;
  for (const Trial& trial : read_scanpaths(coco, {.screen = kCanvas}).trials) {
    const auto found = by_name.find({trial.task, trial.image});
    for (size_t i = 1; i < trial.fixations.size(); ++i) {
      ++all;
      if (found == by_name.end()) continue;
      for (const Box& b : found->second->boxes) {
        const Box near{.x0 = b.x0 - 20, .y0 = b.y0 - 20, .x1 = b.x1 + 20, .y1 = b.y1 + 20};
        if (!contains(near, trial.fixations[i])) continue;
        ++inside;
        break;
      }
    }
  }
  RecordProperty("inside", std::to_string(static_cast<double>(inside) / static_cast<double>(all)));
  EXPECT_NEAR(static_cast<double>(inside) / static_cast<double>(all), 0.58, 0.02);
}

TEST_F(RealFiles, AFolderWithFilesThatAreNoScanpaths) {
  const auto folder = shared_data("gaze/coco_search18");
  ATTN_NEED_SHARED_DATA(folder);
  const std::vector<std::filesystem::path> paths = {folder, shared_data("gaze/metric_pairs"),
                                                    folder_ / "not-there"};
  const ManyScanpaths all = read_all_scanpaths(paths, {.screen = kCanvas});
  EXPECT_EQ(all.scanpaths.trials.size(), 2028U);
  EXPECT_EQ(all.read.size(), 1U);
  ASSERT_EQ(all.failures.size(), 4U);
  EXPECT_THAT(all.failures[0].sentence, testing::HasSubstr("detected_objects_dev.csv: expected"));
  EXPECT_THAT(all.failures[2].sentence,
              testing::HasSubstr("pairs_dev.json: trial 1: expected a trial with X, Y and T as "
                                 "COCO-Search18 has them, found the keys a, b, id"));
}

}  // namespace
}  // namespace gaze::test
