#include "pathology/simulate/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "libattn/io/json.h"
#include "libattn/io/memory.h"
#include "libattn/io/text.h"
#include "pathology/simulate/render.h"
#include "pathology/simulate/scene.h"
#include "pathology/simulate/tiff_pyramid.h"
#include "pathology/slide/parallel.h"

namespace pathology {
namespace {

// Raised when the same options give other pixels than before.
constexpr int kFormatVersion = 1;
constexpr int kHospitals = 4;

void require(bool good, const std::string& option, const std::string& found,
             const std::string& expected) {
  if (good) return;
  throw attn::UsageError(fmt::format("simulate: {} is {}, expected {}", option, found, expected));
}

void require_range(double value, double low, double high, const std::string& option) {
  require(value >= low && value <= high, option, fmt::format("{}", value),
          fmt::format("{} to {}", low, high));
}

void check(const SimulateOptions& o) {
  require_range(o.slides, 1, 100000, "slides");
  require_range(o.width_px, 512, 100000, "width");
  require_range(o.height_px, 512, 100000, "height");
  require_range(o.mpp, 0.2, 2, "mpp");
  require_range(o.classes, 2, 3, "classes");
  require_range(o.positive_fraction, 0, 1, "positive fraction");
  require_range(o.foci, 1, 200, "foci");
  require_range(o.focus_diameter_um, 20, 5000, "focus diameter (micrometres)");
  require_range(o.focus_fraction, 0, 0.5, "focus fraction");
  require_range(o.second_slide_fraction, 0, 1, "second slide fraction");
  require_range(o.stain_variation, 0, 2, "stain variation");
  require_range(o.pen_probability, 0, 1, "pen probability");
  require_range(o.blur_probability, 0, 1, "blur probability");
  require_range(o.fold_probability, 0, 1, "fold probability");
  require_range(o.jpeg_quality, 30, 100, "JPEG quality");
}

// Label of patient p: the positives are spread evenly (in every block of four nearly the same
// number), in an order that the seed shuffles within the block.
int patient_label(const SimulateOptions& options, int patient) {
  constexpr int kBlock = 4;
  const int block = patient / kBlock;
  std::array<int, kBlock> order{0, 1, 2, 3};
  sim::Rng rng = sim::Rng::keyed({options.seed, static_cast<uint64_t>(block), 0x1ABE1});
  for (int i = kBlock - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.below(i + 1))]);
  const int place = block * kBlock + order[static_cast<size_t>(patient % kBlock)];
  const auto positives = [&](int count) {
    return static_cast<int>(std::floor(count * options.positive_fraction + 1e-9));
  };
  const int rank = positives(place);
  if (positives(place + 1) == rank) return 0;
  return 1 + rank % (options.classes - 1);
}

struct Paths {
  std::filesystem::path slide, truth;
};

Paths paths_of(const std::filesystem::path& out, const SlidePlan& plan) {
  return {out / "slides" / (plan.slide_id + ".tif"), out / "truth" / (plan.slide_id + ".geojson")};
}

void write_truth(const std::filesystem::path& path, const sim::Scene& scene,
                 const std::string& label) {
  std::vector<Outline> outlines;
  const auto add = [&](Region region, const std::string& name, std::array<uint8_t, 3> color) {
    Outline outline;
    outline.region = std::move(region);
    outline.classification = name;
    outline.color = color;
    outlines.push_back(std::move(outline));
  };
  for (const Region& polygon : scene.tissue) add(polygon, "Tissue", {90, 160, 90});
  for (const sim::Shape& shape : scene.aggregates)
    add({shape.ring, {}}, "Lymphoid aggregate", {70, 110, 200});
  for (const sim::Shape& shape : scene.foci) add({shape.ring, {}}, label, {200, 40, 40});
  write_geojson(path, outlines);
}

void draw_slide(const Paths& paths, const SimulateOptions& options, const SlidePlan& plan,
                int index, const std::string& description,
                const std::function<void()>& check_stop) {
  const sim::Scene scene = sim::build_scene(options, plan, index);
  const sim::StripSource strip = [&](int y, int rows) {
    cv::Mat3b pixels(rows, scene.width);
    for (int x = 0; x < scene.width; x += sim::kStripRows) {
      check_stop();
      const cv::Rect block(x, y, std::min(sim::kStripRows, scene.width - x), rows);
      sim::render_block(scene, block).copyTo(pixels(cv::Rect(x, 0, block.width, rows)));
    }
    return pixels;
  };
  write_truth(paths.truth, scene, class_names(options)[static_cast<size_t>(plan.label)]);
  sim::write_pyramid(paths.slide,
                     {options.width_px, options.height_px, options.mpp, options.jpeg_quality,
                      description, "attn-mil simulate"},
                     strip);
}

void write_labels(const std::filesystem::path& out, const SimulateOptions& options,
                  const std::vector<SlidePlan>& plans) {
  const std::vector<std::string> names = class_names(options);
  std::vector<std::vector<attn::io::Cell>> rows;
  for (const SlidePlan& plan : plans) {
    rows.push_back({plan.case_id, plan.slide_id, names[static_cast<size_t>(plan.label)]});
  }
  attn::io::write_csv(out / "labels.csv", {"case_id", "slide_id", "label"}, rows);
}

/// A labels.csv without a simulate.json beside it is somebody else's.
void refuse_foreign_labels(const std::filesystem::path& out) {
  if (std::filesystem::exists(out / "labels.csv") &&
      !std::filesystem::exists(out / "simulate.json"))
    throw attn::UsageError((out / "labels.csv").string() +
                           " was not made by simulate and would be written over; move it, or "
                           "give another folder");
}

/// Whether the folder's simulate.json holds these parameters; a damaged one does not.
bool same_parameters(const std::filesystem::path& out, const nlohmann::json& parameters) {
  try {
    return attn::io::read_json(out / "simulate.json") == parameters;
  } catch (const attn::Error&) {
    return false;
  }
}

void warn_of_strangers(const std::filesystem::path& out, const std::vector<SlidePlan>& plans,
                       const attn::Hooks& hooks) {
  int strangers = 0;
  std::string one;
  for (const auto& entry : std::filesystem::directory_iterator(out / "slides")) {
    if (entry.path().extension() != ".tif") continue;
    const std::string id = entry.path().stem().string();
    if (std::any_of(plans.begin(), plans.end(),
                    [&](const SlidePlan& p) { return p.slide_id == id; }))
      continue;
    ++strangers;
    one = entry.path().filename().string();
  }
  if (strangers == 0) return;
  hooks.warning(
      fmt::format("{}: {} slides (such as {}) are not in labels.csv; they stay from an earlier run",
                  (out / "slides").string(), strangers, one));
}

/// As many threads as the machine has memory for. Throws where that is none.
int affordable_threads(const SimulateOptions& options, int threads) {
  const double slide = simulated_slide_bytes(options);
  const double memory = 0.8 * static_cast<double>(attn::io::physical_memory());
  if (slide > memory)
    throw attn::UsageError(fmt::format(
        "simulate: slides of {} x {} px take {} of memory each while they are drawn, and the "
        "machine has {}; ask for smaller ones",
        options.width_px, options.height_px, attn::io::size_text(slide),
        attn::io::size_text(static_cast<double>(attn::io::physical_memory()))));
  return std::clamp(static_cast<int>(std::min(memory / slide, 1e6)), 1, std::max(1, threads));
}

}  // namespace

double simulated_slide_bytes(const SimulateOptions& options) {
  const auto width = static_cast<double>(options.width_px);
  return 3 * width * options.height_px / 4 + 2 * 3 * width * sim::kStripRows;
}

nlohmann::json to_json(const SimulateOptions& o) {
  return {{"format_version", kFormatVersion},
          {"seed", o.seed},
          {"width_px", o.width_px},
          {"height_px", o.height_px},
          {"mpp", o.mpp},
          {"classes", o.classes},
          {"positive_fraction", o.positive_fraction},
          {"foci", o.foci},
          {"focus_diameter_um", o.focus_diameter_um},
          {"focus_fraction", o.focus_fraction},
          {"second_slide_fraction", o.second_slide_fraction},
          {"stain_variation", o.stain_variation},
          {"pen_probability", o.pen_probability},
          {"blur_probability", o.blur_probability},
          {"fold_probability", o.fold_probability},
          {"jpeg_quality", o.jpeg_quality}};
}

bool is_simulated(const std::filesystem::path& slide) {
  const auto written = nlohmann::json::parse(sim::whole_pyramid_description(slide), nullptr, false);
  return written.is_object() && written.contains("focus_diameter_um");
}

std::vector<std::string> class_names(const SimulateOptions& options) {
  if (options.classes == 3) return {"normal", "tumor", "spindle"};
  return {"normal", "tumor"};
}

std::vector<SlidePlan> plan_slides(const SimulateOptions& options) {
  check(options);
  std::vector<SlidePlan> plans;
  for (int patient = 0; static_cast<int>(plans.size()) < options.slides; ++patient) {
    sim::Rng rng = sim::Rng::keyed({options.seed, static_cast<uint64_t>(patient), 0xCA5E});
    SlidePlan plan;
    plan.case_id = fmt::format("patient-{:04}", patient + 1);
    plan.label = patient_label(options, patient);
    plan.hospital = rng.below(kHospitals);
    const int count = rng.chance(options.second_slide_fraction) ? 2 : 1;
    for (int k = 0; k < count && static_cast<int>(plans.size()) < options.slides; ++k) {
      plan.slide_id = fmt::format("sim-{:04}", plans.size() + 1);
      plans.push_back(plan);
    }
  }
  return plans;
}

SimulateResult simulate_slides(const std::filesystem::path& out, const SimulateOptions& options,
                               int threads, const attn::Hooks& hooks) {
  const std::vector<SlidePlan> plans = plan_slides(options);
  const int workers = affordable_threads(options, threads);
  refuse_foreign_labels(out);
  attn::io::make_directories(out / "slides");
  attn::io::make_directories(out / "truth");
  nlohmann::json parameters = to_json(options);
  const std::string description = parameters.dump();
  std::vector<int> missing;
  int of_other_options = 0;
  for (size_t i = 0; i < plans.size(); ++i) {
    const Paths paths = paths_of(out, plans[i]);
    // The truth is written before the slide: a slide that is whole has it, unless somebody took it
    // away.
    const std::string drawn = sim::whole_pyramid_description(paths.slide);
    const bool there =
        !options.overwrite && std::filesystem::exists(paths.truth) && drawn == description;
    if (!there) missing.push_back(static_cast<int>(i));
    of_other_options += options.overwrite || drawn.empty() || drawn == description ? 0 : 1;
  }
  // Labels of other options must not stand beside the new slides, nor new ones beside the old.
  parameters["slides"] = options.slides;
  if (!same_parameters(out, parameters)) std::filesystem::remove(out / "labels.csv");
  attn::io::write_json(out / "simulate.json", parameters);
  warn_of_strangers(out, plans, hooks);
  if (of_other_options > 0)
    hooks.warning(fmt::format(
        "{}: {} replaced, being of other options or another seed", (out / "slides").string(),
        of_other_options == 1 ? "1 slide is" : fmt::format("{} slides are", of_other_options)));
  SimulateResult result;
  result.drawn = static_cast<int>(missing.size());
  result.skipped = options.slides - result.drawn;
  const auto draw = [&](int64_t job) {
    const int i = missing[static_cast<size_t>(job)];
    const SlidePlan& plan = plans[static_cast<size_t>(i)];
    draw_slide(paths_of(out, plan), options, plan, i, description, [&] { hooks.check(); });
  };
  if (!missing.empty()) parallel_for(result.drawn, workers, "slides", hooks, draw);
  write_labels(out, options, plans);
  return result;
}

}  // namespace pathology
