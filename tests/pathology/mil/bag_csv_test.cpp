#include "pathology/mil/bag_csv.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "pathology/mil/scaler.h"
#include "tests/pathology/mil/mil_support.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

BagSet read(const std::string& text, std::vector<std::string>* warnings = nullptr,
            const BagCsvOptions& options = {}) {
  const attn::test::TempFolder folder;
  attn::test::put(folder / "bags.csv", text);
  attn::Hooks hooks;
  if (warnings != nullptr) hooks.warn = [=](std::string_view w) { warnings->emplace_back(w); };
  return read_bag_csv(folder / "bags.csv", options, hooks);
}

std::string refused(const std::string& text) {
  return attn::test::sentence_of([&] { read(text); });
}

TEST(BagCsv, RowsOfABagNeedNotBeAdjacent) {
  const BagSet set = read("bag,label,f0,f1\nb,10,1,2\na,9,3,4\nb,10,5,6.5\n");
  ASSERT_EQ(set.size(), 2);
  EXPECT_EQ(set.bags[0].id, "b");
  EXPECT_EQ(set.bags[0].instances, 2);
  EXPECT_TRUE(at::equal(set.features(0), at::tensor({1.F, 2.F, 5.F, 6.5F}).reshape({2, 2})));
  EXPECT_THAT(set.classes, ElementsAre("9", "10"));  // numbers in numeric order
  EXPECT_EQ(set.bags[0].label, 1);
  EXPECT_EQ(set.bags[1].label, 0);
  EXPECT_THAT(set.feature_names, ElementsAre("f0", "f1"));
  EXPECT_EQ(set.bags[0].patient, "b");
}

TEST(BagCsv, DigestTellsDataApart) {
  const BagSet a = read("bag,label,f0\na,0,1\nb,1,2\n"),
               same = read("bag,label,f0\na,0,1\nb,1,2\n");
  EXPECT_EQ(a.digest, same.digest);
  EXPECT_NE(a.digest, read("bag,label,f0\na,0,1\nb,1,3\n").digest);
  EXPECT_NE(a.digest, read("bag,label,f0\na,1,1\nb,0,2\n").digest);
}

TEST(BagCsv, PatientColumn) {
  const BagSet set = read("case_id,bag,label,f0\np,a,0,1\np,b,1,2\n");
  EXPECT_EQ(set.bags[0].patient, "p");
  EXPECT_EQ(set.bags[1].patient, "p");
  EXPECT_EQ(set.dim, 1);
  EXPECT_THAT(refused("case_id,bag,label,f0\np,a,0,1\nq,a,0,2\n"), HasSubstr("row 3"));
}

TEST(BagCsv, PatientsAreOfTheData) {
  const auto digest = [](const std::string& patients) {
    return read("case_id,bag,label,f0\n" + patients.substr(0, 1) + ",a,0,1\n" + patients.substr(1) +
                ",b,1,2\n")
        .digest;
  };
  EXPECT_EQ(digest("pq"), digest("pq"));
  EXPECT_NE(digest("pq"), digest("pp"));
  // Where none is known, the digest is that of a table without the column.
  EXPECT_EQ(digest("ab"), read("bag,label,f0\na,0,1\nb,1,2\n").digest);
}

TEST(BagCsv, ColumnsAreTakenByTheNamesGiven) {
  const std::string text = "slide,grade,pid,f0\ns1,0,7,1\ns2,1,7,2\n";
  const BagCsvOptions options{.columns = {"slide", "grade", "pid"}};
  const BagSet set = read(text, nullptr, options);
  EXPECT_EQ(set.bags[0].id, "s1");
  EXPECT_EQ(set.bags[1].patient, "7");
  EXPECT_THAT(set.feature_names, ElementsAre("f0"));
  EXPECT_THAT(attn::test::sentence_of([&] {
                read(text, nullptr, {.columns = {"slide", "grade", "patient"}});
              }),
              AllOf(HasSubstr("'patient'"), HasSubstr("slide, grade, pid, f0")));
}

TEST(BagCsv, OfSeveralPatientColumnsOneCountsAndNoneIsAFeature) {
  const std::string text = "bag,label,case_id,patient,f0\na,0,1,8,1\nb,1,1,9,2\n";
  std::vector<std::string> warnings;
  const BagSet first = read(text, &warnings);
  EXPECT_EQ(first.bags[1].patient, "1");
  EXPECT_THAT(first.feature_names, ElementsAre("f0"));
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("'case_id'"), HasSubstr("'patient'"))));
  const BagSet other = read(text, nullptr, {.columns = {.patient_column = "patient"}});
  EXPECT_EQ(other.bags[1].patient, "9");
  EXPECT_THAT(other.feature_names, ElementsAre("f0"));
}

TEST(BagCsv, AnotherColumnOfLabelsOrBagsIsNoFeature) {
  std::vector<std::string> warnings;
  const BagSet set = read("slide_id,grade,label,bag,f0\ns1,0,7,1,1\ns2,1,8,2,2\n", &warnings,
                          {.columns = {"slide_id", "grade", ""}});
  EXPECT_THAT(set.feature_names, ElementsAre("f0"));
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("'grade'"), HasSubstr("'label'")),
                                    AllOf(HasSubstr("'slide_id'"), HasSubstr("'bag'"))));
}

TEST(BagCsv, WhatSaysNothingIsNoClassAndNoPatient) {
  for (const char* missing : {"NA", "N/A", "nan", "NaN", "null", "None", "\"\""})
    EXPECT_THAT(refused(std::string("bag,label,f0\na,0,1\nb,") + missing + ",1\n"),
                AllOf(HasSubstr("row 3"), HasSubstr("the label is missing")));
  const BagSet set = read("case_id,bag,label,f0\nNA,a,0,1\nNA,b,1,2\n");
  EXPECT_EQ(set.bags[0].patient, "a");
  std::vector<std::string> warnings;
  read("bag,label,f0\na,1,1\nb,1.0,2\n", &warnings);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("'1'"), HasSubstr("'1.0'"))));
}

TEST(BagCsv, LabelsMayBeAbsentWhereNoneAreAskedFor) {
  for (const char* text : {"bag,f0\na,1\na,2\n", "bag,label,f0\na,,1\na,1,2\n"}) {
    const BagSet set = read(text, nullptr, {.labelled = false});
    ASSERT_EQ(set.size(), 1);
    EXPECT_EQ(set.bags[0].label, -1);
    EXPECT_EQ(set.dim, 1);
    EXPECT_TRUE(set.classes.empty());
  }
}

TEST(BagCsv, BlanksAroundCellsDoNotCount) {
  const BagSet set = read("bag,label,f0\na,0,1\n\"a \",\"0 \",2\nb,1,3\n");
  EXPECT_EQ(set.size(), 2);
  EXPECT_THAT(set.classes, ElementsAre("0", "1"));
}

TEST(BagCsv, DamageIsOneSentence) {
  EXPECT_THAT(refused("bag,label,f0\na,0,1\na,1,2\n"), AllOf(HasSubstr("row 3"), HasSubstr("'a'")));
  EXPECT_THAT(refused("bag,label,f0\na,0,1\nb,1,nan\n"),
              AllOf(HasSubstr("row 3"), HasSubstr("f0")));
  EXPECT_THAT(refused("bag,label,f0\na,0,x\n"), AllOf(HasSubstr("row 2"), HasSubstr("f0")));
  EXPECT_THAT(refused("bag,f0\na,1\n"), HasSubstr("'label'"));
  EXPECT_THAT(refused("id,label,f0\na,0,1\n"), HasSubstr("'bag'"));
  EXPECT_THAT(refused("bag,label\na,0\n"), HasSubstr("feature"));
  EXPECT_THAT(refused("bag,label,f0\n"), HasSubstr("no rows"));
  EXPECT_THAT(refused(""), HasSubstr("bags.csv"));
  EXPECT_THAT(refused("bag,label,f0\n,0,1\n"), HasSubstr("row 2"));
  EXPECT_THAT(refused("bag,label,f0\na,,1\n"), HasSubstr("label"));
  EXPECT_THAT(refused("bag,label,f0\na,0,1,7\n"), HasSubstr("bags.csv"));
}

TEST(BagCsv, OneClassIsReadWithAWarning) {
  std::vector<std::string> warnings;
  const BagSet set = read("bag,label,f0\na,0,1\nb,0,2\n", &warnings);
  EXPECT_EQ(set.classes.size(), 1U);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("two classes")));
}

TEST(BagCsv, ReadsTheClassicalSets) {
  const auto path = attn::test::shared_data("pathology/mil/musk1.csv");
  ATTN_NEED_SHARED_DATA(path);
  const BagSet set = read_bag_csv(path, {}, {});
  EXPECT_EQ(set.size(), 92);  // bags, instances and columns as in the data's description
  EXPECT_EQ(set.dim, 166);
  int64_t instances = 0, positive = 0;
  for (const Bag& bag : set.bags) instances += bag.instances, positive += bag.label;
  EXPECT_EQ(instances, 476);
  EXPECT_EQ(positive, 47);
}

TEST(Labels, TableIsCheckedAndColumnsAreFound) {
  const attn::test::TempFolder folder;
  const auto read_text = [&](const std::string& text, const LabelOptions& options = {}) {
    attn::test::put(folder / "labels.csv", text);
    return read_labels(folder / "labels.csv", options);
  };
  const LabelTable t = read_text("case_id,slide_id,label\np,a,tumour\np,b,normal\n");
  EXPECT_THAT(t.ids, ElementsAre("a", "b"));
  EXPECT_THAT(t.patients, ElementsAre("p", "p"));
  EXPECT_THAT(read_text("slide_id,label\na,x\nb,NA\nc,nan\n").labels, ElementsAre("x", "", ""));
  EXPECT_THAT(read_text("slide,grade,label\na,3,x\n", {"", "grade", ""}).labels, ElementsAre("3"));
  const auto why = [&](const std::string& text, const LabelOptions& options = {}) {
    return attn::test::sentence_of([&] { read_text(text, options); });
  };
  EXPECT_THAT(why("slide_id,grade\na,3\n"), HasSubstr("label"));
  EXPECT_THAT(why("slide_id,grade\na,3\n", {"", "grad", ""}), HasSubstr("did you mean 'grade'"));
  EXPECT_THAT(why("name,label\na,3\n"), HasSubstr("slide_id"));
  EXPECT_THAT(why("slide_id,label\na,1\na,2\n"), HasSubstr("second time"));
  EXPECT_THAT(class_names({"b", "a", "b"}), ElementsAre("a", "b"));
  EXPECT_THAT(class_names({"10", "9", "-1"}), ElementsAre("-1", "9", "10"));
}

TEST(Scaler, StandardisesTrainingBagsOnlyAndZeroesConstants) {
  BagSet set = test::toy_set(12, 2, 4);
  for (Bag& bag : set.bags) {
    bag.features.select(1, 3).fill_(0.1F);
    bag.features.select(1, 2).mul_(1000).add_(5000);
  }
  std::vector<int64_t> items;
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < 9; ++i) {
    items.push_back(i);
    rows.push_back(set.features(i));
  }
  const Scaler scaler = fit_scaler(set, items);
  const at::Tensor all = at::cat(rows).to(at::kDouble), x = scaler.apply(all);
  EXPECT_LT(x.mean(0).abs().max().item<double>(), 1e-12);
  const at::Tensor sd = x.std(0, /*unbiased=*/false);
  for (int64_t c = 0; c < 3; ++c) EXPECT_NEAR(sd[c].item<double>(), 1, 1e-12);
  EXPECT_TRUE(x.select(1, 3).eq(0).all().item<bool>());
  EXPECT_NEAR(scaler.mean[2].item<double>(), all.select(1, 2).mean().item<double>(), 1e-9);
  const at::Tensor clipped = fit_scaler(set, items, 0.5).apply(all);
  EXPECT_TRUE(at::equal(clipped, x.clamp(-0.5, 0.5)));
  set.bags[11].features.fill_(1e9);  // no training bag
  EXPECT_TRUE(at::equal(fit_scaler(set, items).mean, scaler.mean));
}

}  // namespace
}  // namespace pathology
