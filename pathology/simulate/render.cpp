#include "pathology/simulate/render.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace pathology::sim {
namespace {

// A block is drawn with this margin, so that what looks at neighbours (soft borders, defocus) sees
// the same pixels whatever the block.
constexpr int kMargin = 32;
constexpr int kSoftRadius = 8;
constexpr int kBlurRadius = 18;
static_assert(kSoftRadius + kBlurRadius < kMargin);

// Amounts of eosin and haematoxylin at one place.
struct Mix {
  float eosin;
  float haematoxylin;
};

// The coarse fields of one block at full size.
struct Fields {
  cv::Mat1f edge, thickness, fat, looseness, eosin, warp_u, warp_v;
  Fields(const Scene& scene, const cv::Rect& rect)
      : edge(upsample(scene.edge, rect)),
        thickness(upsample(scene.thickness, rect)),
        fat(upsample(scene.fat, rect)),
        looseness(upsample(scene.looseness, rect)),
        eosin(upsample(scene.eosin, rect)),
        warp_u(upsample(scene.fibre.warp_u, rect)),
        warp_v(upsample(scene.fibre.warp_v, rect)) {}
};

// Membranes between fat cells: near where the two nearest centres of a jittered grid are equally
// far.
float fat_membrane(float x, float y, float px_per_um, uint64_t seed) {
  const float pitch = 48 * px_per_um;
  const int ci = static_cast<int>(std::floor(x / pitch));
  const int cj = static_cast<int>(std::floor(y / pitch));
  float first = 1e9F;
  float second = 1e9F;
  for (int j = cj - 1; j <= cj + 1; ++j) {
    for (int i = ci - 1; i <= ci + 1; ++i) {
      Rng rng(seed ^ (static_cast<uint64_t>(static_cast<uint32_t>(i)) << 32U) ^
              static_cast<uint32_t>(j));
      const float px =
          (static_cast<float>(i) + 0.1F + 0.8F * static_cast<float>(rng.uniform())) * pitch;
      const float py =
          (static_cast<float>(j) + 0.1F + 0.8F * static_cast<float>(rng.uniform())) * pitch;
      const float d = std::hypot(px - x, py - y);
      second = std::min(second, std::max(d, first));
      first = std::min(first, d);
    }
  }
  return 1 - smoothstep(1.2F * px_per_um, 2.6F * px_per_um, second - first);
}

// Fibrous stroma with clefts, or fat, at one pixel.
Mix stroma(const Scene& scene, const Fields& f, int bx, int by, float x, float y) {
  const Textures& t = textures();
  const float u = scene.fibre.u(x, y, f.warp_u(by, bx));
  const float v = scene.fibre.v(x, y, f.warp_v(by, bx));
  const float fibre = t.fibre.at(u, v * 1.7F);
  const float bundle = t.fibre.at(u * 0.3F + 50, v * 0.45F + 90);
  const float grain = t.grain.texel(static_cast<int>(x), static_cast<int>(y));
  const float open = cleft(u, v, f.looseness(by, bx));
  Mix mix{f.eosin(by, bx) * (0.20F + 0.34F * fibre + 0.34F * bundle + 0.10F * grain),
          0.05F + 0.10F * bundle * (1 - fibre) + 0.05F * grain};
  mix.eosin *= 1 - 0.92F * open;
  mix.haematoxylin *= 1 - 0.85F * open;
  const float fat = smoothstep(-0.02F, 0.06F, f.fat(by, bx) + 0.10F * (bundle - 0.5F));
  if (fat > 0) {
    const float bent = 9 * scene.px_per_um * (t.cloud.at(x * 0.5F, y * 0.5F) - 0.5F);
    const float membrane = fat_membrane(x + bent, y - bent, scene.px_per_um, scene.seed);
    mix.eosin += fat * (0.03F + 0.5F * membrane - mix.eosin);
    mix.haematoxylin += fat * (0.01F + 0.14F * membrane - mix.haematoxylin);
  }
  return mix;
}

void draw_stroma(const Scene& scene, const Fields& f, const cv::Rect& rect, StainMaps& maps) {
  const Textures& t = textures();
  const float ragged = 7 * scene.px_per_um;
  for (int by = 0; by < rect.height; ++by) {
    for (int bx = 0; bx < rect.width; ++bx) {
      const float near = f.edge(by, bx);
      if (near < -ragged) continue;
      const auto x = static_cast<float>(rect.x + bx);
      const auto y = static_cast<float>(rect.y + by);
      float cover = 1;
      if (near < ragged + 4) {
        const float rough =
            1.2F * (t.cloud.at(x, y) - 0.5F) + 0.6F * (t.grain.at(x * 0.7F, y * 0.7F) - 0.5F);
        cover = smoothstep(-1.5F, 2.5F, near + ragged * rough);
        if (cover <= 0) continue;
      }
      const Mix mix = stroma(scene, f, bx, by, x, y);
      maps.eosin(by, bx) = cover * mix.eosin;
      maps.haematoxylin(by, bx) = cover * mix.haematoxylin;
    }
  }
}

// Where a shape covers the block, with a border softened over a few pixels. Empty when it does not
// reach it.
cv::Mat1b soft_mask(const Shape& shape, const cv::Rect& rect, cv::Rect& part, int radius) {
  const cv::Rect grown(shape.box.x - 3 * radius, shape.box.y - 3 * radius,
                       shape.box.width + 6 * radius, shape.box.height + 6 * radius);
  part = grown & rect;
  if (part.area() == 0) return {};
  // The softening looks `radius` further than the part.
  const cv::Rect wide(part.x - radius, part.y - radius, part.width + 2 * radius,
                      part.height + 2 * radius);
  cv::Mat1b mask(wide.size(), uchar{0});
  constexpr int kShift = 4;
  std::vector<cv::Point> points;
  for (const Point& p : shape.ring) {
    points.emplace_back(static_cast<int>(std::lround((p.x - wide.x) * (1 << kShift))),
                        static_cast<int>(std::lround((p.y - wide.y) * (1 << kShift))));
  }
  cv::fillPoly(mask, std::vector<std::vector<cv::Point>>{points}, 255, cv::LINE_8, kShift);
  const int side = 2 * radius + 1;
  cv::GaussianBlur(mask, mask, {side, side}, radius / 2.5);
  return mask(cv::Rect(radius, radius, part.width, part.height));
}

// Calls paint(weight, bx, by, x, y) where the shape's mask is above zero.
template <typename Paint>
void paint_shape(const Shape& shape, const cv::Rect& rect, int radius, Paint paint) {
  cv::Rect part;
  const cv::Mat1b mask = soft_mask(shape, rect, part, radius);
  for (int j = 0; j < mask.rows; ++j) {
    for (int i = 0; i < mask.cols; ++i) {
      if (mask(j, i) == 0) continue;
      paint(static_cast<float>(mask(j, i)) / 255, part.x - rect.x + i, part.y - rect.y + j,
            static_cast<float>(part.x + i), static_cast<float>(part.y + j));
    }
  }
}

void blend(StainMaps& maps, int bx, int by, float weight, Mix mix) {
  float& e = maps.eosin(by, bx);
  float& h = maps.haematoxylin(by, bx);
  e += weight * (mix.eosin - e);
  h += weight * (mix.haematoxylin - h);
}

void draw_tubes(const Scene& scene, const cv::Rect& rect, StainMaps& maps) {
  const Textures& t = textures();
  for (const Tube& tube : scene.tubes) {
    if ((tube.outer.box & rect).area() == 0) continue;
    paint_shape(tube.outer, rect, 2, [&](float w, int bx, int by, float x, float y) {
      const float grain = t.grain.at(x * 0.8F, y * 0.8F);
      if (tube.vessel) {
        blend(maps, bx, by, w, {0.62F + 0.25F * (grain - 0.5F), 0.10F});
        return;
      }
      const float mucin = smoothstep(0.55F, 0.75F, t.cloud.at(x * 1.6F + 40, y * 1.6F));
      blend(maps, bx, by, w,
            {0.36F + 0.16F * grain - 0.20F * mucin, 0.20F + 0.08F * grain - 0.08F * mucin});
    });
    paint_shape(tube.lumen, rect, 2, [&](float w, int bx, int by, float x, float y) {
      const float haze = t.cloud.at(x * 0.7F + 300, y * 0.7F);
      blend(maps, bx, by, w, {0.02F + 0.10F * haze * haze, 0.01F + 0.03F * haze});
    });
  }
}

void draw_patches(const Scene& scene, int radius, const cv::Rect& rect, StainMaps& maps) {
  const Textures& t = textures();
  for (const Shape& shape : scene.aggregates) {
    paint_shape(shape, rect, radius, [&](float w, int bx, int by, float x, float y) {
      const float grain = t.grain.at(x, y);
      blend(maps, bx, by, 0.75F * w, {0.22F + 0.14F * grain, 0.16F + 0.10F * grain});
    });
  }
  for (const Shape& shape : scene.foci) {
    paint_shape(shape, rect, radius, [&](float w, int bx, int by, float x, float y) {
      const float grain = t.grain.at(x, y);
      const float cloud = t.cloud.at(x * 0.9F, y * 0.9F);
      // Amphophilic cytoplasm; a little of the stroma stays between the nests.
      const float nest = smoothstep(0.12F, 0.26F, cloud);
      blend(maps, bx, by, w * (0.45F + 0.5F * nest),
            {0.24F + 0.16F * grain, 0.11F + 0.12F * cloud + 0.06F * grain});
    });
  }
}

cv::Mat3b to_rgb(const Scene& scene, const Fields& f, const cv::Rect& rect, const StainMaps& maps) {
  static const Transmission kTransmission;
  const Stain& s = scene.stain;
  const Textures& t = textures();
  const auto hue = [](const Rgb& v, double amount) {
    return cv::Vec3f(static_cast<float>(v[0] * amount), static_cast<float>(v[1] * amount),
                     static_cast<float>(v[2] * amount));
  };
  const cv::Vec3f h = hue(s.haematoxylin, 1.45 * s.haematoxylin_amount);
  const cv::Vec3f e = hue(s.eosin, 0.92 * s.eosin_amount);
  const cv::Vec3f r = hue(s.red_cell, 1.0);
  const auto shift = static_cast<int>(scene.seed & 1023U);
  cv::Mat3b out(rect.size());
  for (int by = 0; by < rect.height; ++by) {
    for (int bx = 0; bx < rect.width; ++bx) {
      const float thick = std::max(f.thickness(by, bx), 0.3F);
      const float ah = maps.haematoxylin(by, bx) * thick;
      const float ae = maps.eosin(by, bx) * thick;
      const float ar = maps.red(by, bx) * thick;
      const float noise = 3.2F * (t.speckle.texel(rect.x + bx + shift, rect.y + by) - 0.5F);
      for (int c = 0; c < 3; ++c) {
        const float light = static_cast<float>(s.background[static_cast<size_t>(c)]) *
                            kTransmission(ah * h[c] + ae * e[c] + ar * r[c]);
        out(by, bx)[c] = cv::saturate_cast<uchar>(light + noise + 0.5F);
      }
    }
  }
  return out;
}

void defocus(const Scene& scene, const cv::Rect& rect, cv::Mat3b& rgb) {
  if (scene.defocus.empty()) return;
  const cv::Mat1f weight = upsample(scene.defocus, rect);
  if (cv::countNonZero(weight > 0.002F) == 0) return;
  cv::Mat3b half;
  cv::Mat3b full;
  const double sigma = std::min(2.2 * scene.px_per_um, kBlurRadius / 2.8);
  const int side = 2 * kBlurRadius + 1;
  cv::GaussianBlur(rgb, half, {side, side}, sigma / 2.2);
  cv::GaussianBlur(rgb, full, {side, side}, sigma);
  for (int y = 0; y < rect.height; ++y) {
    for (int x = 0; x < rect.width; ++x) {
      const float w = 2 * weight(y, x);
      const cv::Vec3b& a = w < 1 ? rgb(y, x) : half(y, x);
      const cv::Vec3b& b = w < 1 ? half(y, x) : full(y, x);
      const float m = w < 1 ? w : w - 1;
      cv::Vec3b mixed;
      for (int c = 0; c < 3; ++c) mixed[c] = cv::saturate_cast<uchar>((1 - m) * a[c] + m * b[c]);
      rgb(y, x) = mixed;
    }
  }
}

void absorb(cv::Vec3b& pixel, const std::array<float, 3>& density, float amount) {
  for (int c = 0; c < 3; ++c) {
    pixel[c] = cv::saturate_cast<uchar>(static_cast<float>(pixel[c]) *
                                        std::exp(-amount * density[static_cast<size_t>(c)]));
  }
}

void draw_pens(const Scene& scene, const cv::Rect& rect, cv::Mat3b& rgb) {
  for (const PenMarks& pen : scene.pens) {
    const cv::Mat1f cover = upsample(pen.cover, rect);
    for (int y = 0; y < rect.height; ++y) {
      for (int x = 0; x < rect.width; ++x) {
        if (cover(y, x) < 0.004F) continue;
        const float streak = textures().fibre.at(static_cast<float>(rect.x + x) * 0.12F,
                                                 static_cast<float>(rect.y + y) * 0.7F);
        absorb(rgb(y, x), pen.density, cover(y, x) * (0.8F + 0.4F * streak));
      }
    }
  }
}

void draw_dust(const Scene& scene, const cv::Rect& rect, cv::Mat3b& rgb) {
  for (const Dust& d : scene.dust) {
    const int reach = static_cast<int>(1.6F * std::max(d.long_axis, d.short_axis)) + 3;
    const cv::Rect part = cv::Rect(static_cast<int>(d.x) - reach, static_cast<int>(d.y) - reach,
                                   2 * reach, 2 * reach) &
                          rect;
    const float c = std::cos(d.angle);
    const float s = std::sin(d.angle);
    for (int y = part.y; y < part.y + part.height; ++y) {
      for (int x = part.x; x < part.x + part.width; ++x) {
        const float dx = static_cast<float>(x) - d.x;
        const float dy = static_cast<float>(y) - d.y;
        const float along = (dx * c + dy * s) / d.long_axis;
        const float bow = 0.15F * d.long_axis * along * along;  // fibres are bent
        const float across = (dy * c - dx * s - bow) / d.short_axis;
        const float r = along * along + across * across;
        if (r > 2.2F) continue;
        const float amount = d.density * (1 - smoothstep(0.5F, 2.2F, r));
        absorb(rgb(y - rect.y, x - rect.x), {1.0F, 0.97F, 0.9F}, amount);
      }
    }
  }
}

}  // namespace

cv::Mat3b render_block(const Scene& scene, const cv::Rect& block) {
  const cv::Rect rect(block.x - kMargin, block.y - kMargin, block.width + 2 * kMargin,
                      block.height + 2 * kMargin);
  const Fields fields(scene, rect);
  StainMaps maps{cv::Mat1f(rect.size(), 0.0F), cv::Mat1f(rect.size(), 0.0F),
                 cv::Mat1f(rect.size(), 0.0F)};
  draw_stroma(scene, fields, rect, maps);
  draw_patches(scene, kSoftRadius, rect, maps);
  draw_tubes(scene, rect, maps);
  render_cells(scene, rect, maps);
  cv::Mat3b rgb = to_rgb(scene, fields, rect, maps);
  defocus(scene, rect, rgb);
  draw_dust(scene, rect, rgb);
  draw_pens(scene, rect, rgb);
  return rgb(cv::Rect(kMargin, kMargin, block.width, block.height)).clone();
}

}  // namespace pathology::sim
