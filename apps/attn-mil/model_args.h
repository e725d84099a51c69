// Options that the verbs over bags and models share, declared once.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/cross_validation.h"
#include "pathology/mil/mil_train.h"

namespace attn::app {

/// Which bags, and their labels.
struct BagArgs {
  std::filesystem::path bags;
  std::optional<std::filesystem::path> labels;
  pathology::LabelOptions columns;

  pathology::BagSet load(const Hooks& hooks) const;
  /// Before the work: throws attn::UsageError when one of `written` or --attention-report is one of
  /// the bags or labels, `other` (may be empty), or another of `written`; StorageError when the
  /// report cannot be written.
  void check_outputs(const Context& context, std::vector<std::filesystem::path> written,
                     const std::filesystem::path& other = {}) const;
};
void declare_bags(BagArgs& args, OptionTable& table);
/// --id-column, --label-column and --patient-column of `table_name` ("--labels").
void declare_columns(pathology::LabelOptions& columns, const std::string& table_name,
                     OptionTable& table);

/// How cross-validation cuts the patients.
void declare_folds(pathology::CrossValidationOptions& cv, OptionTable& table);

/// What model, and how it is trained.
struct ModelArgs {
  std::string model = "abmil";
  double aem = 0;
  std::string aem_schedule = "constant";
  std::string optimiser = "adamw";
  std::string lr_schedule = "cosine";
  pathology::MilConfig config;

  /// With --seed. `validated`: whether there is a validation part to stop early by. Throws
  /// attn::UsageError for an option on the command line that has no effect beside the others, and
  /// as pathology::check.
  pathology::MilConfig resolve(const Context& context, bool validated) const;
};
void declare_model(ModelArgs& args, OptionTable& table);

/// "0.912" or "-" for null and NaN.
std::string metric_text(const nlohmann::json& value);
/// The metrics of train_run or evaluate_run, one row for each part, with intervals.
std::string metrics_table(const nlohmann::json& metrics);

}  // namespace attn::app
