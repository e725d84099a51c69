// The stages of `run`: slides to features, cross-validation, final model, heat maps, report.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/slide_args.h"
#include "apps/common/batch.h"
#include "pathology/mil/cross_validation.h"
#include "pathology/mil/mil_run.h"
#include "pathology/slide/encoder.h"

namespace attn::app {

struct RunArgs {
  SlideArgs slides;
  TissueArgs tissue;
  TileArgs tile;
  ModelArgs model;
  std::optional<std::filesystem::path> labels;
  pathology::LabelOptions columns;
  std::string encoder = pathology::encoder_names().front();
  std::filesystem::path out;
  bool compare_aem = false;
  pathology::CrossValidationOptions cv;
  pathology::SplitOptions split;
  int64_t heatmaps = 6;
  std::optional<std::filesystem::path> truth;
};

/// What the stages hand on.
struct Chain {
  const RunArgs& args;
  const Context& context;
  pathology::MilConfig config = {};
  std::vector<pathology::SlideItem> slides = {};  ///< whose features stand
  std::vector<BatchResult::Failure> failures = {};
  pathology::BagSet set = {};

  std::filesystem::path failures_csv() const { return args.out / "failures.csv"; }
  int exit_code() const { return failures.empty() ? kDone : kFailed; }
};

/// From `slides` to report.html, or to what a finished run of the same call on the same slides has
/// found: {"state", "failures", "table", "report", "model", "cv", "localisation"}. The failures of
/// all stages are in `chain.failures`, also when a later step throws.
nlohmann::json run_chain(Chain& chain, const std::vector<pathology::SlideItem>& slides);

}  // namespace attn::app
