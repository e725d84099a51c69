// What lies on one simulated slide, before a pixel is drawn: coarse fields, outlines and nuclei.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <vector>

#include "pathology/simulate/noise.h"
#include "pathology/simulate/simulate.h"
#include "pathology/simulate/stain.h"

namespace pathology::sim {

enum class CellKind : uint8_t {
  fibroblast,
  lymphocyte,
  epithelial,
  tumor,
  spindle,
  mitosis,
  red_cell
};

/// One nucleus (or one red cell): an ellipse with a wavy border. Lengths in level-0 pixels.
struct Cell {
  float x = 0, y = 0;
  float long_axis = 0, short_axis = 0;  ///< half axes
  float cos = 1, sin = 0;               ///< direction of the long axis
  float density = 1;                    ///< haematoxylin (of a red cell: its pigment)
  float clearing = 0;  ///< 0: even chromatin; 1: pale inside a dark rim (vesicular)
  float wobble = 0;    ///< relative amplitude of the border's waves
  float phase = 0;
  CellKind kind = CellKind::fibroblast;
  uint8_t nucleoli = 0;
};

/// A closed shape with its bounding box.
struct Shape {
  Ring ring;
  cv::Rect box;
};

/// A gland (crypt) or vessel: an outer outline and the lumen inside it.
struct Tube {
  Shape outer;
  Shape lumen;
  bool vessel = false;
};

/// A speck or fibre of dust.
struct Dust {
  float x, y, long_axis, short_axis, angle, density;
};

/// Stroke of a felt pen: the colour's optical density, and its coarse coverage 0 to 1.
struct PenMarks {
  std::array<float, 3> density{};
  cv::Mat1f cover;  ///< empty: none
};

/// Wavy fibre bundles: texture coordinates that follow a warped frame.
struct FibreFrame {
  float cos = 1, sin = 0;
  float scale = 1;           ///< texture pixels per level-0 pixel
  cv::Mat1f warp_u, warp_v;  ///< coarse, level-0 pixels
  float u(float x, float y, float warp) const { return (x * cos + y * sin + warp) * scale; }
  float v(float x, float y, float warp) const { return (y * cos - x * sin + warp) * scale; }
};

/// Everything on a slide. Coarse fields have one value for each kCell x kCell pixels.
struct Scene {
  int width = 0, height = 0;
  float px_per_um = 2;
  Stain stain;
  uint64_t seed = 0;    ///< of the slide: camera noise and small detail
  cv::Mat1f edge;       ///< signed distance to the tissue's border, level-0 pixels, positive inside
  cv::Mat1f thickness;  ///< factor on all stain: folds and uneven cutting
  cv::Mat1f fat;        ///< positive in fat
  cv::Mat1f looseness;  ///< how much of the stroma is white clefts, about -1 to 1
  cv::Mat1f eosin;      ///< slow changes of the eosin amount, about 1
  cv::Mat1f defocus;    ///< 0 sharp to 1 blurred; empty: sharp everywhere
  FibreFrame fibre;
  std::vector<PenMarks> pens;
  std::vector<Dust> dust;
  std::vector<Tube> tubes;
  std::vector<Shape> aggregates;
  std::vector<Shape> foci;
  std::vector<Region> tissue;  ///< level-0 pixels
  std::vector<Cell> cells;
  /// Cells by the kBucket x kBucket pixel square their centre lies in, row by row.
  static constexpr int kBucket = 256;
  int bucket_cols = 0, bucket_rows = 0;
  std::vector<std::vector<uint32_t>> buckets;
};

/// Builds slide `plan` of `options` from the random stream of (seed, index). Throws attn::Error
/// when the foci find no room.
Scene build_scene(const SimulateOptions& options, const SlidePlan& plan, int index);

/// Share of white cleft in the stroma at a pixel, 0 to 1; `u`, `v` are fibre coordinates.
float cleft(float u, float v, float looseness);

/// The scene's parts, in the order in which they are made. Each takes its own random stream.
void add_tissue(Scene& scene, Rng& rng);
void add_tubes(Scene& scene, Rng& rng);
void add_artefacts(Scene& scene, const SimulateOptions& options, Rng& rng);
void add_cells(Scene& scene, int label, Rng& rng);

/// An irregular outline around (x, y) with the area of a circle of radius `radius` (pixels),
/// stretched by `aspect`.
Shape blob(Rng& rng, double x, double y, double radius, double roughness, double aspect = 1,
           double angle = 0);
/// Where a grid's lines lie: `first`, first + step, ... below `end`.
std::vector<double> grid_lines(double first, double end, double step);
/// True when the pixel lies inside.
bool inside(const Shape& shape, double x, double y);

}  // namespace pathology::sim
