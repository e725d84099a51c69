#include "vision/gaze/scanpaths/values.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace gaze {

std::string screen_text(const Screen& screen) {
  return attn::io::number_text(screen.width) + " x " + attn::io::number_text(screen.height);
}

Screen known_screen(const std::optional<Screen>& told, const std::optional<Screen>& asked,
                    const std::string& where) {
  if (!told && !asked)
    throw attn::Error(where +
                      ": the size of the screen is not in the file; give its width and height in "
                      "pixels (COCO-Search18's is 1680 x 1050)");
  const Screen screen = told ? *told : *asked;
  if (!(std::isfinite(screen.width) && screen.width > 0 && std::isfinite(screen.height) &&
        screen.height > 0))
    throw attn::Error(where + ": expected a screen of two sizes above 0, found " +
                      screen_text(screen));
  if (told && asked && !same_screen(*told, *asked))
    throw attn::Error(where + ": its screen is " + screen_text(*told) + ", and " +
                      screen_text(*asked) +
                      " was given; leave that out or read the files of one screen");
  return screen;
}

bool parse_value(std::string_view text, double& value) {
  static constexpr std::array<std::string_view, 6> kNone = {".", "n/a", "N/A", "NA", "nan", "NaN"};
  if (std::find(kNone.begin(), kNone.end(), text) != kNone.end()) {
    value = kNaN;
    return true;
  }
  return attn::io::parse_finite(text, value);
}

double milliseconds(double seconds) {
  const double product = seconds * 1000;
  if (!std::isfinite(product)) return product;
  for (const double scale : {1.0, 10.0, 100.0, 1e3, 1e4, 1e6, 1e9}) {
    const double rounded = std::round(product * scale) / scale;
    if (rounded / 1000 == seconds) return rounded;
  }
  const double up = std::nextafter(product, INFINITY), down = std::nextafter(product, -INFINITY);
  for (const double near : {product, up, down})
    if (near / 1000 == seconds) return near;
  return product;
}

std::string as_utf8(std::string_view bytes) {
  if (attn::io::find_invalid_utf8(bytes) == std::string_view::npos) return std::string(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t\r";
  for (size_t at = line.find_first_not_of(kBlanks); at != line.npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

}  // namespace gaze
