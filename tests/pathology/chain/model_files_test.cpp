// What a trained model leaves of slides and bags: predictions and heat maps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pathology/chain/bag_inputs.h"
#include "pathology/chain/describe.h"
#include "pathology/chain/heatmap_files.h"
#include "pathology/chain/prediction_files.h"
#include "pathology/chain/slide_files.h"
#include "pathology/chain/slides_of_run.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/mil/mil_run.h"
#include "tests/pathology/mil/mil_support.h"
#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

/// Slides a and b, features of both, and a model of their kind.
class ModelFiles : public testing::Test {
 protected:
  ModelFiles() {
    job_.tile.size = 64;
    job_.tile.mpp = 1;
    for (const char* id : {"a", "b"}) {
      draw(id, id[0] == 'a' ? 300 : 400);
      const Slide slide = open(id);
      write_tile_files(tile_files(folder_ / "tiles", id), slide, job_, 1, {});
      fs::create_directories(folder_ / "features");
      write_feature_file(features(id), {folder_ / "tiles/patches" / (std::string(id) + ".h5"), {}},
                         {.encoder = *encoder_, .slides = {}, .slide_mpp = {}}, 1, {});
    }
    const FeatureFile file = read_feature_file(features("a"));
    BagSet set = test::toy_set(20, 2, file.bag.features.size(1));
    set.preprocessing = file.preprocessing;
    set.feature_names = file.feature_names;
    TrainRunOptions options;
    options.config.model.hidden = 8;
    options.config.model.attention = 8;
    options.config.optimisation.epochs = 1;
    train_run(set, options, folder_ / "run", {});
    model_ = std::make_unique<TrainedModel>(load_trained_model(folder_ / "run"));
  }
  void draw(const std::string& id, int radius) const {
    test::write_tiff(folder_ / (id + ".tif"),
                     {test::draw_tissue(1024, 1024, {{{500, 500}, radius}})});
  }
  Slide open(const std::string& id) const { return Slide::open(folder_ / (id + ".tif")); }
  fs::path features(const std::string& id) const { return folder_ / "features" / (id + ".h5"); }

  const test::TempFolder folder_;
  const std::unique_ptr<Encoder> encoder_ = make_encoder("stain-stats-v1");
  TileJob job_{tissue_preset("biopsy"), {}, kMaxUnreadable};
  std::unique_ptr<TrainedModel> model_;
};

TEST_F(ModelFiles, PredictionsAreKeptAndReadAgain) {
  const SlidePipeline pipeline = model_->pipeline(kMaxUnreadable);
  const auto a = folder_ / "a.json", b = folder_ / "b.json";
  const nlohmann::json record = predict_slide(*model_, pipeline, {}, open("a"), 1, {});
  attn::test::put(a, record.dump());
  attn::test::put(b, predict_bag_file(*model_, {"b", features("b")}, {}).dump());
  EXPECT_TRUE(predictions_current(a, prediction_config(*model_, pipeline, open("a")), 0));
  EXPECT_TRUE(predictions_current(b, prediction_config(*model_, {"b", features("b")}), 0));
  EXPECT_FALSE(predictions_current(a, prediction_config(*model_, pipeline, open("b")), 0));
  TrainedModel other{model_->file, model_->model, "another digest"};
  EXPECT_FALSE(predictions_current(b, prediction_config(other, {"b", features("b")}), 0));
  nlohmann::json half_read = record;
  half_read["predictions"][0]["unreadable"] = 0.2;
  attn::test::put(folder_ / "half.json", half_read.dump());
  const nlohmann::json config = prediction_config(*model_, pipeline, open("a"));
  EXPECT_FALSE(predictions_current(folder_ / "half.json", config, 0.1));
  EXPECT_TRUE(predictions_current(folder_ / "half.json", config, 0.2));

  const PredictionTable table = read_predictions({a, b}, model_->model.classes);
  ASSERT_EQ(table.set.size(), 2);
  EXPECT_EQ(table.set.bags[1].id, "b");
  const BagSet bag = single_bag(read_features(features("b")));
  const BagPrediction direct = predict_bag(model_->model.fitted, bag, 0);
  EXPECT_EQ(table.predictions[1].probability, direct.probability);
  EXPECT_EQ(table.predictions[1].entropy, direct.entropy);
  EXPECT_EQ(table.predictions[1].predicted, direct.predicted);
  EXPECT_THAT(sentence_of([&] {
                read_predictions({a, a}, model_->model.classes);
              }),
              HasSubstr("two bags are named 'a'"));
}

TEST_F(ModelFiles, SlidesGoBeforeTheFeaturesBeneathThem) {
  EXPECT_TRUE(holds_bags(folder_ / "features"));
  EXPECT_FALSE(holds_bags(folder_.path())) << "its slides, not those of features/";
  fs::create_directories(folder_ / "mixed");
  fs::copy_file(features("a"), folder_ / "mixed/a.h5");
  EXPECT_TRUE(holds_bags(folder_ / "mixed"));
  fs::copy_file(folder_ / "b.tif", folder_ / "mixed/b.tif");
  EXPECT_THROW(holds_bags(folder_ / "mixed"), attn::UsageError);
}

TEST_F(ModelFiles, FeaturesOfOtherProgramsTilesBearTheSlidesName) {
  Tiles tiles = read_tiles(folder_ / "tiles/patches/a.h5");
  tiles.config = nullptr;
  tiles.slide_id.clear();
  write_tiles(folder_ / "x_patches.h5", tiles);
  EXPECT_EQ(slide_id_of(folder_ / "x_patches.h5"), "x");
  EXPECT_EQ(slide_id_of(folder_ / "tiles/patches/a.h5"), "a");
  EXPECT_EQ(slide_id_of(folder_ / "none.h5"), "none");
}

TEST_F(ModelFiles, UnlabelledSlidesCountByTheirFeatures) {
  const std::vector<SlideItem> slides{{"a.tif", "a", {}, {}, {}}, {"b.tif", "b", {}, {}, {}}};
  BagSet labelled;
  labelled.bags.emplace_back().id = "a";
  const auto digest = [&] { return unlabelled_digest(labelled, slides, folder_ / "features", {}); };
  const std::string before = digest();
  fs::copy_file(features("b"), features("a"), fs::copy_options::overwrite_existing);
  EXPECT_EQ(digest(), before) << "a has a label";
  Features changed = read_features(features("b"));
  changed.values[0] += 1;
  write_features(features("b"), changed);
  EXPECT_NE(digest(), before);
}

TEST_F(ModelFiles, InfoReadsWhatTheProgramLeaves) {
  EXPECT_EQ(describe(folder_ / "features", {}).at("kind"), "folder of features");
  EXPECT_EQ(describe(folder_ / "tiles", {}).at("kind"), "folder of tiles");
  EXPECT_EQ(describe(folder_ / "run/predictions.csv", {}).at("kind"), "predictions");
  attn::test::put(folder_ / "simulate.json", R"({"seed":7})");
  EXPECT_EQ(describe(folder_ / "simulate.json", {}).at("contents").at("seed"), 7);
  attn::test::put(folder_ / "run/run.json", R"({"status":"finished"})");
  EXPECT_EQ(describe(folder_ / "run/run.json", {}).at("kind"), "run");
  attn::test::put(folder_ / "t.geojson", R"({"type":"FeatureCollection","features":[]})");
  EXPECT_EQ(describe(folder_ / "t.geojson", {}).at("kind"), "outlines");
}

TEST_F(ModelFiles, WhatCannotBeDoneNowSaysNothingOfTheSlide) {
  TileOptions fine;
  fine.mpp = 0.01;
  EXPECT_THROW(tile_geometry(open("a"), fine), attn::UsageError);
  EXPECT_THROW(open("away"), attn::StorageError);
}

TEST_F(ModelFiles, OverwriteMakesKeptFeaturesAgain) {
  const SlidePipeline pipeline = model_->pipeline(kMaxUnreadable);
  Features marked = read_features(features("a"));
  const float first = marked.values[0];
  marked.values[0] = first + 1;
  write_features(features("a"), marked);
  FeatureStore store{folder_ / "features", false};
  EXPECT_EQ(kept_features(open("a"), pipeline, store, 1, {}).values[0], first + 1);
  store.overwrite = true;
  EXPECT_EQ(kept_features(open("a"), pipeline, store, 1, {}).values[0], first);
  EXPECT_EQ(read_features(features("a")).values[0], first);
  marked.config["format_version"] = 99;
  write_features(features("a"), marked);
  store.overwrite = false;
  EXPECT_THROW(kept_features(open("a"), pipeline, store, 1, {}), attn::NewerFormat);
}

TEST_F(ModelFiles, AHeatMapTellsTheShareThatCouldNotBeRead) {
  HeatmapJob job{.model = *model_,
                 .pipeline = model_->pipeline(0.5),
                 .store = {},
                 .truth = {},
                 .heatmap = {},
                 .top = {}};
  const AttentionFiles files = attention_files(folder_ / "heat.png");
  nlohmann::json facts = make_heatmap(job, open("a"), files, 1, {});
  EXPECT_EQ(facts.at("unreadable"), 0);
  EXPECT_TRUE(heatmap_current(job, open("a"), files, facts));
  draw("a", 300);
  test::damage_tile(folder_ / "a.tif", 500, 500);
  EXPECT_FALSE(heatmap_current(job, open("a"), files, facts));
  facts = make_heatmap(job, open("a"), files, 1, {});
  EXPECT_GT(facts.at("unreadable"), 0.1);
  EXPECT_TRUE(heatmap_current(job, open("a"), files, facts));
  job.pipeline = model_->pipeline(kMaxUnreadable);
  EXPECT_FALSE(heatmap_current(job, open("a"), files, facts));
  EXPECT_THAT(sentence_of([&] { make_heatmap(job, open("a"), files, 1, {}); }),
              HasSubstr("--max-unreadable"));
}

TEST_F(ModelFiles, OverlappingTilesAreRankedAmongThoseApart) {
  const auto reference = [&](int overlap) {
    TileOptions tile = job_.tile;
    tile.overlap = overlap;
    const Tiles tiles = tile_slide(open("a"), job_.tissue, tile);
    Features f = extract_features(open("a"), tiles, *encoder_, 1);
    MilModelFile model = model_->model;
    model.preprocessing = nullptr;
    return std::pair(slide_attention(model, f, "a").reference.size(), tiles.coords.size());
  };
  EXPECT_EQ(reference(0).first, 0U);  // all of them
  const auto [apart, all] = reference(32);
  EXPECT_GT(apart, 0U);
  EXPECT_LT(apart, all / 3);
  EXPECT_GT(apart, all / 5);
}

TEST_F(ModelFiles, TruthThatChangedIsSeen) {
  const std::vector<SlideItem> slides{{folder_ / "a.tif", "a", {}, {}, {}}};
  EXPECT_EQ(truth_digest({}, slides), "");
  attn::test::put(folder_ / "a.geojson", "{}");
  const std::string before = truth_digest(folder_.path(), slides);
  attn::test::put(folder_ / "a.geojson", "{ }");
  EXPECT_NE(truth_digest(folder_.path(), slides), before);
}

TEST_F(ModelFiles, TissueFilesTellWhatIsUnknown) {
  const TissueFiles files = tissue_files(folder_ / "tissue", "a");
  write_tissue_files(files, open("a"), job_.tissue, 1, {});
  EXPECT_TRUE(tissue_files_current(files, open("a"), job_.tissue));
  EXPECT_THAT(attn::test::slurp(files.facts),
              AllOf(HasSubstr("\"unreadable\": 0.0"), HasSubstr("area_mm2")));
  fs::remove(files.outlines);
  EXPECT_FALSE(tissue_files_current(files, open("a"), job_.tissue));
}

}  // namespace
}  // namespace pathology
