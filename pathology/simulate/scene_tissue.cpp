// The coarse fields of a slide: sections of tissue, their texture, vessels and glands, and what
// goes wrong in the lab.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "pathology/simulate/scene.h"

namespace pathology::sim {
namespace {

// About half an ellipse per section, its border bent by noise; positive inside. Sections stand side
// by side.
cv::Mat1f section_field(const Scene& scene, Rng& rng, int rows, int cols, double cells_per_um) {
  const int sections = scene.width > 1.2 * scene.height && rng.chance(0.35) ? 2 : 1;
  cv::Mat1f field(rows, cols, -10.0F);
  for (int s = 0; s < sections; ++s) {
    const double cx = cols * ((s + 0.5) / sections + rng.uniform(-0.04, 0.04));
    const double cy = rows * rng.uniform(0.45, 0.55);
    const double rx = cols * rng.uniform(0.39, 0.46) / sections;
    const double ry = rows * rng.uniform(0.37, 0.45);
    const double angle = rng.uniform(-0.35, 0.35);
    const double c = std::cos(angle);
    const double d = std::sin(angle);
    for (int j = 0; j < rows; ++j) {
      for (int i = 0; i < cols; ++i) {
        const double x = i - cx;
        const double y = j - cy;
        const double u = (x * c + y * d) / rx;
        const double v = (y * c - x * d) / ry;
        field(j, i) = std::max(field(j, i), static_cast<float>(1 - std::sqrt(u * u + v * v)));
      }
    }
  }
  field += 0.13 * fractal_noise(rng, rows, cols, 450 * cells_per_um, 5, 0.55);
  // Tears: thin lines where a noise field crosses zero, in a few places only.
  const cv::Mat1f line = fractal_noise(rng, rows, cols, 260 * cells_per_um, 4);
  const cv::Mat1f where = fractal_noise(rng, rows, cols, 500 * cells_per_um, 2);
  for (int j = 0; j < rows; ++j) {
    for (int i = 0; i < cols; ++i) {
      const float strength = smoothstep(0.9F, 1.6F, where(j, i));
      field(j, i) -= strength * 0.5F * (1 - smoothstep(0.0F, 0.12F, std::abs(line(j, i))));
      // The slide's rim stays free, without a straight cut.
      const auto rim = static_cast<float>(std::min({i, j, cols - 1 - i, rows - 1 - j}));
      const auto wide = static_cast<float>(std::min(rows, cols)) * 0.12F;
      field(j, i) -= 0.6F * (1 - smoothstep(2.0F, wide, rim));
    }
  }
  return field;
}

// Signed distance in pixels to the border of field > 0; specks of less than 0.01 square millimetres
// are dropped.
cv::Mat1f signed_distance(const cv::Mat1f& field, double cells_per_um) {
  cv::Mat1b mask = field > 0;
  cv::Mat labels;
  cv::Mat stats;
  cv::Mat centres;
  const int count = cv::connectedComponentsWithStats(mask, labels, stats, centres, 4);
  const double least = 1e4 * cells_per_um * cells_per_um;
  for (int k = 1; k < count; ++k) {
    if (stats.at<int>(k, cv::CC_STAT_AREA) < least) mask.setTo(0, labels == k);
  }
  cv::Mat1f in;
  cv::Mat1f out;
  cv::distanceTransform(mask, in, cv::DIST_L2, cv::DIST_MASK_5);
  cv::distanceTransform(255 - mask, out, cv::DIST_L2, cv::DIST_MASK_5);
  cv::Mat1f signed_cells = in - out;
  cv::GaussianBlur(signed_cells, signed_cells, {0, 0}, 1.0);
  return signed_cells * kCell;
}

std::vector<Region> outlines(const cv::Mat1f& edge) {
  std::vector<std::vector<cv::Point>> contours;
  std::vector<cv::Vec4i> tree;
  cv::findContours(cv::Mat1b(edge > 0), contours, tree, cv::RETR_CCOMP, cv::CHAIN_APPROX_SIMPLE);
  const auto to_ring = [](const std::vector<cv::Point>& contour) {
    Ring ring;
    for (const cv::Point& p : contour) {
      ring.push_back({kCell * (p.x + 0.5), kCell * (p.y + 0.5)});
    }
    return ring;
  };
  std::vector<Region> out;
  for (size_t i = 0; i < contours.size(); ++i) {
    if (tree[i][3] >= 0 || contours[i].size() < 3) continue;
    Region region{to_ring(contours[i]), {}};
    for (int hole = tree[i][2]; hole >= 0; hole = tree[static_cast<size_t>(hole)][0]) {
      const auto& contour = contours[static_cast<size_t>(hole)];
      if (contour.size() >= 3) region.holes.push_back(to_ring(contour));
    }
    out.push_back(std::move(region));
  }
  return out;
}

void add_pen(Scene& scene, Rng& rng, int rows, int cols) {
  // Optical densities of blue, green and black felt pens.
  static constexpr std::array<std::array<float, 3>, 3> kInk{
      {{1.5F, 0.95F, 0.25F}, {1.4F, 0.45F, 0.95F}, {1.6F, 1.55F, 1.45F}}};
  const double cells_per_um = scene.px_per_um / kCell;
  PenMarks pen;
  pen.density = kInk[static_cast<size_t>(rng.below(3))];
  cv::Mat1b drawn(rows, cols, uchar{0});
  const int strokes = 1 + rng.below(3);
  for (int s = 0; s < strokes; ++s) {
    // A curve across the slide, more often beside the tissue than over it.
    double x = rng.uniform(0, cols);
    double y = rng.chance(0.5) ? rng.uniform(0, 0.15 * rows) : rng.uniform(0.85 * rows, rows);
    double heading = rng.angle();
    const double bend = rng.normal(0, 0.05);
    const int width = std::max(static_cast<int>(rng.uniform(60, 130) * cells_per_um), 2);
    const double step = width * 0.3;
    const int steps = 20 + rng.below(60);
    for (int k = 0; k < steps; ++k) {
      cv::circle(drawn, cv::Point(static_cast<int>(x), static_cast<int>(y)), width / 2, 255, -1);
      heading += bend + rng.normal(0, 0.05);
      x += step * std::cos(heading);
      y += step * std::sin(heading);
    }
  }
  drawn.convertTo(pen.cover, CV_32F, 1.0 / 255);
  cv::GaussianBlur(pen.cover, pen.cover, {0, 0}, std::max(3 * cells_per_um, 0.8));
  const cv::Mat1f uneven = fractal_noise(rng, rows, cols, 40 * cells_per_um, 3);
  for (int j = 0; j < rows; ++j) {
    for (int i = 0; i < cols; ++i) {
      pen.cover(j, i) *= std::clamp(0.8F + 0.18F * uneven(j, i), 0.25F, 1.1F);
    }
  }
  scene.pens.push_back(std::move(pen));
}

void add_folds(Scene& scene, Rng& rng, int rows, int cols) {
  const double cells_per_um = scene.px_per_um / kCell;
  const cv::Mat1f line = fractal_noise(rng, rows, cols, 700 * cells_per_um, 2);
  const cv::Mat1f where = fractal_noise(rng, rows, cols, 600 * cells_per_um, 2);
  const auto narrow = static_cast<float>(rng.uniform(0.02, 0.04));
  for (int j = 0; j < rows; ++j) {
    for (int i = 0; i < cols; ++i) {
      const float fold = smoothstep(0.6F, 0.9F, where(j, i)) *
                         (1 - smoothstep(narrow, 1.6F * narrow, std::abs(line(j, i))));
      scene.thickness(j, i) *= 1 + 0.9F * fold;
    }
  }
}

}  // namespace

void add_tissue(Scene& scene, Rng& rng) {
  const int cols = (scene.width + kCell - 1) / kCell;
  const int rows = (scene.height + kCell - 1) / kCell;
  const double cells_per_um = scene.px_per_um / kCell;
  scene.edge = signed_distance(section_field(scene, rng, rows, cols, cells_per_um), cells_per_um);
  scene.tissue = outlines(scene.edge);
  scene.thickness = 1 + 0.07 * fractal_noise(rng, rows, cols, 300 * cells_per_um, 3);
  scene.fat = fractal_noise(rng, rows, cols, 420 * cells_per_um, 3) - rng.uniform(1.1, 2.0);
  scene.looseness = fractal_noise(rng, rows, cols, 220 * cells_per_um, 3);
  scene.eosin = 1 + 0.16 * fractal_noise(rng, rows, cols, 260 * cells_per_um, 3);
  const double angle = rng.angle();
  scene.fibre.cos = static_cast<float>(std::cos(angle));
  scene.fibre.sin = static_cast<float>(std::sin(angle));
  scene.fibre.scale = 0.8F / scene.px_per_um * 2;
  const double reach = 55 * scene.px_per_um;
  scene.fibre.warp_u = reach * fractal_noise(rng, rows, cols, 340 * cells_per_um, 5, 0.42);
  scene.fibre.warp_v = reach * fractal_noise(rng, rows, cols, 340 * cells_per_um, 5, 0.42);
}

void add_tubes(Scene& scene, Rng& rng) {
  const int cols = scene.edge.cols;
  const int rows = scene.edge.rows;
  const double um = scene.px_per_um;
  const cv::Mat1f mucosa = fractal_noise(rng, rows, cols, 500 * um / kCell, 2);
  const auto wanted = static_cast<float>(rng.uniform(-0.1, 0.5));
  const double pitch = 105 * um;
  const auto blocked = [&](const Shape& shape, double x, double y, double radius) {
    if (sample(scene.edge, x, y) < radius + 8 * um || sample(scene.fat, x, y) > -0.1F) return true;
    const cv::Rect box = shape.box;
    const auto meets = [&](const Shape& other) { return (other.box & box).area() > 0; };
    return std::any_of(scene.foci.begin(), scene.foci.end(), meets) ||
           std::any_of(scene.aggregates.begin(), scene.aggregates.end(), meets);
  };
  const auto columns = grid_lines(pitch / 2, scene.width, pitch);
  for (const double gy : grid_lines(pitch / 2, scene.height, pitch)) {
    for (const double gx : columns) {
      const double x = gx + rng.uniform(-0.22, 0.22) * pitch;
      const double y = gy + rng.uniform(-0.22, 0.22) * pitch;
      const bool gland = sample(mucosa, x, y) > wanted && rng.chance(0.85);
      const bool vessel = !gland && rng.chance(0.05);
      const double radius = (vessel ? rng.log_normal(17, 0.35) : rng.uniform(30, 41)) * um;
      const double aspect = vessel ? rng.uniform(1, 1.9) : rng.uniform(1, 1.45);
      const double angle = rng.angle();
      Rng shape_rng = Rng::keyed({rng.next(), 7});
      if (!gland && !vessel) continue;
      Tube tube;
      tube.vessel = vessel;
      tube.outer = blob(shape_rng, x, y, radius, vessel ? 0.06 : 0.08, aspect, angle);
      const double open = vessel ? 0.72 : shape_rng.uniform(0.22, 0.45);
      tube.lumen =
          blob(shape_rng, x, y, radius * open, 0.12, aspect * (vessel ? 1.0 : 1.15), angle);
      if (!blocked(tube.outer, x, y, radius)) scene.tubes.push_back(std::move(tube));
    }
  }
}

void add_artefacts(Scene& scene, const SimulateOptions& options, Rng& rng) {
  const int cols = scene.edge.cols;
  const int rows = scene.edge.rows;
  const double cells_per_um = scene.px_per_um / kCell;
  if (rng.chance(options.pen_probability)) add_pen(scene, rng, rows, cols);
  if (rng.chance(options.fold_probability)) add_folds(scene, rng, rows, cols);
  if (rng.chance(options.blur_probability)) {
    // A band or patch of an eighth to a third of the slide.
    scene.defocus = fractal_noise(rng, rows, cols, 900 * cells_per_um, 2);
    const auto threshold = static_cast<float>(rng.uniform(0.6, 1.1));
    for (float& value : scene.defocus) value = smoothstep(threshold, threshold + 0.5F, value);
  }
  const double square_mm =
      scene.width / (1000.0 * scene.px_per_um) * scene.height / (1000.0 * scene.px_per_um);
  const int specks = static_cast<int>(square_mm * rng.uniform(2, 10)) + 1;
  for (int i = 0; i < specks; ++i) {
    const bool hair = rng.chance(0.12);
    const double size = (hair ? rng.uniform(25, 70) : rng.log_normal(2.5, 0.5)) * scene.px_per_um;
    scene.dust.push_back(
        {static_cast<float>(rng.uniform(0, scene.width)),
         static_cast<float>(rng.uniform(0, scene.height)), static_cast<float>(size),
         static_cast<float>(hair ? 1.3 * scene.px_per_um : size * rng.uniform(0.5, 1)),
         static_cast<float>(rng.angle()), static_cast<float>(rng.uniform(0.15, 0.9))});
  }
}

}  // namespace pathology::sim
