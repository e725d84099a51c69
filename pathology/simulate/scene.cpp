#include "pathology/simulate/scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "attn/error.h"

namespace pathology::sim {
namespace {

double ring_area(const Ring& ring) {
  return area(Region{ring, {}});
}

double tissue_area(const Scene& scene) {
  double sum = 0;
  for (const Region& polygon : scene.tissue) sum += area(polygon);
  return sum;
}

double farthest(const Shape& shape, double x, double y) {
  double most = 0;
  for (const Point& p : shape.ring) most = std::max(most, std::hypot(p.x - x, p.y - y));
  return most;
}

bool fits_tissue(const Scene& scene, const Shape& shape, double margin) {
  return std::all_of(shape.ring.begin(), shape.ring.end(),
                     [&](const Point& p) { return sample(scene.edge, p.x, p.y) > margin; });
}

struct Disc {
  double x, y, radius;
};

// Draws outlines of `radius` until `count` lie apart from each other and from the tissue's border,
// or gives up.
std::vector<Shape> place(const Scene& scene, Rng& rng, int count, double radius, double roughness,
                         std::vector<Disc>& taken) {
  const double gap = 15 * scene.px_per_um;
  std::vector<Shape> out;
  for (int attempt = 0; attempt < 4000 && static_cast<int>(out.size()) < count; ++attempt) {
    const double x = rng.uniform(0, scene.width);
    const double y = rng.uniform(0, scene.height);
    if (sample(scene.edge, x, y) < 0.8 * radius || sample(scene.fat, x, y) > 0) continue;
    const Shape shape = blob(rng, x, y, radius, roughness, rng.uniform(1, 1.5), rng.angle());
    const double reach = farthest(shape, x, y);
    const bool apart = std::all_of(taken.begin(), taken.end(), [&](const Disc& d) {
      return std::hypot(d.x - x, d.y - y) > d.radius + reach + gap;
    });
    if (!apart || !fits_tissue(scene, shape, 10 * scene.px_per_um)) continue;
    taken.push_back({x, y, reach});
    out.push_back(shape);
  }
  return out;
}

double focus_radius(const SimulateOptions& options, const Scene& scene) {
  if (options.focus_fraction > 0) {
    return std::sqrt(options.focus_fraction * tissue_area(scene) /
                     (options.foci * std::numbers::pi));
  }
  return options.focus_diameter_um / 2 * scene.px_per_um;
}

// Tissue and outlines. The room for foci is found on every slide, positive or not, so that the
// shape of the tissue says nothing of the label. Returns false when it is too small.
bool try_layout(Scene& scene, const SimulateOptions& options, int label, Rng& rng) {
  add_tissue(scene, rng);
  std::vector<Disc> taken;
  std::vector<Shape> foci =
      place(scene, rng, options.foci, focus_radius(options, scene), 0.16, taken);
  if (static_cast<int>(foci.size()) < options.foci) return false;
  const double square_mm = tissue_area(scene) / std::pow(1000 * scene.px_per_um, 2);
  const int aggregates = 1 + rng.below(2 + static_cast<int>(std::lround(1.5 * square_mm)));
  scene.aggregates.clear();
  for (int i = 0; i < aggregates; ++i) {
    const double radius = rng.log_normal(75, 0.35) * scene.px_per_um;
    for (Shape& shape :
         place(scene, rng, 1, std::min(radius, 220.0 * scene.px_per_um), 0.12, taken)) {
      scene.aggregates.push_back(std::move(shape));
    }
  }
  scene.foci.clear();
  if (label != 0) scene.foci = std::move(foci);
  return true;
}

void fill_buckets(Scene& scene) {
  scene.bucket_cols = (scene.width + Scene::kBucket - 1) / Scene::kBucket;
  scene.bucket_rows = (scene.height + Scene::kBucket - 1) / Scene::kBucket;
  scene.buckets.assign(static_cast<size_t>(scene.bucket_cols) * scene.bucket_rows, {});
  for (size_t i = 0; i < scene.cells.size(); ++i) {
    const int col =
        std::clamp(static_cast<int>(scene.cells[i].x) / Scene::kBucket, 0, scene.bucket_cols - 1);
    const int row =
        std::clamp(static_cast<int>(scene.cells[i].y) / Scene::kBucket, 0, scene.bucket_rows - 1);
    scene.buckets[static_cast<size_t>(row) * scene.bucket_cols + col].push_back(
        static_cast<uint32_t>(i));
  }
}

}  // namespace

Shape blob(Rng& rng, double x, double y, double radius, double roughness, double aspect,
           double angle) {
  constexpr int kHarmonics = 7;
  std::array<double, kHarmonics> amplitude{};
  std::array<double, kHarmonics> phase{};
  for (int k = 0; k < kHarmonics; ++k) {
    amplitude[k] = roughness * rng.normal() * 3 / std::pow(k + 2, 1.5);
    phase[k] = rng.angle();
  }
  const int points = std::clamp(static_cast<int>(radius), 24, 96);
  Shape shape;
  for (int i = 0; i < points; ++i) {
    const double t = 2 * std::numbers::pi * i / points;
    double r = 1;
    for (int k = 0; k < kHarmonics; ++k) r += amplitude[k] * std::cos((k + 2) * t + phase[k]);
    r = std::clamp(r, 0.45, 1.7);
    shape.ring.push_back(
        {r * std::cos(t) * std::sqrt(aspect), r * std::sin(t) / std::sqrt(aspect)});
  }
  const double grow = radius * std::sqrt(std::numbers::pi / ring_area(shape.ring));
  double left = x, right = x, top = y, bottom = y;
  for (Point& p : shape.ring) {
    p = {x + grow * (p.x * std::cos(angle) - p.y * std::sin(angle)),
         y + grow * (p.x * std::sin(angle) + p.y * std::cos(angle))};
    left = std::min(left, p.x);
    right = std::max(right, p.x);
    top = std::min(top, p.y);
    bottom = std::max(bottom, p.y);
  }
  shape.box = cv::Rect(
      cv::Point(static_cast<int>(std::floor(left)), static_cast<int>(std::floor(top))),
      cv::Point(static_cast<int>(std::ceil(right)) + 1, static_cast<int>(std::ceil(bottom)) + 1));
  return shape;
}

std::vector<double> grid_lines(double first, double end, double step) {
  std::vector<double> lines;
  while (first < end) {
    lines.push_back(first);
    first += step;
  }
  return lines;
}

bool inside(const Shape& shape, double x, double y) {
  if (!shape.box.contains(cv::Point(static_cast<int>(x), static_cast<int>(y)))) return false;
  return contains(Region{shape.ring, {}}, {x, y});
}

float cleft(float u, float v, float looseness) {
  const float wide = textures().fibre.at(u * 0.45F + 300, v * 0.35F + 170);
  const float fine = textures().fibre.at(u * 1.1F + 700, v * 0.9F + 510);
  const float level = 0.75F * wide + 0.25F * fine + 0.16F * looseness;
  return smoothstep(0.80F, 0.88F, level);
}

Scene build_scene(const SimulateOptions& options, const SlidePlan& plan, int index) {
  const auto key = static_cast<uint64_t>(index);
  constexpr int kAttempts = 12;
  Scene scene;
  bool found = false;
  for (uint64_t attempt = 0; attempt < kAttempts && !found; ++attempt) {
    scene = Scene{};
    scene.width = options.width_px;
    scene.height = options.height_px;
    scene.px_per_um = static_cast<float>(1 / options.mpp);
    Rng layout = Rng::keyed({options.seed, key, 1, attempt});
    found = try_layout(scene, options, plan.label, layout);
  }
  if (!found) {
    throw attn::Error(fmt::format(
        "slide {}: {} foci of {:.0f} um find no room in its tissue ({:.2f} square millimetres); "
        "make the foci smaller or fewer, or the slides larger",
        plan.slide_id, options.foci, 2 * focus_radius(options, scene) / scene.px_per_um,
        tissue_area(scene) / std::pow(1000 * scene.px_per_um, 2)));
  }
  scene.seed = Rng::keyed({options.seed, key, 2}).next();
  Rng stain = Rng::keyed({options.seed, key, 3});
  scene.stain = draw_stain(options.seed, plan.hospital, stain, options.stain_variation);
  Rng tubes = Rng::keyed({options.seed, key, 4});
  add_tubes(scene, tubes);
  Rng cells = Rng::keyed({options.seed, key, 5});
  add_cells(scene, plan.label, cells);
  Rng artefacts = Rng::keyed({options.seed, key, 6});
  add_artefacts(scene, options, artefacts);
  fill_buckets(scene);
  return scene;
}

}  // namespace pathology::sim
