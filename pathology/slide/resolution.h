// Microns per pixel: from every property scanners write it to, within what a microscope can do, and
// never guessed.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace pathology {

/// The smallest and largest microns per pixel that are believed: a 200x oil objective gives about
/// 0.05, a 0.5x overview
/// 20. The default tags of office software (72, 96, 300 dpi: 353, 265, 85) lie outside.
inline constexpr double kMinMpp = 0.05;
inline constexpr double kMaxMpp = 20.0;
/// Largest relative difference between x and y that is averaged; beyond it the pixel is not square
/// and is refused.
inline constexpr double kMaxAnisotropy = 0.02;

/// The resolution of level 0 and where it comes from.
struct Resolution {
  std::optional<double> mpp;  ///< microns per pixel, mean of x and y
  std::string
      source;  ///< "openslide.mpp-x", "tiff.XResolution", "override", ...; empty where unknown
  /// Where `mpp` is empty: what the file does state and why it is not believed. Otherwise empty.
  std::string problem;
  /// A sentence where the file states another resolution than was given for slides that state none.
  std::string note = {};
};

/// Microns per pixel of level 0 that are known from elsewhere; attn::UsageError outside
/// kMinMpp..kMaxMpp.
struct GivenMpp {
  std::optional<double> instead = {};    ///< replaces what the slide states (a manifest's column)
  std::optional<double> otherwise = {};  ///< for a slide that states none (--slide-mpp)
};
/// Largest relative difference between the resolution stated and the one given for slides that
/// state none that goes without a `note`.
inline constexpr double kMaxMppDifference = 0.05;

/// Value of a property by name, if the slide has it.
using PropertyLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Resolution from what is given and from a slide's properties. In this order, the first that is
/// believable wins:
///   1. `given.instead`
///   2. openslide.mpp-x / -y (Aperio, Hamamatsu, Leica, MIRAX, Philips, Sakura, Ventana)
///   3. aperio.MPP; mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X / _Y; ventana.ScanRes;
///      philips.DICOM_PIXEL_SPACING (mm); hamamatsu.XResolution / YResolution (px per cm)
///   4. openslide.comment: "MPP = v" (Aperio style), OME-XML PhysicalSizeX / Y with its unit,
///   ImageJ "unit=micron" with
///      tiff.XResolution in px per micron
///   5. tiff.XResolution / YResolution with tiff.ResolutionUnit centimeter (10000 / r) or inch
///   (25400 / r)
///   6. `given.otherwise`
/// The objective power is no resolution (20x is 0.45 to 0.55 in practice): it is told in `problem`,
/// never used.
Resolution find_resolution(const PropertyLookup& property, const GivenMpp& given);

/// Resolution of a flat picture from its tags in px per metre (PNG pHYs, JFIF density, TIFF
/// resolution); 0 where absent.
Resolution flat_resolution(double px_per_metre_x, double px_per_metre_y, const std::string& tag,
                           const GivenMpp& given);

}  // namespace pathology
