// attn-mil: whole-slide images to slide-level diagnoses by attention-based multiple-instance
// learning.
#include "apps/attn-mil/verbs.h"

int main(int argc, char** argv) {
  using namespace attn::app;
  const App app{
      .name = "attn-mil",
      .summary =
          "whole-slide images to slide-level diagnoses by attention-based multiple-instance "
          "learning with attention entropy maximisation (AEM)",
      .example = "attn-mil run slides/ --labels labels.csv --out W",
      .verbs = {run_verb(), simulate_verb(), tissue_verb(), tile_verb(), features_verb(),
                train_verb(), cv_verb(), evaluate_verb(), predict_verb(), heatmap_verb(),
                info_verb()},
      .start = start_libraries,
      .libraries = library_versions};
  return run_app(app, argc, argv);
}
