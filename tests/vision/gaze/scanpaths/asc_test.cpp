#include "tests/vision/gaze/scanpaths/same_scanpaths.h"

namespace gaze::test {
namespace {

using testing::HasSubstr;

class Asc : public ScanpathTest {};

/// Both eyes, 2 kHz with half milliseconds, two trials, R without its last EFIX.
const std::string kBinocular =
    "** CONVERTED FROM /data/eye 7.edf using edfapi 4.2\n"
    "MSG\t90 DISPLAY_COORDS 0 0 1919 1079\n"
    "MSG\t95 TRIALID 1\n"
    "MSG\t96 !V IMGLOAD CENTER a.png 960 540\n"
    "START\t100 \tLEFT\tRIGHT\tSAMPLES\tEVENTS\n"
    "PRESCALER\t1\n"
    "PUPIL\tDIAMETER\n"
    "EVENTS\tGAZE\tLEFT\tRIGHT\tRATE\t2000.00\tTRACKING\tCR\tFILTER\t2\n"
    "100.0\t 1.0\t 2.0\t 700.0\t 1.0\t 2.0\t 700.0\t.....\n"
    "SFIX L   100.5\n"
    "SFIX R   101\n"
    "100.5\t . \t . \t 0.0\t . \t . \t 0.0\t.....\n"
    "EFIX L   100.5\t200\t100\t  10.5\t  20.25\t    700\n"
    "SSACC L  200.5\n"
    "EFIX R   101\t199.5\t99\t  -11.5\t  2000.25\t    701\n"
    "SBLINK R 202\n"
    "EBLINK R 202\t250.5\t49\n"
    "ESACC L  200.5\t210\t10\t  10\t  20\t  .\t  .\t   .\t    103\n"
    "SFIX R   260\n"
    "END\t300 \tSAMPLES\tEVENTS\tRES\t  37.17\t  37.75\n"
    "MSG\t301 !V TRIAL_VAR condition hard one\n"
    "MSG\t302 !V TRIAL_VAR answer 3\n"
    "MSG\t310 TRIALID 2\n"
    "START\t320 \tLEFT\tRIGHT\tSAMPLES\tEVENTS\n"
    "SFIX L   321\n"
    "EFIX L   321\t400\t79.5\t  1\t  2\t    3\t  36.1\t  37.2\n"
    "END\t400 \tSAMPLES\tEVENTS\tRES\t  37.17\t  37.75\n";

TEST_F(Asc, BinocularWithHalfMilliseconds) {
  const Scanpaths all = read("x.asc", kBinocular);
  ASSERT_EQ(all.trials.size(), 4U);  // two trials of two eyes
  const Trial &left = all.trials[0], &right = all.trials[1];
  EXPECT_EQ(left.eye, "L");
  EXPECT_EQ(right.eye, "R");
  EXPECT_EQ(left.subject, "eye 7");
  EXPECT_EQ(left.image, "a.png");
  EXPECT_EQ(left.condition, "hard one");
  EXPECT_EQ(left.extra.at("answer"), "\"3\"");
  EXPECT_EQ(left.extra.at("rate"), "2000");
  ASSERT_EQ(left.fixations.size(), 1U);
  EXPECT_EQ(left.fixations[0].y, 20.25);
  EXPECT_EQ(left.fixations[0].duration, 0.1);
  EXPECT_EQ(left.starts[0], 0.1005);
  EXPECT_EQ(left.events.saccades.size(), 1U);
  EXPECT_EQ(left.events.saccades[0].start, 0.2005);
  EXPECT_EQ(left.events.saccades[0].x0, 10);
  EXPECT_TRUE(std::isnan(left.events.saccades[0].x1));
  EXPECT_TRUE(left.events.blinks.empty());
  EXPECT_EQ(right.events.blinks.size(), 1U);
  EXPECT_EQ(right.events.blinks[0].end, 0.2505);
  EXPECT_EQ(right.events.unfinished, 1);
  EXPECT_EQ(left.events.unfinished, 0);
  EXPECT_EQ(left.events.samples, 2);
  EXPECT_EQ(left.events.messages.size(), 5U);
  EXPECT_EQ(count(all).off_screen, 1);  // kept
  const Trial& second = all.trials[2];
  EXPECT_EQ(second.id, "2");
  EXPECT_EQ(second.condition, "");
  EXPECT_EQ(second.fields.at("resolution_x"), (std::vector<std::string>{"36.1"}));
  EXPECT_TRUE(all.trials[3].fixations.empty());
  expect_same(all, again(all, "x.json"));
}

TEST_F(Asc, AsATable) {
  Scanpaths all = read("x.asc", kBinocular);
  const WrittenScanpaths written = write_scanpaths(folder_ / "x.csv", all);
  EXPECT_EQ(written.trials, 3);
  EXPECT_EQ(written.left_out, 1);
  const Scanpaths table = read_scanpaths(folder_ / "x.csv");
  ASSERT_EQ(table.trials.size(), 3U);
  EXPECT_EQ(table.trials[1].eye, "R");
  EXPECT_EQ(table.trials[1].id, "1");
  EXPECT_EQ(table.trials[1].image, "a.png");
  EXPECT_EQ(table.trials[1].fixations[0].duration, 0.099);
  EXPECT_EQ(table.trials[1].starts, all.trials[1].starts);
  expect_same(table, again(table, "y.csv"));
}

TEST_F(Asc, WithoutTrialIdsARecordingIsATrial) {
  const std::string recording =
      "MSG 1 DISPLAY_COORDS 0 0 99 49\r\nSTART\t10\tRIGHT\tEVENTS\r\nSFIX R 11\r\n"
      "EFIX R 11 20 10 5 6 7\r\nEND\t30\r\nSTART 40 RIGHT EVENTS\r\nEND 50\r\n";
  const Scanpaths all = read("x.asc", recording);
  ASSERT_EQ(all.trials.size(), 2U);
  EXPECT_EQ(all.trials[0].fixations.size(), 1U);
  EXPECT_EQ(all.trials[0].screen.height, 50);
  EXPECT_EQ(all.trials[0].subject, "x");
  EXPECT_EQ(all.trials[0].events.messages.size(), 1U);
  EXPECT_TRUE(all.trials[1].fixations.empty());
}

TEST_F(Asc, WithoutStartEvents) {
  const Scanpaths all = read("x.asc",
                             "MSG 1 GAZE_COORDS 0.00 0.00 99.00 49.00\nSTART 10 LEFT EVENTS\n"
                             "EFIX L 11 20 10 5 6 7\nEFIX L 22 25 4 8 9 7\nEND 30\n");
  ASSERT_EQ(all.trials.size(), 1U);
  EXPECT_EQ(all.trials[0].fixations.size(), 2U);
  EXPECT_EQ(all.trials[0].screen.width, 100);
}

TEST_F(Asc, LatinOneBytesBecomeUtf8) {
  const Scanpaths all = read("x.asc",
                             "MSG 1 DISPLAY_COORDS 0 0 99 49\nSTART 10 LEFT\n"
                             "MSG 12 caf\xE9\nEND 30\n");
  EXPECT_EQ(all.trials[0].events.messages[1].text, "caf\xC3\xA9");
  expect_same(all, again(all, "x.json"));
}

TEST_F(Asc, ARecordingThatWasNotEnded) {
  const Scanpaths all = read("x.asc",
                             "MSG 1 DISPLAY_COORDS 0 0 99 49\nSTART 10 LEFT\nSFIX L 12\n"
                             "START 20 LEFT\nEND 30\n");
  ASSERT_EQ(all.trials.size(), 2U);
  EXPECT_FALSE(all.trials[0].events.ended);
  EXPECT_EQ(all.trials[0].events.unfinished, 1);
  EXPECT_TRUE(all.trials[1].events.ended);
}

TEST_F(Asc, Refusals) {
  const std::string head = "MSG\t1 DISPLAY_COORDS 0 0 99 49\nSTART\t10 LEFT EVENTS\n";
  const auto said = [&](const std::string& lines) { return refusal("x.asc", head + lines); };
  EXPECT_THAT(said("SFIX L 11\nEFIX L 11 9 1 2 3 4\nEND 30\n"),
              HasSubstr("x.asc: row 4: EFIX ends at 9, before its start at 11"));
  EXPECT_THAT(said("SFIX L 11\nEFIX L 12 20 1 2 3 4\nEND 30\n"),
              HasSubstr("x.asc: row 4: EFIX L of the time 12 has no SFIX before it"));
  EXPECT_THAT(said("SFIX L 11\nEFIX L 11 20 1 2\n"),
              HasSubstr("row 4: expected 7 or 9 values behind EFIX, found 5"));
  EXPECT_THAT(said("SFIX L 11\nEFIX L 11 20 1 abc 3 4\nEND 30\n"),
              HasSubstr("row 4: expected a number as value 5 of EFIX, found 'abc'"));
  EXPECT_THAT(said("SFIX X 11\n"), HasSubstr("row 3: expected the eye L or R behind SFIX"));
  EXPECT_THAT(said("SFIX L 11\nEFIX L 11 20 1 2 3"), HasSubstr("row 4"));
  EXPECT_THAT(said("SFIX L 11\n12 13.0"), HasSubstr("row 4: the file ends inside of a recording"));
  EXPECT_THAT(said("END 5\n"), HasSubstr("row 3: the recording ends at 5, before its start"));
  EXPECT_THAT(said("END 50\nEND 60\n"), HasSubstr("row 4: END without a START"));
  EXPECT_THAT(said("MSG x\n"), HasSubstr("row 3: expected a time"));
  EXPECT_THAT(said("EVENTS HREF LEFT\n"),
              HasSubstr("expected events in pixels (GAZE), found 'HREF'"));
  EXPECT_THAT(said("MSG 20 DISPLAY_COORDS 0 0 1919 1079\n"),
              HasSubstr("row 3: DISPLAY_COORDS tells a screen of 1920 x 1080, and before it was "
                        "100 x 50"));
  EXPECT_THAT(said("MSG 20 DISPLAY_COORDS 5 0 1919 1079\n"), HasSubstr("begins at 0 0"));
  EXPECT_THAT(refusal("x.asc", "SFIX L 11\n"), HasSubstr("row 1: an event stands outside"));
  EXPECT_THAT(refusal("x.asc", "START 10 LEFT\nEND 20\n"),
              HasSubstr("x.asc: the size of the screen is not in the file"));
  EXPECT_THAT(refusal("x.asc", head + "END 20\n", {.screen = kCanvas}),
              HasSubstr("its screen is 100 x 50, and 1680 x 1050 was given"));
  EXPECT_THAT(refusal("x.asc", "** CONVERTED FROM a.edf using x\n"),
              HasSubstr("no line that begins with START"));
  EXPECT_THAT(refusal("x.edf", "SR_RESEARCH_COMBINED_FILE"), HasSubstr("convert it with edf2asc"));
}

TEST_F(Asc, CutAtEveryByte) {
  const size_t recording = kBinocular.find("START"), end = kBinocular.find("END\t300");
  for (size_t size = 0; size < kBinocular.size(); ++size) {
    const std::string text = kBinocular.substr(0, size);
    put(folder_ / "x.asc", text);
    const bool good = attn::test::reads_or_explains([&] { read_scanpaths(folder_ / "x.asc"); },
                                                    "cut at " + std::to_string(size));
    // Within the first recording only whole lines are taken.
    if (size > recording + 10 && size < end) {
      EXPECT_EQ(good, text.back() == '\n') << "cut at " << size;
    }
    if (size <= recording) {
      EXPECT_FALSE(good) << "cut at " << size;
    }
  }
}

}  // namespace
}  // namespace gaze::test
