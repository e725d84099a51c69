#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

#include "pathology/simulate/render.h"

namespace pathology::sim {
namespace {

// Haematoxylin inside a nucleus at relative radius r (0 centre, 1 border).
float chromatin(const Cell& cell, float r, float clumps, float nucleolus) {
  const float rim = smoothstep(0.55F, 0.92F, r);
  const float even = 0.82F + 0.36F * (clumps - 0.5F);
  const float cleared = 0.38F + 0.5F * (clumps - 0.4F) + 0.62F * rim;
  const float value = even + cell.clearing * (cleared - even);
  return cell.density * std::max(value + nucleolus, 0.15F);
}

// Dark dots in vesicular nuclei, at fixed places in the nucleus' own frame.
float nucleolus_at(const Cell& cell, float u, float v) {
  float sum = 0;
  for (int k = 0; k < cell.nucleoli; ++k) {
    const float angle = cell.phase + 2.4F * static_cast<float>(k);
    const float du = u - 0.32F * std::cos(angle);
    const float dv = v - 0.32F * std::sin(angle);
    sum += 0.7F * (1 - smoothstep(0.10F, 0.22F, std::sqrt(du * du + dv * dv)));
  }
  return sum;
}

void draw_red_cell(const Cell& cell, float r, float cover, int y, int x, StainMaps& maps) {
  const float dent = 0.75F + 0.3F * smoothstep(0.2F, 0.8F, r);
  maps.red(y, x) = std::max(maps.red(y, x), cover * cell.density * dent);
}

void draw(const Cell& cell, const cv::Rect& block, StainMaps& maps) {
  const float reach = std::max(cell.long_axis, cell.short_axis) * 1.35F + 2;
  const int x0 = std::max(static_cast<int>(std::floor(cell.x - reach)), block.x);
  const int y0 = std::max(static_cast<int>(std::floor(cell.y - reach)), block.y);
  const int x1 = std::min(static_cast<int>(std::ceil(cell.x + reach)) + 1, block.x + block.width);
  const int y1 = std::min(static_cast<int>(std::ceil(cell.y + reach)) + 1, block.y + block.height);
  const float soft = 1.0F / std::max(cell.short_axis, 1.0F);  // one pixel, relative
  const Textures& t = textures();
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) {
      const float dx = static_cast<float>(x) - cell.x;
      const float dy = static_cast<float>(y) - cell.y;
      const float u = (dx * cell.cos + dy * cell.sin) / cell.long_axis;
      const float v = (dy * cell.cos - dx * cell.sin) / cell.short_axis;
      float r = std::sqrt(u * u + v * v);
      if (r > 1.4F) continue;
      // cos 3t and cos 2t of the polar angle, without the angle.
      if (cell.wobble > 0 && r > 0.05F) {
        const float c = u / r;
        const float s = v / r;
        const float c3 = c * (4 * c * c - 3);
        const float s2 = 2 * s * c;
        r *= 1 + cell.wobble * (c3 * std::cos(cell.phase) + s2 * std::sin(cell.phase));
      }
      const float cover = 1 - smoothstep(1 - soft, 1 + soft, r);
      if (cover <= 0) continue;
      const int by = y - block.y;
      const int bx = x - block.x;
      if (cell.kind == CellKind::red_cell) {
        draw_red_cell(cell, r, cover, by, bx, maps);
        continue;
      }
      const float clumps = t.chromatin.texel(x + static_cast<int>(cell.phase * 97), y);
      const float h = cover * chromatin(cell, r, clumps, nucleolus_at(cell, u, v));
      maps.haematoxylin(by, bx) = std::max(maps.haematoxylin(by, bx), h);
      maps.eosin(by, bx) *= 1 - 0.55F * cover;
    }
  }
}

}  // namespace

void render_cells(const Scene& scene, const cv::Rect& block, StainMaps& maps) {
  const int margin = static_cast<int>(20 * scene.px_per_um) + 2;  // no nucleus reaches further
  const int side = Scene::kBucket;
  const int i0 = std::max((block.x - margin) / side, 0);
  const int j0 = std::max((block.y - margin) / side, 0);
  const int i1 = std::min((block.x + block.width + margin) / side, scene.bucket_cols - 1);
  const int j1 = std::min((block.y + block.height + margin) / side, scene.bucket_rows - 1);
  for (int j = j0; j <= j1; ++j) {
    for (int i = i0; i <= i1; ++i) {
      for (const uint32_t index : scene.buckets[static_cast<size_t>(j) * scene.bucket_cols + i]) {
        draw(scene.cells[index], block, maps);
      }
    }
  }
}

}  // namespace pathology::sim
