#include "finance/model/score_file.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <sstream>

#include "attn/error.h"
#include "tests/finance/model/small_model.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using attn::test::listing;
using attn::test::put;
using attn::test::slurp;
using attn::test::TempFolder;
using test::kColumns;
using test::market;
using Numbers = std::vector<double>;

/// Scores of `text` as a file.
ScoreFile read_text(const std::string& text, const std::string& column = {}) {
  const TempFolder folder;
  put(folder / "s.csv", text);
  return read_scores(folder / "s.csv", column);
}

TEST(ReadScores, FindsTheirColumn) {
  EXPECT_EQ(read_text("score\n1\n2.5\n-3\n").by_row, (Numbers{1, 2.5, -3}));
  EXPECT_EQ(read_text("a,score,b\n1,4,7\n2,5,8\n").by_row, (Numbers{4, 5}));
  EXPECT_EQ(read_text("name,mine\nx,4\ny,5\n").by_row, (Numbers{4, 5}));  // the only numbers
  EXPECT_EQ(read_text("a,score,b\n1,4,7\n2,5,8\n", "b").by_row, (Numbers{7, 8}));
  expect_refusal([] { read_text("a,b\n1,2\n"); },
                 "has no column score, and several of numbers (a, b)");
  expect_refusal([] { read_text("name\nx\n"); }, "none of numbers");
  expect_refusal([] { read_text("score\n1\n", "scor"); }, "did you mean 'score'");
}

TEST(ReadScores, RowsStandInAnyOrder) {
  const ScoreFile scores = read_text("row,score\n3,30\n1,10\n4,40\n");
  ASSERT_EQ(scores.by_row.size(), 4U);
  EXPECT_EQ(scores.by_row[0], 10);
  EXPECT_TRUE(std::isnan(scores.by_row[1]));
  EXPECT_EQ(scores.by_row[3], 40);
  EXPECT_EQ(read_text("row,x\n2,7\n1,8\n").by_row, (Numbers{8, 7}));
}

TEST(ReadScores, DamageIsRefused) {
  expect_refusal([] { read_text("row,score\n2,1\n2,5\n"); },
                 "row 3, column row: row 2 has a score above already");
  expect_refusal([] { read_text("row,score\n0,1\n"); }, "rows count from 1, found 0");
  expect_refusal([] { read_text("row,score\n1.5,1\n"); }, "row 2, column row");
  expect_refusal([] { read_text("row,score\n900000000000,1\n"); }, "goes up to 900000000000");
  for (const char* bad : {"nan", "inf", "high", "", "1e999"})
    expect_refusal([&] { read_text("id,score\nx,1\nx," + std::string(bad) + "\n"); },
                   "row 3, column score");
}

TEST(ScoresFor, RowsOfTheData) {
  const RankLists lists = market(2, 1);  // 24 rows
  ScoreFile scores{"s.csv", Numbers(24)};
  for (size_t r = 0; r < 24; ++r) scores.by_row[r] = static_cast<double>(r);
  EXPECT_EQ(scores_for(scores, lists), scores.by_row);
  const RankLists second = selected(lists, {1, 0});
  EXPECT_EQ(scores_for(scores, second).front(), 12);
  scores.by_row[7] = std::nan("");
  expect_refusal([&] { scores_for(scores, lists); }, "s.csv: has no score of row 8 of market.csv");
  scores.by_row[7] = 7;
  scores.by_row.pop_back();
  expect_refusal([&] { scores_for(scores, lists); }, "s.csv: has no score of row 24 of market.csv");
  scores.by_row.resize(30, 1);
  expect_refusal([&] { scores_for(scores, lists); },
                 "s.csv: holds scores of 30 rows, but market.csv has 24");
}

TEST(ScoreFeatures, StandBehindTheOthers) {
  RankLists lists = market(2, 1);
  const RankLists before = lists;
  ScoreFile a{"folder/trees.csv", Numbers(24, 2)}, b{"ridge.csv", Numbers(24, 3)};
  const std::vector<ScoreFile> with{a, b};
  add_score_features(lists, with);
  ASSERT_EQ(lists.width(), before.width() + 2);
  EXPECT_EQ(lists.feature_names[18], "with.trees");
  EXPECT_EQ(lists.feature_names[19], "with.ridge");
  for (size_t r = 0; r < 24; ++r) {
    for (size_t f = 0; f < 18; ++f)
      EXPECT_EQ(lists.features[r * 20 + f], before.features[r * 18 + f]);
    EXPECT_EQ(lists.features[r * 20 + 18], 2);
    EXPECT_EQ(lists.features[r * 20 + 19], 3);
  }
  const std::vector<ScoreFile> twins{a, {"other/trees.csv", Numbers(24, 2)}};
  expect_refusal([&] { add_score_features(lists, twins); }, "two scores are named trees;");
  const std::vector<ScoreFile> columns{{"trees.csv", Numbers(24, 2), {}, "a"},
                                       {"trees.csv", Numbers(24, 2), {}, "b/1"}};
  EXPECT_EQ(score_feature_names(columns),
            (std::vector<std::string>{"with.trees:a", "with.trees:b/1"}));
}

TEST(ScoreFeatures, AreNamedByFileAndColumn) {
  EXPECT_EQ(score_name({"a/trees.csv.gz", {}}), "trees");
  EXPECT_EQ(score_name({"trees.csv", {}, {}, "l2"}), "trees:l2");
  EXPECT_EQ(score_name({"trees.csv", {}, {}, "l2", "ridge"}), "ridge");
  RankLists lists = market(2, 1);
  lists.feature_names[3] = "with.trees";
  const std::vector<ScoreFile> with{{"trees.csv", Numbers(24, 2)}};
  expect_refusal([&] { add_score_features(lists, with); }, "has a column 'with.trees'");
}

TEST(ReadScores, OfOtherListsAreRefused) {
  RankLists lists = market(2, 1);
  lists.file_has_ids = true;
  lists.list_ids = {"3", "b"};
  std::string text = "list,row,score\n";
  for (int row = 24; row >= 1; --row)
    text += (row > 12 ? "b," : "3.0,") + std::to_string(row) + ",1\n";
  EXPECT_EQ(scores_for(read_text(text), lists), Numbers(24, 1));
  lists.list_ids[1] = "c";
  expect_refusal([&] { scores_for(read_text(text), lists); },
                 "has row 13 in list 'b', but in market.csv that row (the header not counted) is "
                 "of list 'c'");
  lists.file_has_ids = false;
  EXPECT_EQ(scores_for(read_text(text), lists), Numbers(24, 1));
}

TEST(ReadScores, NumbersAloneHaveNoHeader) {
  EXPECT_EQ(read_text("0.5\n-1\n2e-3\n").by_row, (Numbers{0.5, -1, 2e-3}));
  EXPECT_EQ(read_text("x\n-1\n2\n").by_row, (Numbers{-1, 2}));
}

/// A file too long to be scored at once, and a model for it.
class ScoreFileTest : public testing::Test {
 protected:
  ScoreFileTest() : model_(test::trained(market(8, 1), nullptr)) {}

  ListOptions reading() const { return reading_options(model_, false); }
  static std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(file, line);) {
      rows.emplace_back();
      std::istringstream fields(line);
      for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    }
    return rows;
  }

  TrainedRanker model_;
  TempFolder folder_;
};

TEST_F(ScoreFileTest, InPartsAsAtOnce) {
  test::write_market(folder_ / "long.csv", 1500, 5, 50);  // 75,000 rows, more than a part
  const ScoredFile done =
      score_file(model_, folder_ / "long.csv", reading(), {}, folder_ / "s.csv", {});
  EXPECT_EQ(done.lists, 1500);
  EXPECT_EQ(done.rows, 75000);
  const RankLists whole = read_lists(folder_ / "long.csv", kColumns);
  const auto scores = model_scores(model_, whole, {});
  const auto rows = rows_of(folder_ / "s.csv");
  ASSERT_EQ(rows.size(), 75001U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"list", "row", "score", "rank"}));
  for (size_t r = 0; r < scores.size(); ++r) {
    ASSERT_EQ(rows[r + 1][1], std::to_string(r + 1));
    ASSERT_EQ(std::stod(rows[r + 1][2]), scores[r]) << "row " << r + 1;  // bit for bit
  }
  EXPECT_EQ(read_scores(folder_ / "s.csv").by_row, scores);
  for (size_t l = 0; l < 1500; l += 499)
    for (size_t i = 0; i < 50; ++i) {
      int64_t above = 1;
      for (size_t j = 0; j < 50; ++j)
        above += scores[l * 50 + j] > scores[l * 50 + i] ||
                         (scores[l * 50 + j] == scores[l * 50 + i] && j < i)
                     ? 1
                     : 0;
      EXPECT_EQ(rows[l * 50 + i + 1][3], std::to_string(above));
    }
}

TEST_F(ScoreFileTest, AsksForNothingButListsAndFeatures) {
  test::write_market(folder_ / "known.csv", 3, 5);
  RankLists bare = read_lists(folder_ / "known.csv", kColumns);
  bare.label.clear(), bare.profit.clear();
  write_lists(folder_ / "new.csv", bare, kColumns);
  std::string text = slurp(folder_ / "new.csv");
  // The outcome is a column that is still empty.
  std::string empty;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    empty += line + (empty.empty() ? ",risky,pnl\n" : ",,\n");
  put(folder_ / "empty.csv", empty);
  for (const char* name : {"known", "new", "empty"})
    score_file(model_, folder_ / (std::string(name) + ".csv"), reading(), {},
               folder_ / (std::string(name) + "-s.csv"), {});
  EXPECT_EQ(slurp(folder_ / "known-s.csv"), slurp(folder_ / "new-s.csv"));
  EXPECT_EQ(slurp(folder_ / "known-s.csv"), slurp(folder_ / "empty-s.csv"));
}

TEST_F(ScoreFileTest, LeavesNothingBehindWhereItFails) {
  RankLists other = market(3, 5);
  other.feature_names[2] = "WinRate";
  write_lists(folder_ / "other.csv", other, kColumns);
  const auto score = [&](const std::filesystem::path& out, const std::vector<ScoreFile>& with) {
    score_file(model_, folder_ / "other.csv", reading(), with, out, {});
  };
  expect_refusal([&] { score(folder_ / "s.csv", {}); }, "there is no column 'WinRate20'");
  expect_refusal([&] { score(folder_ / "s.txt", {}); }, "scores are written as .csv");
  const std::vector<ScoreFile> with{{"trees.csv", Numbers(36, 1)}};
  expect_refusal([&] { score(folder_ / "s.csv", with); }, "not trained with the scores trees");
  std::atomic<bool> stop = true;
  attn::Hooks hooks;
  hooks.stop = &stop;
  test::write_market(folder_ / "fine.csv", 3, 5);
  EXPECT_THROW(score_file(model_, folder_ / "fine.csv", reading(), {}, folder_ / "s.csv", hooks),
               attn::Interrupted);
  EXPECT_EQ(listing(folder_.path()), (std::vector<std::string>{"fine.csv", "other.csv"}));
}

TEST_F(ScoreFileTest, WithScoresOfAnother) {
  RankLists train = market(8, 1);
  const std::vector<ScoreFile> known{{"trees.csv", train.profit}};
  add_score_features(train, known);
  const TrainedRanker model =
      train_run({train, nullptr, kColumns, score_feature_names(known)}, test::small_run(), {}, {});
  test::write_market(folder_ / "new.csv", 3, 5);
  const ListOptions columns = reading_options(model, false);
  EXPECT_EQ(columns.features.size(), 18U);
  const auto score = [&](const std::vector<ScoreFile>& with) {
    score_file(model, folder_ / "new.csv", columns, with, folder_ / "s.csv", {});
    return slurp(folder_ / "s.csv");
  };
  const std::string one = score({{"trees.csv", Numbers(36, 1)}});
  Numbers rising(36);
  for (size_t r = 0; r < 36; ++r) rising[r] = 100 * static_cast<double>(r);
  EXPECT_NE(score({{"trees.csv", rising}}), one);
  expect_refusal([&] { score({}); }, "was trained with the scores of another model, trees");
  expect_refusal([&] { score({{"ridge.csv", rising}}); }, "another model, trees");
  rising.push_back(1);
  expect_refusal([&] { score({{"trees.csv", rising}}); }, "holds scores of 37 rows, but");
  rising.resize(30);
  expect_refusal([&] { score({{"trees.csv", rising}}); }, "has no score of row 31");
}

}  // namespace
}  // namespace finance
