// Simulated H&E slides with known truth: a chain can be run, timed and judged on them without
// patient data.
//
// A slide is a caricature, not a substitute for one: irregular sections of fibrous stroma with fat,
// glands and vessels, stained by a Beer-Lambert mixture of haematoxylin and eosin whose vectors and
// amounts vary by hospital and slide. Positive slides hold foci of larger, crowded, pleomorphic
// nuclei in paler cytoplasm. Lymphoid aggregates (crowds of small, round, dark nuclei) lie in all
// slides alike, so that nuclear density alone does not give the label away. Pen marks, folds, dust
// and regions out of focus are drawn independently of the label.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/geojson/geojson.h"

namespace pathology {

struct SimulateOptions {
  int slides = 40;
  uint64_t seed = 1;
  int width_px = 4096;             ///< of level 0
  int height_px = 3072;            ///< of level 0
  double mpp = 0.5;                ///< micrometres per level-0 pixel, written as TIFF resolution
  int classes = 2;                 ///< 2: normal, tumor; 3: normal, tumor, spindle
  double positive_fraction = 0.5;  ///< share of patients whose class is not "normal"
  int foci = 3;                    ///< in each positive slide
  double focus_diameter_um = 300;  ///< of the circle with the area of one focus
  double focus_fraction = 0;  ///< > 0: area of all foci / tissue area; replaces focus_diameter_um
  double second_slide_fraction = 0.2;  ///< share of patients with two slides
  double stain_variation = 1;  ///< 0: all slides stained alike; 1: as several hospitals do; up to 2
  double pen_probability = 0.2;
  double blur_probability = 0.25;
  double fold_probability = 0.25;
  int jpeg_quality = 85;   ///< 30 to 100
  bool overwrite = false;  ///< draw again what is already whole
};

/// What determines the slides, without `slides` and `overwrite`: slide i depends on this and on i
/// alone.
nlohmann::json to_json(const SimulateOptions& options);

/// Names of the classes: the first is "normal", without foci.
std::vector<std::string> class_names(const SimulateOptions& options);

/// One slide to draw: who it belongs to and what it shows.
struct SlidePlan {
  std::string slide_id;  ///< "sim-0001"
  std::string case_id;   ///< "patient-0001"
  int label = 0;         ///< index into class_names
  int hospital = 0;      ///< staining laboratory, drawn independently of the label
};

/// Patients, labels and hospitals of all slides. A prefix of the plan for more slides.
std::vector<SlidePlan> plan_slides(const SimulateOptions& options);

/// Bytes held while one slide is drawn: half its side, and a strip.
double simulated_slide_bytes(const SimulateOptions& options);

struct SimulateResult {
  int drawn = 0;
  int skipped = 0;  ///< were there already, whole and from the same options
};

/// Whether a slide was drawn by `simulate_slides`, and is whole.
bool is_simulated(const std::filesystem::path& slide);

/// Draws `options.slides` slides into the folder `out`:
///   slides/ID.tif        pyramidal tiled TIFF (JPEG, 256 px tiles, levels /1 /2 /4 ...), opened by
///   OpenSlide as generic-tiff labels.csv           case_id,slide_id,label truth/ID.geojson
///   outlines of class "Tissue", "Lymphoid aggregate", and the slide's label for every focus
///   simulate.json        the options
/// Slide i depends on the options and on i only, byte for byte, whatever the number of threads. A
/// slide that is whole and was drawn from the same options is left as it is; one of other options
/// is replaced, with a warning. Every file is written aside and renamed into place, labels.csv
/// last. Throws attn::UsageError for options out of range and for a labels.csv without
/// simulate.json, which would be written over, attn::Error when foci find no room in the tissue or
/// a file cannot be written, attn::Interrupted when stopped (finished slides stay). Memory:
/// `simulated_slide_bytes` a thread; where the machine has too little for all of them, fewer
/// threads work, and a slide that it has too little for is refused.
SimulateResult simulate_slides(const std::filesystem::path& out, const SimulateOptions& options,
                               int threads, const attn::Hooks& hooks);

}  // namespace pathology
