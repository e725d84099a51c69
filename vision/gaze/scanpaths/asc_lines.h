// Lines of EyeLink's ASC, taken apart. `where` ("x.asc: row 17") begins every sentence.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vision/gaze/scanpaths/scanpaths.h"

namespace gaze {

enum class AscKind { fixation, saccade, blink };

/// SFIX, SSACC, SBLINK: what begins, of which eye, when (milliseconds).
struct AscBegin {
  AscKind kind = AscKind::fixation;
  char eye = 'L';
  double start = 0;
};

/// EFIX, ESACC, EBLINK.
struct AscEnd {
  AscKind kind = AscKind::fixation;
  char eye = 'L';
  double start = 0, end = 0, duration = 0;          ///< milliseconds
  Fixation fixation;                                ///< of a fixation
  double pupil = kNaN;                              ///< of a fixation
  std::optional<std::array<double, 2>> resolution;  ///< pixels per degree, where the file has them
  SaccadeEvent saccade;                             ///< of a saccade
};

/// None for words that begin no such line. Throws attn::Error for lines with other numbers of
/// values, another eye, values that are no numbers, an end before its start.
std::optional<AscBegin> asc_begin(const std::vector<std::string_view>& words,
                                  const std::string& where);
std::optional<AscEnd> asc_end(const std::vector<std::string_view>& words, const std::string& where);

/// The number at a place that must be there and finite ("time").
double asc_number(const std::vector<std::string_view>& words, size_t at, const char* what,
                  const std::string& where);

struct AscMessage {
  double time = 0;      ///< milliseconds
  std::string text;     ///< as it stands there, UTF-8
  std::string command;  ///< the same without the offset in milliseconds that may stand before it
};
AscMessage asc_message(std::string_view line, const std::string& where);

/// The screen that a message tells (DISPLAY_COORDS or GAZE_COORDS 0 0 right bottom), as `name`
/// asks.
std::optional<Screen> asc_screen(const AscMessage& message, std::string_view name,
                                 const std::string& where);

/// What follows `word` and blanks in a text that begins so; none where it does not.
std::optional<std::string> behind(std::string_view text, std::string_view word);

}  // namespace gaze
