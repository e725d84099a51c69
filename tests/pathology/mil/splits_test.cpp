#include "pathology/mil/splits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "attn/error.h"
#include "tests/pathology/mil/mil_support.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

using testing::HasSubstr;

void expect_partition(const BagSet& set, const Split& s) {
  std::vector<int64_t> all = s.train;
  all.insert(all.end(), s.validation.begin(), s.validation.end());
  all.insert(all.end(), s.test.begin(), s.test.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), set.bags.size());
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<int64_t>(i));
  std::map<std::string, std::set<int>> parts;
  int part = 0;
  for (const auto* items : {&s.train, &s.validation, &s.test}) {
    for (const int64_t i : *items) parts[set.bags[static_cast<size_t>(i)].patient].insert(part);
    ++part;
  }
  for (const auto& [patient, in] : parts) EXPECT_EQ(in.size(), 1U) << patient;
}

int64_t count(const BagSet& set, const std::vector<int64_t>& items, int64_t label) {
  return std::count_if(items.begin(), items.end(),
                       [&](int64_t i) { return set.bags[static_cast<size_t>(i)].label == label; });
}

TEST(Splits, PartitionByPatientStratified) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const BagSet set = test::toy_set(40, 2, 5, true);
    SplitOptions o;
    o.seed = seed;
    const Split s = split_bags(set, o);
    expect_partition(set, s);
    for (int64_t c : {0, 1}) {  // 10 patients a class: 6, 2 and 2, two bags each
      EXPECT_EQ(count(set, s.train, c), 12);
      EXPECT_EQ(count(set, s.validation, c), 4);
      EXPECT_EQ(count(set, s.test, c), 4);
    }
    EXPECT_EQ(split_bags(set, o).test, s.test);
  }
}

TEST(Splits, SeedsDiffer) {
  const BagSet set = test::toy_set(40);
  SplitOptions a, b;
  b.seed = 1;
  EXPECT_NE(split_bags(set, a).test, split_bags(set, b).test);
}

TEST(Splits, RareClassesReachEveryPartWhereTheyCan) {
  BagSet set = test::toy_set(30);
  for (Bag& bag : set.bags) bag.label = 0;
  for (size_t i : {3, 11, 19}) set.bags[i].label = 1;
  const Split s = split_bags(set, {});
  for (const auto* part : {&s.train, &s.validation, &s.test}) EXPECT_EQ(count(set, *part, 1), 1);
}

TEST(Splits, RefusesTooFewPatientsAndOneClass) {
  EXPECT_THROW(split_bags(test::toy_set(2), {}), attn::Error);
  BagSet one = test::toy_set(12);
  for (Bag& bag : one.bags) bag.label = 1;
  EXPECT_THAT(attn::test::sentence_of([&] { split_bags(one, {}); }), HasSubstr("'class1'"));
  SplitOptions o;
  o.validation = o.test = 0.5;
  EXPECT_THROW(split_bags(test::toy_set(12), o), attn::UsageError);
}

TEST(Splits, FoldsTestEveryBagOnce) {
  for (const bool stratified : {false, true}) {
    const BagSet set = test::toy_set(46, 2, 5, true);  // 23 patients
    const std::vector<Split> folds = k_folds(set, 5, stratified, 3);
    std::vector<int> tested(46, 0);
    for (const Split& f : folds) {
      expect_partition(set, f);
      EXPECT_THAT(f.test.size(), testing::AnyOf(8U, 10U));  // 4 or 5 patients
      for (const int64_t i : f.test) ++tested[static_cast<size_t>(i)];
      if (stratified) {
        EXPECT_LE(std::abs(count(set, f.test, 0) - count(set, f.test, 1)), 4);
      }
    }
    EXPECT_THAT(tested, testing::Each(1));
  }
  EXPECT_NE(k_folds(test::toy_set(20), 5, false, 1)[0].test,
            k_folds(test::toy_set(20), 5, false, 2)[0].test);
  EXPECT_THROW(k_folds(test::toy_set(20), 1, false, 1), attn::UsageError);
  EXPECT_THAT(attn::test::sentence_of([] { k_folds(test::toy_set(20, 3), 21, false, 1); }),
              HasSubstr("too few patients for 21 folds: there are 20 patients of 3 classes"));
}

TEST(Splits, ClassesOfASinglePatientAreWarnedOf) {
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  BagSet set = test::toy_set(12, 2, 5, true);
  warn_of_single_patients(set, hooks);
  EXPECT_THAT(warnings, testing::IsEmpty());
  EXPECT_EQ(classes_text(set), "12 bags of 6 patients: class0 6, class1 6");
  set.classes.emplace_back("rare");
  set.bags[6].label = set.bags[7].label = 2;
  warn_of_single_patients(set, hooks);
  EXPECT_THAT(warnings, testing::ElementsAre(
                            testing::AllOf(HasSubstr("1 of the 3 classes"), HasSubstr("rare"))));
}

TEST(Splits, ValidationComesOutOfTraining) {
  const BagSet set = test::toy_set(40, 2, 5, true);
  const Split fold = k_folds(set, 4, false, 1)[2];
  const Split s = with_validation(set, fold, 0.2, 9);
  expect_partition(set, s);
  EXPECT_EQ(s.test, fold.test);
  EXPECT_EQ(s.validation.size(), 6U);
}

TEST(Splits, FileComesBackAndIsChecked) {
  const attn::test::TempFolder folder;
  const auto path = folder / "splits.csv";
  const BagSet set = test::toy_set(20, 2, 5, true);
  const Split s = split_bags(set, {});
  write_splits(path, set, s);
  const Split back = read_splits(path, set);
  EXPECT_EQ(back.train, s.train);
  EXPECT_EQ(back.validation, s.validation);
  EXPECT_EQ(back.test, s.test);

  const std::string text = attn::test::slurp(path);
  const auto refused = [&](const std::string& contents) {
    attn::test::put(path, contents);
    return attn::test::sentence_of([&] { read_splits(path, set); });
  };
  EXPECT_THAT(refused(text + "bag0,test,x\n"), HasSubstr("twice"));
  EXPECT_THAT(refused(text + "bag99,test,x\n"), HasSubstr("'bag99'"));
  EXPECT_THAT(refused(text.substr(0, text.rfind("bag"))), HasSubstr("lacks"));
  std::string leaking = text;  // bag0 and bag1 are one patient
  const size_t place = leaking.find("bag1,") + 5;
  leaking.replace(place, leaking.find(',', place) - place,
                  leaking.substr(place, 4) == "test" ? "train" : "test");
  EXPECT_THAT(refused(leaking), HasSubstr("two parts"));
  std::string odd = text;
  odd.replace(odd.find("train"), 5, "trian");
  EXPECT_THAT(refused(odd), testing::AnyOf(HasSubstr("'trian'"), HasSubstr("two parts")));
}

TEST(Splits, PatientsStandByAKeyThatDoesNotNameThem) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(20, 2, 5, true);
  const Split s = split_bags(set, {});
  write_splits(folder / "s.csv", set, s);
  EXPECT_THAT(attn::test::slurp(folder / "s.csv"), testing::Not(HasSubstr("patient0")));
  const auto parts = read_patient_parts(folder / "s.csv");
  EXPECT_EQ(parts.size(), 10U);
  const std::string& patient = set.bags[static_cast<size_t>(s.train[0])].patient;
  EXPECT_EQ(parts.at(patient_key(set.digest, patient)), "train");
  EXPECT_FALSE(parts.contains(patient_key("another set", patient)));
  attn::test::put(folder / "s.csv", "bag,part\na,train\n");
  EXPECT_TRUE(read_patient_parts(folder / "s.csv").empty());
  EXPECT_EQ(worse_part("test", "train"), "train");
  EXPECT_EQ(worse_part("", "validation"), "validation");
}

TEST(Splits, AnEarlierSplitIsMatchedToBagsThatChanged) {
  const BagSet set = test::toy_set(20);
  const Split s = split_bags(set, {});
  const PartOfBag parts = parts_of(set, s);
  BagSet other = set;
  other.bags.erase(other.bags.begin() + s.test[0]);
  other.bags.push_back(set.bags[0]);
  other.bags.back().id = other.bags.back().patient = "new";
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  const Split found = match_parts(parts, other, "splits.csv", hooks);
  EXPECT_EQ(found.train.size(), s.train.size());
  EXPECT_EQ(found.test.size(), s.test.size() - 1);
  const std::string gone = set.bags[static_cast<size_t>(s.test[0])].id;
  EXPECT_THAT(warnings,
              testing::ElementsAre(testing::AllOf(HasSubstr("1 of its bags"), HasSubstr(gone))));
  EXPECT_EQ(digest_of(parts), digest_of(parts_of(set, s)));
  Split moved = s;
  std::swap(moved.test, moved.validation);
  EXPECT_NE(digest_of(parts), digest_of(parts_of(set, moved)));
}

}  // namespace
}  // namespace pathology
