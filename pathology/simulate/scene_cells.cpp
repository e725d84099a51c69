// Nuclei: spindle-shaped ones along the fibres, round lymphocytes, rings of epithelium, and the
// crowds in foci.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "pathology/simulate/scene.h"

namespace pathology::sim {
namespace {

// Points at least `spacing` apart, by a grid of cells no larger than the spacing.
class Spread {
 public:
  Spread(const cv::Rect& box, double spacing)
      : box_(box),
        spacing_(spacing),
        cell_(spacing),
        cols_(static_cast<int>(box.width / cell_) + 1),
        rows_(static_cast<int>(box.height / cell_) + 1),
        grid_(static_cast<size_t>(cols_) * rows_, Point{-1e9, -1e9}) {}

  // Takes the point unless another is nearer than `share` of the spacing.
  bool take(double x, double y, double share = 1) {
    const int i = static_cast<int>((x - box_.x) / cell_);
    const int j = static_cast<int>((y - box_.y) / cell_);
    if (i < 0 || j < 0 || i >= cols_ || j >= rows_) return false;
    const double least = share * spacing_;
    for (int b = std::max(j - 1, 0); b <= std::min(j + 1, rows_ - 1); ++b) {
      for (int a = std::max(i - 1, 0); a <= std::min(i + 1, cols_ - 1); ++a) {
        const Point& p = grid_[static_cast<size_t>(b) * cols_ + a];
        if (std::hypot(p.x - x, p.y - y) < least) return false;
      }
    }
    grid_[static_cast<size_t>(j) * cols_ + i] = {x, y};
    return true;
  }

 private:
  cv::Rect box_;
  double spacing_, cell_;
  int cols_, rows_;
  std::vector<Point> grid_;
};

struct Direction {
  float cos, sin;
};

Direction turned(double angle) {
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

// Along the fibres at a pixel: where the texture's v does not change.
Direction along_fibres(const Scene& scene, double x, double y) {
  const FibreFrame& f = scene.fibre;
  const double d = kCell;
  const double dx =
      f.v(static_cast<float>(d), 0, sample(f.warp_v, x + d, y) - sample(f.warp_v, x, y));
  const double dy =
      f.v(0, static_cast<float>(d), sample(f.warp_v, x, y + d) - sample(f.warp_v, x, y));
  const double norm = std::max(std::hypot(dx, dy), 1e-9);
  return {static_cast<float>(-dy / norm), static_cast<float>(dx / norm)};
}

float cleft_at(const Scene& scene, double x, double y) {
  const auto fx = static_cast<float>(x);
  const auto fy = static_cast<float>(y);
  return cleft(scene.fibre.u(fx, fy, sample(scene.fibre.warp_u, x, y)),
               scene.fibre.v(fx, fy, sample(scene.fibre.warp_v, x, y)),
               sample(scene.looseness, x, y));
}

// An ellipse with half axes in micrometres.
Cell ellipse(const Scene& scene, double x, double y, double long_um, double short_um,
             Direction way) {
  Cell cell;
  cell.x = static_cast<float>(x);
  cell.y = static_cast<float>(y);
  cell.long_axis = static_cast<float>(long_um) * scene.px_per_um;
  cell.short_axis = static_cast<float>(short_um) * scene.px_per_um;
  cell.cos = way.cos;
  cell.sin = way.sin;
  return cell;
}

Cell fibroblast(const Scene& scene, Rng& rng, double x, double y) {
  const double length = std::clamp(rng.log_normal(5.6, 0.3), 3.0, 10.0);
  Direction way = along_fibres(scene, x, y);
  const double tilt = std::atan2(way.sin, way.cos) + rng.normal(0, 0.2);
  Cell cell = ellipse(scene, x, y, length, rng.uniform(1.1, 1.9), turned(tilt));
  cell.density = static_cast<float>(rng.uniform(0.75, 1.15));
  cell.clearing = static_cast<float>(rng.uniform(0, 0.4));
  cell.wobble = 0.06F;
  cell.phase = static_cast<float>(rng.angle());
  return cell;
}

Cell lymphocyte(const Scene& scene, Rng& rng, double x, double y) {
  const double radius = std::clamp(rng.normal(2.9, 0.25), 2.2, 3.6);
  Cell cell = ellipse(scene, x, y, radius, radius * rng.uniform(0.85, 1), turned(rng.angle()));
  cell.kind = CellKind::lymphocyte;
  cell.density = static_cast<float>(rng.uniform(1.2, 1.55));
  cell.clearing = static_cast<float>(rng.uniform(0, 0.2));
  cell.wobble = 0.04F;
  cell.phase = static_cast<float>(rng.angle());
  return cell;
}

Cell tumor_cell(const Scene& scene, Rng& rng, double x, double y) {
  if (rng.chance(0.02)) {
    Cell plate =
        ellipse(scene, x, y, rng.uniform(4, 5.5), rng.uniform(1.2, 1.8), turned(rng.angle()));
    plate.kind = CellKind::mitosis;
    plate.density = 1.9F;
    plate.wobble = 0.3F;
    plate.phase = static_cast<float>(rng.angle());
    return plate;
  }
  const double size = std::clamp(rng.log_normal(5.0, 0.24), 3.2, 9.0);
  Cell cell = ellipse(scene, x, y, size * rng.uniform(1, 1.35), size * rng.uniform(0.72, 1),
                      turned(rng.angle()));
  cell.kind = CellKind::tumor;
  cell.density = static_cast<float>(rng.uniform(0.65, 1.15));
  cell.clearing = static_cast<float>(rng.uniform(0.25, 0.75));
  cell.wobble = static_cast<float>(rng.uniform(0.04, 0.15));
  cell.phase = static_cast<float>(rng.angle());
  cell.nucleoli = static_cast<uint8_t>(rng.below(3));
  return cell;
}

// The third class: crowded long dark nuclei in streams.
Cell spindle_cell(const Scene& scene, Rng& rng, double x, double y) {
  Direction way = along_fibres(scene, x, y);
  const double tilt = std::atan2(way.sin, way.cos) + rng.normal(0, 0.3);
  Cell cell = ellipse(scene, x, y, std::clamp(rng.log_normal(8.5, 0.22), 5.0, 14.0),
                      rng.uniform(2.0, 3.4), turned(tilt));
  cell.kind = CellKind::spindle;
  cell.density = static_cast<float>(rng.uniform(1.0, 1.4));
  cell.clearing = static_cast<float>(rng.uniform(0.05, 0.35));
  cell.wobble = 0.08F;
  cell.phase = static_cast<float>(rng.angle());
  return cell;
}

bool in_any(const std::vector<Shape>& shapes, double x, double y) {
  return std::any_of(shapes.begin(), shapes.end(), [&](const Shape& s) { return inside(s, x, y); });
}

// Tubes by the square of 128 um they touch, so that a point asks few of them.
class TubeIndex {
 public:
  explicit TubeIndex(const Scene& scene)
      : scene_(scene),
        side_(std::max(static_cast<int>(128 * scene.px_per_um), 1)),
        cols_(scene.width / side_ + 1),
        rows_(scene.height / side_ + 1),
        lists_(static_cast<size_t>(cols_) * rows_) {
    for (size_t t = 0; t < scene.tubes.size(); ++t) {
      const cv::Rect& box = scene.tubes[t].outer.box;
      for (int j = std::max(box.y / side_, 0);
           j <= std::min((box.y + box.height) / side_, rows_ - 1); ++j)
        for (int i = std::max(box.x / side_, 0);
             i <= std::min((box.x + box.width) / side_, cols_ - 1); ++i)
          lists_[static_cast<size_t>(j) * cols_ + i].push_back(t);
    }
  }
  bool inside_tube(double x, double y) const {
    const auto& list = lists_[static_cast<size_t>(static_cast<int>(y) / side_) * cols_ +
                              static_cast<int>(x) / side_];
    return std::any_of(list.begin(), list.end(),
                       [&](size_t t) { return inside(scene_.tubes[t].outer, x, y); });
  }

 private:
  const Scene& scene_;
  int side_, cols_, rows_;
  std::vector<std::vector<size_t>> lists_;
};

void add_stroma_cells(Scene& scene, Rng& rng) {
  const TubeIndex tubes(scene);
  const double um = scene.px_per_um;
  const double pitch = 17 * um;
  const cv::Mat1f crowd = fractal_noise(rng, scene.edge.rows, scene.edge.cols, 180 * um / kCell, 3);
  const cv::Mat1f inflamed =
      fractal_noise(rng, scene.edge.rows, scene.edge.cols, 300 * um / kCell, 3);
  const double inflammation = rng.uniform(0.05, 0.28);  // of the slide
  const auto columns = grid_lines(0, scene.width - 1, pitch);
  for (const double gy : grid_lines(0, scene.height - 1, pitch)) {
    for (const double gx : columns) {
      Rng here = Rng::keyed({rng.next()});
      const double x = std::min(gx + here.uniform(0, pitch), scene.width - 1.0);
      const double y = std::min(gy + here.uniform(0, pitch), scene.height - 1.0);
      if (sample(scene.edge, x, y) < 3 * um) continue;
      const bool fat = sample(scene.fat, x, y) > 0;
      const double lymphocyte_share = inflammation * std::exp(0.8 * sample(inflamed, x, y));
      const bool lymph = here.chance(std::min(lymphocyte_share, 0.6));
      const double keep = fat ? 0.03 : 0.62 + 0.15 * sample(crowd, x, y);
      if (!here.chance(keep) || tubes.inside_tube(x, y)) continue;
      if (in_any(scene.foci, x, y) || in_any(scene.aggregates, x, y)) continue;
      if (!lymph && cleft_at(scene, x, y) > 0.5F) continue;
      scene.cells.push_back(lymph ? lymphocyte(scene, here, x, y) : fibroblast(scene, here, x, y));
    }
  }
}

void add_aggregate_cells(Scene& scene, Rng& rng) {
  const double um = scene.px_per_um;
  for (const Shape& shape : scene.aggregates) {
    Spread spread(shape.box, 6.3 * um);
    const double tries = 14.0 * shape.box.area() / std::pow(6.3 * um, 2);
    for (int i = 0; i < static_cast<int>(tries); ++i) {
      const double x = rng.uniform(shape.box.x, shape.box.x + shape.box.width);
      const double y = rng.uniform(shape.box.y, shape.box.y + shape.box.height);
      if (x < 0 || y < 0 || x >= scene.width || y >= scene.height) continue;
      if (inside(shape, x, y) && spread.take(x, y, rng.uniform(0.85, 1.15)))
        scene.cells.push_back(lymphocyte(scene, rng, x, y));
    }
  }
}

// Lymphocytes that strayed from the aggregates, fewer with the distance.
void add_stray_cells(Scene& scene, Rng& rng) {
  const double um = scene.px_per_um;
  for (const Shape& shape : scene.aggregates) {
    const Point centre{shape.box.x + shape.box.width / 2.0, shape.box.y + shape.box.height / 2.0};
    const double radius = (shape.box.width + shape.box.height) / 4.0;
    const int count = static_cast<int>(2 * std::numbers::pi * radius / (5 * um));
    for (int i = 0; i < count; ++i) {
      const double angle = rng.angle();
      const double reach = radius * 0.92 - 16 * um * std::log(1 - rng.uniform());
      const double x = centre.x + reach * std::cos(angle);
      const double y = centre.y + reach * std::sin(angle);
      if (x < 0 || y < 0 || x >= scene.width || y >= scene.height) continue;
      if (sample(scene.edge, x, y) < 3 * um || sample(scene.fat, x, y) > 0 || inside(shape, x, y) ||
          in_any(scene.foci, x, y)) {
        continue;
      }
      scene.cells.push_back(lymphocyte(scene, rng, x, y));
    }
  }
}

void add_focus_cells(Scene& scene, int label, Rng& rng) {
  const double um = scene.px_per_um;
  const double spacing = (label == 2 ? 8.5 : 11.5) * um;
  for (const Shape& shape : scene.foci) {
    Spread spread(shape.box, spacing);
    const double tries = 5.0 * shape.box.area() / (spacing * spacing);
    for (int i = 0; i < static_cast<int>(tries); ++i) {
      const double x = rng.uniform(shape.box.x, shape.box.x + shape.box.width);
      const double y = rng.uniform(shape.box.y, shape.box.y + shape.box.height);
      if (!inside(shape, x, y) || !spread.take(x, y, rng.uniform(0.72, 1))) continue;
      const double kind = rng.uniform();
      if (kind < 0.07) {
        scene.cells.push_back(lymphocyte(scene, rng, x, y));
      } else {
        scene.cells.push_back(label == 2 ? spindle_cell(scene, rng, x, y)
                                         : tumor_cell(scene, rng, x, y));
      }
    }
  }
}

Point along_ring(const Ring& ring, double share) {
  const double at = share * static_cast<double>(ring.size());
  const auto i = static_cast<size_t>(at) % ring.size();
  const Point& p = ring[i];
  const Point& q = ring[(i + 1) % ring.size()];
  const double t = at - std::floor(at);
  return {p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)};
}

// Epithelium: nuclei near the base, standing across the wall. Vessels: flat nuclei along the lumen,
// red cells in it.
void add_tube_cells(Scene& scene, Rng& rng) {
  const double um = scene.px_per_um;
  for (const Tube& tube : scene.tubes) {
    const cv::Rect& box = tube.outer.box;
    const Point centre{box.x + box.width / 2.0, box.y + box.height / 2.0};
    const double girth = std::numbers::pi * (box.width + box.height) / 2.0;
    const int count = static_cast<int>(girth / ((tube.vessel ? 14 : 5.4) * um));
    for (int i = 0; i < count; ++i) {
      const Point out = along_ring(tube.outer.ring, (i + rng.uniform(0, 0.5)) / count);
      const double reach = std::hypot(out.x - centre.x, out.y - centre.y);
      if (reach < 1) continue;
      const double angle = std::atan2(out.y - centre.y, out.x - centre.x);
      const double depth = (tube.vessel ? rng.uniform(3, 5) : rng.uniform(4.5, 7.5)) * um;
      const double x = centre.x + (reach - depth) * std::cos(angle);
      const double y = centre.y + (reach - depth) * std::sin(angle);
      Cell cell = tube.vessel ? ellipse(scene, x, y, rng.uniform(4, 6), 1.3,
                                        turned(angle + std::numbers::pi / 2))
                              : ellipse(scene, x, y, rng.uniform(3.4, 4.4), rng.uniform(1.9, 2.5),
                                        turned(angle + rng.normal(0, 0.15)));
      cell.kind = CellKind::epithelial;
      cell.density = static_cast<float>(rng.uniform(0.85, 1.2));
      cell.clearing = static_cast<float>(rng.uniform(0.1, 0.4));
      cell.wobble = 0.05F;
      cell.phase = static_cast<float>(rng.angle());
      scene.cells.push_back(cell);
    }
    if (!tube.vessel || rng.chance(0.35)) continue;
    Spread spread(tube.lumen.box, 6.2 * um);
    const int tries =
        static_cast<int>(rng.uniform(0.3, 3) * tube.lumen.box.area() / std::pow(6.2 * um, 2));
    for (int i = 0; i < tries; ++i) {
      const double x = rng.uniform(tube.lumen.box.x, tube.lumen.box.x + tube.lumen.box.width);
      const double y = rng.uniform(tube.lumen.box.y, tube.lumen.box.y + tube.lumen.box.height);
      if (!inside(tube.lumen, x, y) || !spread.take(x, y)) continue;
      Cell red = ellipse(scene, x, y, 3.3, rng.uniform(2.5, 3.3), turned(rng.angle()));
      red.kind = CellKind::red_cell;
      red.density = static_cast<float>(rng.uniform(0.5, 0.9));
      red.phase = static_cast<float>(rng.angle());
      red.wobble = 0.05F;
      scene.cells.push_back(red);
    }
  }
}

}  // namespace

void add_cells(Scene& scene, int label, Rng& rng) {
  // One stream each: what a positive slide holds more does not move the rest.
  Rng stroma = Rng::keyed({rng.next()});
  Rng aggregates = Rng::keyed({rng.next()});
  Rng tubes = Rng::keyed({rng.next()});
  Rng foci = Rng::keyed({rng.next()});
  add_stroma_cells(scene, stroma);
  add_aggregate_cells(scene, aggregates);
  add_stray_cells(scene, aggregates);
  add_tube_cells(scene, tubes);
  add_focus_cells(scene, label, foci);
}

}  // namespace pathology::sim
