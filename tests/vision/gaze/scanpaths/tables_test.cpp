// Fixation reports, MultiMatch and BIDS.
#include <cstdlib>
#include <random>

#include "tests/vision/gaze/scanpaths/same_scanpaths.h"

namespace gaze::test {
namespace {

using testing::HasSubstr;

class Tables : public ScanpathTest {
 protected:
  Scanpaths bids(const std::string& sidecar, const std::string& rows, const ReadOptions& o = {}) {
    put(folder_ / "sub-01_task-look_run-2_acq-x_eyetrack.json", sidecar);
    return read("sub-01_task-look_run-2_acq-x_eyetrack.tsv", rows, o);
  }
};

const ReadOptions kAsked{.screen = kCanvas};
const std::string kHeader =
    "RECORDING_SESSION_LABEL,TRIAL_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,"
    "CURRENT_FIX_DURATION,CURRENT_FIX_START,page,word\n";

TEST_F(Tables, Report) {
  const Scanpaths all = read("x.csv",
                             kHeader +
                                 "s,1,1.5,2,100,0,p,\"a,b\"\ns,1,.,.,50,200,p,\n"
                                 "s,2,-3,4000,.,0,q,007\n",
                             kAsked);
  ASSERT_EQ(all.trials.size(), 2U);
  EXPECT_EQ(all.trials[0].extra.at("page"), "\"p\"");
  EXPECT_EQ(all.trials[0].fields.at("word"), (std::vector<std::string>{"\"a,b\"", "\"\""}));
  EXPECT_EQ(all.trials[0].starts[1], 0.2);
  const ScanpathCounts n = count(all);
  EXPECT_EQ(n.fixations, 3);
  EXPECT_EQ(n.without_position, 1);
  EXPECT_EQ(n.off_screen, 1);
  EXPECT_EQ(n.without_duration, 1);
  expect_same(all, again(all, "y.csv"));
  expect_same(all, again(all, "y.csv.gz"));
  expect_same(all, again(all, "y.parquet"));
  expect_same(all, again(all, "y.json"));
}

TEST_F(Tables, ReportRefusals) {
  const auto said = [&](const std::string& rows) {
    return refusal("x.csv", kHeader + rows, kAsked);
  };
  EXPECT_EQ(said("s,1,abc,2,100,0,p,a\n"),
            "x.csv: row 2, column CURRENT_FIX_X: expected a number, found 'abc'");
  EXPECT_THAT(said("s,1,,2,100,0,p,a\n"), HasSubstr("column CURRENT_FIX_X: expected a number"));
  EXPECT_THAT(said("s,1,1,2,-1,0,p,a\n"), HasSubstr("expected a duration of 0 or more"));
  EXPECT_THAT(said("s,1,1,2,3,0,p,a\ns,2,1,2,3,0,p,a\ns,1,1,2,3,0,p,a\n"),
              HasSubstr("row 4, column TRIAL_INDEX: trial '1' stands there again, its other rows "
                        "begin in row 2"));
  EXPECT_THAT(said(""), HasSubstr("expected rows of fixations, found none"));
  EXPECT_THAT(refusal("x.csv", "CURRENT_FIX_X,CURRENT_FIX_Y\n1,2\n", kAsked),
              HasSubstr("TRIAL_INDEX"));
  EXPECT_THAT(refusal("x.csv", kHeader + "s,1,1,2,3,0,p,a\ns,1,1,2,3,0,p,b\n",
                      {.screen = kCanvas, .image_column = "word"}),
              HasSubstr("column word: expected one picture a trial"));
}

TEST_F(Tables, MultiMatch) {
  const Scanpaths all =
      read("seg_1_sub-07_x.tsv",
           "start_x\tstart_y\tduration\tmore\n1e1\t2\t0.25\ta\nn/a\t5\tnan\tb\n", kAsked);
  const Trial& t = all.trials.at(0);
  EXPECT_EQ(t.image, "seg_1");
  EXPECT_EQ(t.subject, "07");
  EXPECT_EQ(t.fixations[0].x, 10);
  EXPECT_TRUE(std::isnan(t.fixations[1].duration));
  EXPECT_EQ(t.fields.at("more")[1], "\"b\"");
  expect_same(all, again(all, "y.json"));
  EXPECT_THAT(refusal("x.tsv", "start_x\tstart_y\tduration\n1\tx\t3\n", kAsked),
              HasSubstr("x.tsv: row 2, column start_y: expected a number, found 'x'"));
  EXPECT_THAT(refusal("x.tsv", "start_x\tstart_y\n1\t2\n", kAsked), HasSubstr("duration"));
  EXPECT_THAT(refusal("x.tsv", "start_x\tstart_y\tduration\n1\t2\t3\n"),
              HasSubstr("x.tsv: the size of the screen"));
  const Scanpaths two = {.trials = {t, t}, .images = {}};
  EXPECT_THROW(write_scanpaths(folder_ / "z.tsv", two), attn::UsageError);
  EXPECT_THROW(write_scanpaths(folder_ / "z.xyz", two), attn::UsageError);
  const auto files = write_trial_files(folder_ / "d", two);
  EXPECT_EQ(files[0].filename(), "seg_1_sub-07.tsv");
  EXPECT_EQ(files[1].filename(), "seg_1_sub-07_2.tsv");
}

TEST_F(Tables, RemodnavEvents) {
  const Scanpaths all = read("x.tsv",
                             "onset\tduration\tlabel\tstart_x\tstart_y\n0.5\t0.2\tFIXA\t1\t2\n"
                             "0.7\t0.05\tSACC\t1\t2\n0.75\t0.1\tFIXA\t3\t4\n",
                             kAsked);
  ASSERT_EQ(all.trials[0].fixations.size(), 2U);
  EXPECT_EQ(all.trials[0].starts[1], 0.75);
}

TEST_F(Tables, Bids) {
  const std::string sidecar = R"({"Columns":["onset","duration","trial_type","x_coordinate",)"
                              R"("y_coordinate","pupil"],"ScreenResolution":[800,600],)"
                              R"("SampleCoordinateUnits":"pixel","RecordedEye":"right"})";
  const Scanpaths all = bids(sidecar,
                             "0.5\t0.2\tfixation\t1\t2\t3\n0.7\t0.1\tsaccade\t1\t2\tn/a\n"
                             "0.8\t0.3\tfixation\t900\tn/a\t4\n");
  const Trial& t = all.trials.at(0);
  EXPECT_EQ(t.subject, "01");
  EXPECT_EQ(t.task, "look");
  EXPECT_EQ(t.id, "2");
  EXPECT_EQ(t.eye, "R");
  EXPECT_EQ(t.extra.at("acq"), "\"x\"");
  EXPECT_EQ(t.screen.width, 800);
  ASSERT_EQ(t.fixations.size(), 2U);
  EXPECT_EQ(t.starts, (std::vector<double>{0.5, 0.8}));
  EXPECT_TRUE(std::isnan(t.fixations[1].y));
  EXPECT_EQ(t.fields.at("pupil")[1], "\"4\"");
  expect_same(all, again(all, "y.json"));
  const std::vector<std::filesystem::path> folder = {folder_.path()};
  std::filesystem::remove(folder_ / "y.json");
  EXPECT_TRUE(read_all_scanpaths(folder).failures.empty()) << "the JSON beside it is no scanpath";
}

TEST_F(Tables, BidsPacked) {
  put(folder_ / "sub-1_physio.json",
      R"({"Columns":["x","y","duration"],"StimulusPresentation":{"ScreenResolution":[800,600]}})");
  put(folder_ / "sub-1_physio.tsv", "1\t2\t0.5\n");
  ASSERT_EQ(std::system(("gzip '" + (folder_ / "sub-1_physio.tsv").string() + "'").c_str()), 0);
  const Scanpaths all = read_scanpaths(folder_ / "sub-1_physio.tsv.gz");
  EXPECT_EQ(all.trials.at(0).fixations.size(), 1U);
}

TEST_F(Tables, BidsRefusals) {
  const auto said = [&](const std::string& sidecar, const std::string& rows) {
    return short_sentence([&] { bids(sidecar, rows, kAsked); });
  };
  EXPECT_THAT(said(R"({"Columns":["timestamp","x_coordinate","y_coordinate","pupil_size"]})",
                   "1\t2\t3\t4\n"),
              HasSubstr("holds raw samples (columns timestamp, x_coordinate, y_coordinate, "
                        "pupil_size), and fixations are wanted"));
  EXPECT_THAT(said(R"({"Columns":["onset","duration","trial_type","blink"]})", "1\t2\t3\t4\n"),
              HasSubstr("expected positions of fixations"));
  EXPECT_THAT(said(R"({"Columns":["x","y","duration"]})", "1\t2\n"),
              HasSubstr("row 1: expected 3 values, as many as Columns of its JSON, found 2"));
  EXPECT_THAT(said(R"({"Columns":["x","y","duration"]})", "1\t2\t3\n1\tb\t3\n"),
              HasSubstr("row 2, column y: expected a number, found 'b'"));
  EXPECT_THAT(
      said(R"({"Columns":["x","y","duration"],"SampleCoordinateUnits":"degree"})", "1\t2\t3\n"),
      HasSubstr("expected positions in pixels, found \"degree\""));
  EXPECT_THAT(refusal("sub-9_eyetrack.tsv", "1\t2\n", kAsked),
              HasSubstr("with its JSON beside it, found no sub-9_eyetrack.json"));
}

TEST_F(Tables, Damaged) {
  std::mt19937_64 random(9);
  const std::string report =
      kHeader + "s,1,1.5,2,100,0,p,a\ns,1,5,6,50,200,p,\ns,2,-3,4000,1,0,q,b\n";
  const std::string paths = "start_x\tstart_y\tduration\n1\t2\t0.25\n3\t4\t0.5\n";
  for (const auto& [name, good] : {std::pair("x.csv", report), std::pair("x.tsv", paths)}) {
    for (size_t size = 0; size < good.size(); ++size) {
      put(folder_ / name, good.substr(0, size));
      attn::test::reads_or_explains([&, file = folder_ / name] { read_scanpaths(file, kAsked); },
                                    name);
    }
    for (const auto& [what, bytes] : attn::test::broken_versions(good)) {
      put(folder_ / name, bytes);
      attn::test::reads_or_explains([&, file = folder_ / name] { read_scanpaths(file, kAsked); },
                                    what);
    }
  }
  for (int i = 0; i < 500; ++i) {
    put(folder_ / "x.csv", attn::test::random_bytes(random, random() % 300));
    put(folder_ / "x_eyetrack.json", R"({"Columns":["x","y","duration"]})");
    for (const ScanpathFormat format :
         {ScanpathFormat::detect, ScanpathFormat::json, ScanpathFormat::coco,
          ScanpathFormat::amazon, ScanpathFormat::asc, ScanpathFormat::report,
          ScanpathFormat::multimatch, ScanpathFormat::bids})
      EXPECT_FALSE(attn::test::reads_or_explains(
          [&] { read_scanpaths(folder_ / "x.csv", {.format = format, .screen = kCanvas}); },
          "round " + std::to_string(i)));
  }
}

TEST_F(Tables, FoldersGoOnPastBadFiles) {
  put(folder_ / "a.tsv", "start_x\tstart_y\tduration\n1\t2\t0.25\n");
  put(folder_ / "b.tsv", "start_x\tstart_y\tduration\n1\tx\t0.25\n");
  put(folder_ / "c.png", "\x89PNG");
  put(folder_ / ".d.tsv", "hidden");
  put(folder_ / "e.asc", "");
  const std::vector<std::filesystem::path> folder = {folder_.path()};
  const ManyScanpaths all = read_all_scanpaths(folder, kAsked);
  EXPECT_EQ(all.scanpaths.trials.size(), 1U);
  ASSERT_EQ(all.failures.size(), 2U);
  EXPECT_EQ(all.failures[0].path, folder_ / "b.tsv");
  EXPECT_THAT(all.failures[1].sentence, HasSubstr("found an empty file"));
}

}  // namespace
}  // namespace gaze::test
