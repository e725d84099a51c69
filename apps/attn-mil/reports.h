// The pages attn-mil writes.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "apps/common/batch.h"
#include "libattn/report/report.h"
#include "pathology/mil/cross_validation.h"
#include "pathology/mil/mil_run.h"

namespace attn::app {

/// One picture pair of a slide for the page.
struct SlidePictures {
  std::string slide;
  std::string caption;
  std::filesystem::path overlay, top_tiles;
  nlohmann::json localisation = {};  ///< as pathology::localise gives it; null: not compared
};

/// What a reader of the whole chain's page is told of its slides.
struct SlidesOfReport {
  std::vector<SlidePictures> pictures;
  std::vector<BatchResult::Failure> failures;
  bool simulated = false;  ///< drawn by `simulate`
};

/// One cross-validation, by the weight of the entropy term.
struct CvEntry {
  double aem = 0;
  pathology::CrossValidationResult result;
};

/// report.html of a training run: metrics, ROC, training curves, attention entropy, settings.
report::Report training_report(const pathology::TrainRunResult& run, const pathology::BagSet& set,
                               const Context& context);

/// report.html of the whole chain: the table with and without AEM, ROC, training curves, attention
/// entropy per slide, heat maps and top tiles, failures, settings.
report::Report chain_report(const std::vector<CvEntry>& cv, const pathology::TrainRunResult& run,
                            const pathology::BagSet& set, const SlidesOfReport& slides,
                            const Context& context);

/// What stands over a slide's pictures: its `label` and `part` of the training, and what the model
/// says (facts of heatmap_stage).
std::string caption_of(const nlohmann::json& facts, const std::string& label,
                       const std::string& part);

/// Rows of the comparison table: AEM weight, then mean +- sd over repeats of each measure.
std::vector<std::vector<std::string>> cv_rows(const std::vector<CvEntry>& cv);

}  // namespace attn::app
