#include "pathology/mil/mil_run.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "libattn/io/table.h"
#include "pathology/mil/bag_csv.h"
#include "pathology/mil/cross_validation.h"
#include "tests/pathology/mil/mil_support.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

using testing::AllOf;
using testing::HasSubstr;

MilConfig quick(int64_t epochs = 20) {
  MilConfig c;
  c.model.hidden = 16;
  c.model.dropout = 0;
  c.model.attention = 8;
  c.optimisation.epochs = epochs;
  c.optimisation.lr = 3e-3;
  c.optimisation.seed = 4;
  return c;
}

bool same_model(const MilModel& a, const MilModel& b) {
  for (size_t i = 0; i < a.parameters().size(); ++i)
    if (!at::equal(a.parameters()[i].second, b.parameters()[i].second)) return false;
  return true;
}

/// The toy set as a CSV file, so that a run can find its bags again.
std::filesystem::path put_csv(const attn::test::TempFolder& folder, int64_t bags,
                              int64_t classes = 2, const std::string& prefix = "") {
  const BagSet set = test::toy_set(bags, classes);
  std::string text = "bag,label,f0,f1,f2,f3,f4\n";
  for (const Bag& bag : set.bags) {
    for (int64_t n = 0; n < bag.instances; ++n) {
      text += prefix + bag.id + "," + set.classes[static_cast<size_t>(bag.label)];
      for (int64_t d = 0; d < set.dim; ++d)
        text.append(",").append(std::to_string(bag.features[n][d].item<float>()));
      text += "\n";
    }
  }
  attn::test::put(folder / "bags.csv", text);
  return folder / "bags.csv";
}

TEST(Fit, LearnsTheToyWithEveryModel) {
  for (const Pooling pooling :
       {Pooling::mean, Pooling::max, Pooling::abmil_plain, Pooling::abmil}) {
    for (const int64_t classes : {2, 3}) {
      const BagSet set = test::toy_set(60, classes);
      MilConfig c = quick();
      c.model.pooling = pooling;
      c.aem.weight = has_attention(pooling) ? 0.05 : 0;
      const Split split = split_bags(set, {});
      const FitResult r = fit(set, split, c, {}, {});
      const auto m = attn::train::classification_metrics(
          metrics_input(set, predict_bags(r.fitted, set, split.test, {})));
      EXPECT_GT(m.auc, 0.9) << to_string(pooling) << " " << classes;
    }
  }
}

TEST(Fit, EntropyTermSpreadsAttention) {
  const BagSet set = test::toy_set(60);
  const Split split = split_bags(set, {});
  const auto entropy = [&](double weight) {
    MilConfig c = quick();
    c.aem.weight = weight;
    const auto predictions = predict_bags(fit(set, split, c, {}, {}).fitted, set, split.test, {});
    double sum = 0;
    for (const BagPrediction& p : predictions) sum += p.normalised_entropy;
    return sum / static_cast<double>(predictions.size());
  };
  EXPECT_GT(entropy(0.3), entropy(0) + 0.1);
}

TEST(Fit, WeightZeroIsPlainAbmilBitForBit) {
  const BagSet set = test::toy_set(20);
  const Split split = split_bags(set, {});
  MilConfig plain = quick(4), zero = quick(4), other = quick(4);
  zero.aem = {0, attn::nn::WeightSchedule::cosine};
  other.optimisation.seed = 5;
  const MilModel a = fit(set, split, plain, {}, {}).fitted.model;
  EXPECT_TRUE(same_model(a, fit(set, split, zero, {}, {}).fitted.model));
  EXPECT_FALSE(same_model(a, fit(set, split, other, {}, {}).fitted.model));
}

TEST(Fit, ValidationChoosesTheEpoch) {
  const BagSet set = test::toy_set(60);
  MilConfig c = quick(40);
  c.optimisation.lr = 0.05;  // overfits soon
  c.optimisation.patience = 3;
  const FitResult r = fit(set, split_bags(set, {}), c, {}, {});
  const auto& history = r.training.history;
  double best = -std::numeric_limits<double>::infinity();
  int64_t where = -1;
  for (const auto& e : history)
    if (e.score > best) best = e.score, where = e.epoch;
  EXPECT_EQ(r.training.best_epoch, where);
  EXPECT_TRUE(r.training.stopped_early);
  EXPECT_EQ(static_cast<int64_t>(history.size()), where + 4);
  EXPECT_EQ(history[0].validation_columns.size(), 4U);
}

TEST(Fit, SubsamplingAndDropoutAreReproducible) {
  const BagSet set = test::toy_set(20);
  const Split split = split_bags(set, {});
  MilConfig c = quick(3), whole = quick(3);
  c.subsampling = 0.5;
  c.model.dropout = 0.3;
  const MilModel a = fit(set, split, c, {}, {}).fitted.model;
  EXPECT_TRUE(same_model(a, fit(set, split, c, {}, {}).fitted.model));
  EXPECT_FALSE(same_model(a, fit(set, split, whole, {}, {}).fitted.model));
  c.subsampling = 0;
  EXPECT_THROW(fit(set, split, c, {}, {}), attn::UsageError);
}

TEST(Fit, RefusesWhatHasNoEffect) {
  MilConfig c = quick();
  c.model.pooling = Pooling::mean;
  EXPECT_NO_THROW(check(c));
  c.aem.weight = 0.5;
  EXPECT_THAT(attn::test::sentence_of([&] { check(c); }),
              AllOf(HasSubstr("0.5"), HasSubstr("mean has no attention")));
  c = quick(1);
  c.optimisation.min_epochs = 50;
  EXPECT_THROW(fit(test::toy_set(20), split_bags(test::toy_set(20), {}), c, {}, {}),
               attn::UsageError);
  nlohmann::json j = quick();
  j["optimisation"]["optimiser"] = "adam";
  EXPECT_THAT(attn::test::sentence_of([&] { j.get<MilConfig>(); }), HasSubstr("'adam'"));
}

TEST(Fit, NaNLossNamesTheBag) {
  BagSet set = test::toy_set(20);
  MilConfig c = quick(3);
  c.standardise = false;
  const Split split = split_bags(set, {});
  const auto bad = static_cast<size_t>(split.train[2]);
  set.bags[bad].features =
      set.bags[bad].features.clone().fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(attn::test::sentence_of([&] { fit(set, split, c, {}, {}); }),
              AllOf(HasSubstr("'" + set.bags[bad].id + "'"), HasSubstr("epoch 1")));
}

TEST(TrainRun, WritesARunThatEvaluateNeedsNothingElseFor) {
  const attn::test::TempFolder folder;
  const BagSet set = load_bags(put_csv(folder, 60), "", {}, {});
  TrainRunOptions o;
  o.config = quick();
  o.config.aem.weight = 0.1;
  o.bootstrap = 100;
  const TrainRunResult trained = train_run(set, o, folder / "run", {});
  EXPECT_THAT(attn::test::listing(folder / "run"),
              testing::ElementsAre("metrics.csv", "model.safetensors", "predictions.csv",
                                   "source.json", "splits.csv"));
  EXPECT_GT(trained.metrics.at("test").at("auc").get<double>(), 0.9);
  EXPECT_EQ(trained.metrics.at("test").at("n"), 12);
  EvaluateOptions evaluate;
  evaluate.bootstrap = 100;
  evaluate.seed = o.config.optimisation.seed;
  const EvaluateResult again = evaluate_run(folder / "run", evaluate, {});
  EXPECT_EQ(again.metrics.at("test"), trained.metrics.at("test"));
  EXPECT_EQ(again.metrics.at("validation"), trained.metrics.at("validation"));
  EXPECT_EQ(again.predictions.size(), 24U);
  const auto table = attn::io::Table::read(folder / "run" / "predictions.csv");
  EXPECT_EQ(table.rows(), 60);
  EXPECT_TRUE(table.has("attention_entropy_normalised"));
  // No bag, no patient and no place is named in the model file.
  EXPECT_THAT(
      attn::test::slurp(folder / "run" / "model.safetensors"),
      AllOf(testing::Not(HasSubstr("bag17")), testing::Not(HasSubstr(folder.path().string()))));
}

TEST(TrainRun, ModelsThatRecordOneSlidesGeometryFitOtherSlides) {
  const attn::test::TempFolder folder;
  BagSet set = test::toy_set(30);
  const auto shared = nlohmann::json::parse(R"({"kind":"features","tiles":{"tile":{"mpp":1.0}}})");
  set.preprocessing = shared;
  set.preprocessing["tiles"]["geometry"] = {{"footprint", 512}};  // as older models have it
  TrainRunOptions o;
  o.config = quick(2);
  train_run(set, o, folder / "run", {});
  const auto path = folder / "run" / "model.safetensors";
  const MilModelFile model = load_mil_model(path);
  EXPECT_EQ(model.preprocessing, shared);
  set.preprocessing = shared;
  EXPECT_NO_THROW(check_compatible(model, path, set));
}

TEST(TrainRun, EvaluatesOtherBags) {
  const attn::test::TempFolder folder, other;
  TrainRunOptions o;
  o.config = quick(3);
  train_run(load_bags(put_csv(folder, 40), "", {}, {}), o, folder / "run", {});
  EvaluateOptions e;
  e.bags = put_csv(other, 10, 2, "other-");
  EXPECT_EQ(evaluate_run(folder / "run", e, {}).metrics.at("test").at("n"), 10);
  e.bags = put_csv(other, 12, 3, "other-");
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(folder / "run", e, {}); }),
              HasSubstr("'class2'"));
  attn::test::put(e.bags, "bag,label,f1,f0,f2,f3,f4\na,class0,1,2,3,4,5\nb,class1,1,2,3,4,5\n");
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(folder / "run", e, {}); }),
              HasSubstr("feature 0 is 'f1' against 'f0'"));
  attn::test::put(e.bags, "bag,label,f0\na,class0,1\nb,class1,1\n");
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(folder / "run", e, {}); }),
              HasSubstr("1 features"));
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(folder / "none", {}, {}); }),
              HasSubstr("none"));
}

TEST(TrainRun, BagsThatWereTrainedOnAreNoTest) {
  const attn::test::TempFolder folder;
  TrainRunOptions o;
  o.config = quick(3);
  const auto bags = put_csv(folder, 40);
  train_run(load_bags(bags, "", {}, {}), o, folder / "run", {});
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  EvaluateOptions e;
  e.bags = bags;
  e.bootstrap = 0;
  const EvaluateResult all = evaluate_run(folder / "run", e, hooks);
  EXPECT_EQ(all.metrics,
            evaluate_run(folder / "run",
                         {.bags = {}, .labels = {}, .label_options = {}, .bootstrap = 0}, {})
                .metrics);
  EXPECT_EQ(all.metrics.at("test").at("n"), 8);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("24 bags are left out")));
  warnings.clear();
  evaluate_run(folder / "run/model.safetensors", e, hooks);  // without a split beside it
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("no test")));
  e.bags.clear();
  e.labels = "nosuch.csv";
  EXPECT_THROW(evaluate_run(folder / "run", e, {}), attn::UsageError);
}

TEST(TrainRun, OtherBagsOfTrainedPatientsAreNoTest) {
  const attn::test::TempFolder folder;
  BagSet set = test::toy_set(40, 2, 5, true);
  TrainRunOptions o;
  o.config = quick(3);
  train_run(set, o, folder / "run", {});
  // A second cohort: each bag under a new name, every patient but two known from the training.
  std::string text = "bag,case_id,label,f0,f1,f2,f3,f4\n";
  for (size_t i = 0; i < set.bags.size(); i += 2)
    text += "again-" + set.bags[i].id + "," + set.bags[i].patient + ",class" +
            std::to_string(set.bags[i].label) + ",1,2,3,4,5\n";
  text += "fresh0,p0,class0,1,2,3,4,5\nfresh1,p1,class1,5,4,3,2,1\n";
  attn::test::put(folder / "bags.csv", text);
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  EvaluateOptions e;
  e.bags = folder / "bags.csv";
  e.bootstrap = 0;
  EXPECT_EQ(evaluate_run(folder / "run", e, hooks).metrics.at("test").at("n"), 2 + 4);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("12 bags are left out")));
  warnings.clear();
  evaluate_run(folder / "run/model.safetensors", e, hooks);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("does not tell which bags")));
}

TEST(TrainRun, PatientsToldOnOneSideOnlyAreWarnedOf) {
  const attn::test::TempFolder folder;
  const std::string head = "bag,case_id,label,f0,f1,f2,f3,f4\n";
  const std::string rows = "new0,p0,class0,1,2,3,4,5\nnew1,p0,class1,5,4,3,2,1\n";
  attn::test::put(folder / "with.csv", head + rows);
  attn::test::put(folder / "without.csv",
                  "bag,label,f0,f1,f2,f3,f4\nnew0,class0,1,2,3,4,5\nnew1,class1,5,4,3,2,1\n");
  for (const bool trained_with : {true, false}) {
    TrainRunOptions o;
    o.config = quick(2);
    const auto run = folder / (trained_with ? "with" : "without");
    train_run(test::toy_set(40, 2, 5, trained_with), o, run, {});
    for (const bool evaluated_with : {true, false}) {
      std::vector<std::string> warnings;
      attn::Hooks hooks;
      hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
      EvaluateOptions e;
      e.bags = folder / (evaluated_with ? "with.csv" : "without.csv");
      e.bootstrap = 0;
      EXPECT_EQ(evaluate_run(run, e, hooks).metrics.at("test").at("n"), 2);
      EXPECT_EQ(warnings.size(), trained_with == evaluated_with ? 0U : 1U);
      for (const std::string& warning : warnings)
        EXPECT_THAT(warning, HasSubstr("are not left out"));
    }
  }
}

TEST(TrainRun, AFinishedRunStandsWithAllItsFiles) {
  const attn::test::TempFolder folder;
  TrainRunOptions o;
  o.config = quick(2);
  const auto run = folder / "run";
  EXPECT_FALSE(training_stands(run));
  train_run(test::toy_set(20), o, run, {});
  EXPECT_TRUE(training_stands(run));
  for (const auto& file : files_of_training(run)) {
    const std::string kept = attn::test::slurp(file);
    std::filesystem::remove(file);
    EXPECT_FALSE(training_stands(run)) << file;
    attn::test::put(file, kept);
  }
  EXPECT_TRUE(training_stands(run));
}

TEST(TrainRun, AModelThatCannotBeReadIsNotCalledDamaged) {
  const attn::test::TempFolder folder;
  std::filesystem::create_symlink("model.safetensors", folder / "model.safetensors");
  EXPECT_THROW(is_whole_model(folder / "model.safetensors"), attn::StorageError);  // ELOOP
}

TEST(TrainRun, ModelsWithoutAttentionHaveNoEntropy) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(20);
  TrainRunOptions o;
  o.config = quick(2);
  o.config.model.pooling = Pooling::mean;
  const TrainRunResult run = train_run(set, o, folder / "run", {});
  EXPECT_TRUE(run.metrics.at("test").at("entropy").is_null());
  EXPECT_TRUE(std::isnan(run.predictions[0].normalised_entropy));
  EXPECT_TRUE(is_whole_model(folder / "run/model.safetensors"));
  attn::test::put(folder / "run/model.safetensors", "cut off");
  EXPECT_FALSE(is_whole_model(folder / "run/model.safetensors"));
}

TEST(TrainRun, AStoppedRetrainingLeavesNothingToEvaluate) {
  const attn::test::TempFolder folder;
  const BagSet set = load_bags(put_csv(folder, 40), "", {}, {});
  TrainRunOptions o;
  o.config = quick(3);
  const auto run = folder / "run", model = run / "model.safetensors";
  train_run(set, o, run, {});
  const std::string old = attn::test::slurp(model);
  attn::Hooks hooks;
  const std::atomic<bool> stop = true;
  hooks.stop = &stop;
  o.config.optimisation.seed = 99;  // another split
  EXPECT_THROW(train_run(set, o, run, hooks), attn::Interrupted);
  EXPECT_FALSE(std::filesystem::exists(model));
  EXPECT_FALSE(std::filesystem::exists(run / "predictions.csv"));
  EXPECT_EQ(attn::test::slurp(run / "model.safetensors.stale"), old);
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(run, {}, {}); }),
              HasSubstr("holds no model.safetensors"));
  // The old model put back beside the new split.
  attn::test::put(model, old);
  EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(run, {}, {}); }),
              AllOf(HasSubstr("splits.csv"), HasSubstr("not the split")));
  for (const char* status : {"running", "interrupted"}) {
    attn::test::put(run / "run.json", std::string(R"({"status":")") + status + "\"}");
    EXPECT_THAT(attn::test::sentence_of([&] { evaluate_run(run, {}, {}); }),
                HasSubstr("has not ended"));
  }
  std::filesystem::remove(run / "run.json");
  train_run(set, o, run, {});
  EXPECT_FALSE(std::filesystem::exists(run / "model.safetensors.stale"));
  EXPECT_NO_THROW(evaluate_run(run, {}, {}));
}

TEST(TrainRun, AFinishedRunIsOfItsPatientsAndItsSplit) {
  BagSet set = test::toy_set(40);
  const attn::test::TempFolder folder;
  TrainRunOptions o;
  o.config = quick(2);
  const MilModelFile model = train_run(set, o, folder / "run", {}).model;
  EXPECT_TRUE(trained_on(model, set, split_for(set, o)));
  // Another split under the same name.
  o.split_file = folder / "given.csv";
  Split split = split_bags(set, {});
  write_splits(o.split_file, set, split);
  const MilModelFile given = train_run(set, o, folder / "run", {}).model;
  EXPECT_TRUE(trained_on(given, set, split_for(set, o)));
  std::swap(split.test, split.validation);
  write_splits(o.split_file, set, split);
  EXPECT_FALSE(trained_on(given, set, split_for(set, o)));
  set.digest += "other patients";
  EXPECT_FALSE(trained_on(model, set, split_for(set, {})));
}

TEST(TrainRun, ANewSlideDoesNotStopTheEvaluation) {
  const attn::test::TempFolder folder;
  const auto bags = put_csv(folder, 40);
  TrainRunOptions o;
  o.config = quick(2);
  train_run(load_bags(bags, "", {}, {}), o, folder / "run", {});
  attn::test::put(bags, attn::test::slurp(bags) + "fresh,class0,1,2,3,4,5\n");
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  EXPECT_EQ(evaluate_run(folder / "run", {}, hooks).metrics.at("test").at("n"), 8);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("have changed")));
}

TEST(TrainRun, InterruptedAndResumedIsTheUndisturbedRun) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(40);
  TrainRunOptions o;
  o.config = quick(6);
  o.config.model.dropout = 0.2;
  o.config.subsampling = 0.7;
  o.checkpoint_seconds = 0;
  train_run(set, o, folder / "a", {});
  std::atomic<bool> stop = false;
  attn::Hooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](std::string_view what, int64_t done, int64_t) {
    if (what == "epochs" && done == 3) stop = true;
  };
  EXPECT_THROW(train_run(set, o, folder / "b", hooks), attn::Interrupted);
  EXPECT_TRUE(std::filesystem::exists(folder / "b" / "checkpoint.safetensors"));
  EXPECT_EQ(train_run(set, o, folder / "b", {}).training.resumed_at, 3 * 24);
  for (const char* name : {"model.safetensors", "metrics.csv", "predictions.csv", "splits.csv"})
    EXPECT_EQ(attn::test::slurp(folder / "a" / name), attn::test::slurp(folder / "b" / name))
        << name;
}

TEST(TrainRun, OtherSettingsStartAnewWithAWarning) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(40);
  TrainRunOptions o;
  o.config = quick(4);
  std::atomic<bool> stop = true;
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.stop = &stop;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  EXPECT_THROW(train_run(set, o, folder / "run", hooks), attn::Interrupted);
  stop = false;
  o.config.optimisation.lr = 1e-3;
  EXPECT_EQ(train_run(set, o, folder / "run", hooks).training.resumed_at, 0);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("anew")));
}

TEST(ModelFileOfMil, ComesBackAndPredictsTheSame) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(30, 3);
  const Split split = split_bags(set, {});
  MilConfig c = quick(3);
  c.model.pooling = Pooling::abmil_plain;
  const FitResult r = fit(set, split, c, {}, {});
  const MilModelFile file{r.fitted,      c,           set.classes, {}, {{"encoder", "e"}},
                          {{"seed", 4}}, {{"auc", 1}}};
  save_mil_model(folder / "m.safetensors", file);
  const MilModelFile back = load_mil_model(folder / "m.safetensors");
  EXPECT_TRUE(same_model(back.fitted.model, r.fitted.model));
  EXPECT_EQ(predict_bag(back.fitted, set, 3).probability,
            predict_bag(r.fitted, set, 3).probability);
  EXPECT_EQ(back.preprocessing, file.preprocessing);
  EXPECT_EQ(back.classes, set.classes);
  BagSet foreign = set;
  foreign.preprocessing = {{"encoder", "f"}};
  EXPECT_THAT(attn::test::sentence_of([&] { check_compatible(back, "m.safetensors", foreign); }),
              HasSubstr("/encoder"));
  const std::string bytes = attn::test::slurp(folder / "m.safetensors");
  for (const auto& [what, broken] : attn::test::broken_versions(bytes)) {
    attn::test::put(folder / "b.safetensors", broken);
    attn::test::sentence_of([&] { load_mil_model(folder / "b.safetensors"); });
  }
}

TEST(ModelFileOfMil, RefusesNaNTwinsAndImpossibleWidths) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(30);
  const FitResult r = fit(set, split_bags(set, {}), quick(2), {}, {});
  MilModelFile file{r.fitted, quick(2), set.classes, {}, {}, {}, {}};
  const auto refused = [&](const MilModelFile& model) {
    save_mil_model(folder / "m.safetensors", model);
    return attn::test::sentence_of([&] { load_mil_model(folder / "m.safetensors"); });
  };
  MilModelFile broken = file;
  broken.classes = {"a", "a"};
  EXPECT_THAT(refused(broken), HasSubstr("same name"));
  broken = file;
  broken.fitted.scaler.mean =
      at::full({set.dim}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  EXPECT_THAT(refused(broken), HasSubstr("scaler.mean"));
  broken = file;
  broken.fitted.model.parameters()[1].second.fill_(std::numeric_limits<float>::infinity());
  EXPECT_THAT(refused(broken), HasSubstr("classifier.weight"));
  // A width that would take 96 GB is compared with the tensors before anything is allocated.
  ModelConfig wide = r.fitted.model.config();
  wide.hidden = 2'000'000'000;
  EXPECT_THAT(attn::test::sentence_of([&] { MilModel(wide, r.fitted.model.parameters()); }),
              AllOf(HasSubstr("embed.weight"), HasSubstr("2000000000")));
}

TEST(Predict, AnAnswerThatIsNotFiniteIsNoDiagnosis) {
  BagSet set = test::toy_set(30);
  MilConfig c = quick(2);
  c.standardise = false;
  const FitResult r = fit(set, split_bags(set, {}), c, {}, {});
  set.bags[4].features = at::full_like(set.bags[4].features, 3e38);
  EXPECT_THAT(attn::test::sentence_of([&] { predict_bag(r.fitted, set, 4); }),
              AllOf(HasSubstr("'bag4'"), HasSubstr("not a finite number")));
}

TEST(Predict, BagsOfAPatientAreOneGroup) {
  const BagSet set = test::toy_set(12, 2, 5, true);
  const FitResult r = fit(set, split_bags(set, {}), quick(1), {}, {});
  const std::vector<int64_t> items{0, 1, 2, 5, 3};
  const auto input = metrics_input(set, predict_bags(r.fitted, set, items, {}));
  EXPECT_THAT(input.group, testing::ElementsAre(0, 0, 1, 2, 1));
}

TEST(Predict, AttentionSumsToOneForEveryModel) {
  const BagSet set = test::toy_set(12);
  for (const Pooling pooling :
       {Pooling::mean, Pooling::max, Pooling::abmil_plain, Pooling::abmil}) {
    MilConfig c = quick(2);
    c.model.pooling = pooling;
    const FitResult r = fit(set, split_bags(set, {}), c, {}, {});
    const at::Tensor a = bag_attention(r.fitted, set.features(4));
    EXPECT_EQ(a.size(0), set.bags[4].instances);
    EXPECT_NEAR(a.sum().item<double>(), 1, 1e-6);
    const BagPrediction p = predict_bag(r.fitted, set, 4);
    if (!has_attention(pooling)) {
      EXPECT_TRUE(std::isnan(p.entropy));
    } else {
      EXPECT_NEAR(p.entropy, -(a * a.log()).sum().item<double>(), 1e-5);
    }
  }
}

TEST(CrossValidation, DoesNotDependOnThreadsAndTestsEveryBag) {
  const BagSet set = test::toy_set(30);
  CrossValidationOptions o;
  o.config = quick(3);
  o.folds = 5;
  o.repeats = 2;
  const CrossValidationResult one = cross_validate(set, o, {});
  o.threads = 2;
  const CrossValidationResult two = cross_validate(set, o, {});
  ASSERT_EQ(one.repeats.size(), 2U);
  for (size_t r = 0; r < 2; ++r) {
    for (size_t b = 0; b < 30; ++b) {
      EXPECT_EQ(one.repeats[r].predictions[b].bag, static_cast<int64_t>(b));
      EXPECT_EQ(one.repeats[r].predictions[b].probability,
                two.repeats[r].predictions[b].probability);
    }
  }
  EXPECT_EQ(one.auc.mean, two.auc.mean);
  EXPECT_NE(one.repeats[0].fold, one.repeats[1].fold);
}

TEST(CrossValidation, NeverLooksAtTheTestFold) {
  // The labels of fold 1's test bags turned round: that fold's probabilities do not move.
  BagSet set = test::toy_set(30);
  CrossValidationOptions o;
  o.config = quick(3);
  o.folds = 5;
  o.repeats = 1;
  o.validation = 0.2;
  const CrossValidationResult before = cross_validate(set, o, {});
  for (size_t b = 0; b < 30; ++b)
    if (before.repeats[0].fold[b] == 1) set.bags[b].label = 1 - set.bags[b].label;
  const CrossValidationResult after = cross_validate(set, o, {});
  int64_t checked = 0;
  for (size_t b = 0; b < 30; ++b) {
    if (before.repeats[0].fold[b] != 1) continue;
    EXPECT_EQ(before.repeats[0].predictions[b].probability,
              after.repeats[0].predictions[b].probability);
    ++checked;
  }
  EXPECT_EQ(checked, 6);
}

TEST(CrossValidation, TakesFinishedFoldsFromItsCache) {
  const attn::test::TempFolder folder;
  const BagSet set = test::toy_set(30);
  CrossValidationOptions o;
  o.config = quick(3);
  o.folds = 5;
  o.repeats = 1;
  const CrossValidationResult plain = cross_validate(set, o, {});
  o.cache = folder / "folds";
  cross_validate(set, o, {});
  EXPECT_EQ(attn::test::listing(o.cache).size(), 5U);
  attn::test::put(o.cache / "repeat1-fold2.json", "{ cut");
  std::filesystem::remove(o.cache / "repeat1-fold4.json");
  const CrossValidationResult again = cross_validate(set, o, {});
  for (size_t b = 0; b < 30; ++b)
    EXPECT_EQ(plain.repeats[0].predictions[b].probability,
              again.repeats[0].predictions[b].probability);
  write_cv_predictions(folder / "cv.csv", set, again);
  EXPECT_EQ(attn::io::Table::read(folder / "cv.csv").rows(), 30);
  const nlohmann::json j = to_json(again, set, o);
  EXPECT_TRUE(j.at("auc").at("sd").is_null());  // one repeat has no spread
  EXPECT_NEAR(j.at("accuracy").at("mean").get<double>(), again.accuracy.mean, 0);
}

TEST(CrossValidation, AFoldOfOneClassIsToldBeforeAnyIsTrained) {
  BagSet set = test::toy_set(30);
  for (size_t i = 0; i < set.bags.size(); ++i) set.bags[i].label = i == 7 ? 1 : 0;
  CrossValidationOptions o;
  o.config = quick(1);
  o.folds = 5;
  attn::Hooks hooks;
  hooks.progress = [](std::string_view, int64_t, int64_t) { FAIL() << "something was trained"; };
  EXPECT_THAT(attn::test::sentence_of([&] { cross_validate(set, o, hooks); }),
              AllOf(HasSubstr("of repeat 1"), HasSubstr("'class0'"), HasSubstr("--stratified")));
}

TEST(CrossValidation, StopsWhenAsked) {
  const BagSet set = test::toy_set(30);
  CrossValidationOptions o;
  o.config = quick(500);
  o.threads = 2;
  std::atomic<bool> stop = true;
  attn::Hooks hooks;
  hooks.stop = &stop;
  EXPECT_THROW(cross_validate(set, o, hooks), attn::Interrupted);
  o.folds = 31;
  EXPECT_THROW(cross_validate(set, o, {}), attn::Error);
}

}  // namespace
}  // namespace pathology
