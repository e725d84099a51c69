#include "pathology/slide/resolution.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace pathology {
namespace {

using attn::io::number_text;

std::optional<double> leading_number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '"')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Four significant digits, for messages.
std::string rounded(double value) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4)
          .ptr;
  return {text.data(), end};
}

/// What follows `key` in `text`, blanks and one '=' skipped; nullopt where `key` is absent.
std::optional<std::string_view> after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  while (!text.empty() && (text.front() == ' ' || text.front() == '=')) text.remove_prefix(1);
  return text;
}

/// A pair of microns per pixel found under a name, before it is believed.
struct Candidate {
  std::string source;
  double x = 0, y = 0;
  std::string stated;  // as the file says it, for messages
};

class Finder {
 public:
  explicit Finder(const PropertyLookup& property) : property_(property) {}

  Resolution find() {
    microns("openslide.mpp-x", "openslide.mpp-y");
    microns("aperio.MPP", "aperio.MPP");
    microns("mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X",
            "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_Y");
    microns("ventana.ScanRes", "ventana.ScanRes");
    philips();
    per_length("hamamatsu.XResolution", "hamamatsu.YResolution", 1e4, "px per cm");
    comment();
    tiff_tags();
    if (!result_.mpp) explain();
    return result_;
  }

  void consider(const Candidate& candidate) {
    if (result_.mpp) return;
    const double low = std::min(candidate.x, candidate.y);
    const double high = std::max(candidate.x, candidate.y);
    std::string reason;
    if (!(low >= kMinMpp && high <= kMaxMpp)) {
      reason =
          "is outside " + number_text(kMinMpp) + " to " + number_text(kMaxMpp) + " um per pixel";
    } else if ((high - low) / low > kMaxAnisotropy) {
      reason = "differs between x and y by more than " + number_text(100 * kMaxAnisotropy) + " %";
    } else {
      result_ = {(candidate.x + candidate.y) / 2, candidate.source, "", ""};
      return;
    }
    if (result_.problem.empty())
      result_.problem = candidate.source + " says " + candidate.stated + ", which " + reason;
  }

 private:
  std::optional<double> number(const std::string& name) const {
    const auto text = property_(name);
    return text ? leading_number(*text) : std::nullopt;
  }

  void microns(const std::string& name_x, const std::string& name_y) {
    const auto x = number(name_x);
    const auto y = number(name_y);
    if (!x && !y) return;
    consider({name_x, x.value_or(y.value_or(0)), y.value_or(x.value_or(0)),
              rounded(x.value_or(y.value_or(0))) + " um per pixel"});
  }

  /// `microns_per_unit` / value, the value being px per unit.
  void per_length(const std::string& name_x, const std::string& name_y, double microns_per_unit,
                  const std::string& unit) {
    const auto x = number(name_x);
    const auto y = number(name_y);
    if (!x || !y || *x <= 0 || *y <= 0) return;
    consider({name_x, microns_per_unit / *x, microns_per_unit / *y,
              rounded(*x) + " " + unit + " (" + rounded(microns_per_unit / *x) + " um per pixel)"});
  }

  void philips() {  // "0.000227" "0.000227": row and column spacing in mm
    const auto text = property_("philips.DICOM_PIXEL_SPACING");
    if (!text) return;
    const auto row = leading_number(*text);
    const std::size_t blank = text->find("\" \"");
    const auto column = blank == std::string::npos ? row : leading_number(text->substr(blank + 2));
    if (row && column)
      consider({"philips.DICOM_PIXEL_SPACING", *column * 1e3, *row * 1e3, *text + " mm"});
  }

  void comment() {
    const auto text = property_("openslide.comment");
    if (!text) return;
    if (const auto rest = after(*text, "MPP")) {
      if (const auto value = leading_number(*rest))
        consider({"openslide.comment (MPP)", *value, *value, rounded(*value) + " um per pixel"});
    }
    ome_xml(*text);
    const bool microns = text->find("unit=micron") != std::string::npos ||
                         text->find("unit=um") != std::string::npos ||
                         text->find("unit=\\u00B5m") != std::string::npos;
    if (text->find("ImageJ=") != std::string::npos && microns)
      per_length("tiff.XResolution", "tiff.YResolution", 1, "px per um (ImageJ)");
  }

  void ome_xml(std::string_view text) {
    const auto x = after(text, "PhysicalSizeX=\"");
    const auto y = after(text, "PhysicalSizeY=\"");
    if (!x || !y) return;
    const auto size_x = leading_number(*x);
    const auto size_y = leading_number(*y);
    double factor = 1;  // OME's default unit is the micron
    if (const auto unit = after(text, "PhysicalSizeXUnit=\"")) {
      const std::string_view name = unit->substr(0, unit->find('"'));
      if (name == "nm")
        factor = 1e-3;
      else if (name == "mm")
        factor = 1e3;
      else if (name != "\u00b5m" && name != "\u03bcm" && name != "um" && name != "&#181;m")
        return;
    }
    if (size_x && size_y)
      consider({"openslide.comment (OME PhysicalSizeX)", *size_x * factor, *size_y * factor,
                rounded(*size_x * factor) + " um per pixel"});
  }

  void tiff_tags() {
    const std::string unit = property_("tiff.ResolutionUnit").value_or("");
    if (unit == "centimeter") per_length("tiff.XResolution", "tiff.YResolution", 1e4, "px per cm");
    if (unit == "inch") per_length("tiff.XResolution", "tiff.YResolution", 25400, "px per inch");
  }

  void explain() {
    if (result_.problem.empty()) result_.problem = "it states no resolution";
    if (const auto power = number("openslide.objective-power"))
      result_.problem += " (an objective of " + rounded(*power) +
                         "x is stated, which does not fix the pixel size)";
  }

  const PropertyLookup& property_;
  Resolution result_;
};

Resolution from_given(double mpp) {
  if (!(mpp >= kMinMpp && mpp <= kMaxMpp))
    throw attn::UsageError("a resolution of " + number_text(mpp) +
                           " um per pixel was given for a slide; expected " + number_text(kMinMpp) +
                           " to " + number_text(kMaxMpp));
  return {mpp, "override", "", ""};
}

}  // namespace

Resolution find_resolution(const PropertyLookup& property, const GivenMpp& given) {
  if (given.instead) return from_given(*given.instead);
  Resolution stated = Finder(property).find();
  if (!given.otherwise) return stated;
  Resolution other = from_given(*given.otherwise);
  if (!stated.mpp) return other;
  if (std::abs(*other.mpp / *stated.mpp - 1) > kMaxMppDifference)
    stated.note = "it states " + rounded(*stated.mpp) + " um per pixel (" + stated.source +
                  "), which stands: the " + rounded(*other.mpp) +
                  " given are for slides that state none; to replace a wrong value, list the slide "
                  "in a manifest with a column mpp";
  return stated;
}

Resolution flat_resolution(double px_per_metre_x, double px_per_metre_y, const std::string& tag,
                           const GivenMpp& given) {
  const PropertyLookup property = [&](const std::string& name) -> std::optional<std::string> {
    // Passed on as the TIFF tags they are or stand for, in px per cm.
    if (name == "tiff.ResolutionUnit") return "centimeter";
    if (name == "tiff.XResolution" && px_per_metre_x > 0) return number_text(px_per_metre_x / 100);
    if (name == "tiff.YResolution" && px_per_metre_y > 0) return number_text(px_per_metre_y / 100);
    return std::nullopt;
  };
  Resolution result = find_resolution(property, given);
  const std::string from = "tiff.XResolution";
  if (result.source == from) result.source = tag;
  if (result.problem.starts_with(from)) result.problem.replace(0, from.size(), tag);
  return result;
}

}  // namespace pathology
