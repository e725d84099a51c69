#include "vision/gaze/scanpaths/asc_lines.h"

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;
using attn::io::quote_text;
using Words = std::vector<std::string_view>;

constexpr std::array<std::string_view, 3> kBegins = {"SFIX", "SSACC", "SBLINK"};
constexpr std::array<std::string_view, 3> kEnds = {"EFIX", "ESACC", "EBLINK"};
/// Words of a line that ends a fixation, saccade, blink; two more where it tells the resolution.
constexpr std::array<size_t, 3> kWords = {8, 11, 5};

std::optional<AscKind> kind_of(const Words& words, const std::array<std::string_view, 3>& names) {
  const auto found = std::find(names.begin(), names.end(), words[0]);
  if (found == names.end()) return std::nullopt;
  return static_cast<AscKind>(found - names.begin());
}

void demand_words(const Words& words, size_t count, bool resolution, const std::string& where) {
  if (words.size() == count || (resolution && words.size() == count + 2)) return;
  throw Error(where + ": expected " + std::to_string(count - 1) +
              (resolution ? " or " + std::to_string(count + 1) : std::string()) +
              " values behind " + std::string(words[0]) + ", found " +
              std::to_string(words.size() - 1) +
              "; the line is damaged, convert the EDF file again");
}

char eye_of(const Words& words, const std::string& where) {
  if (words[1] == "L" || words[1] == "R") return words[1][0];
  throw Error(where + ": expected the eye L or R behind " + std::string(words[0]) + ", found " +
              quote_text(words[1]));
}

double value_at(const Words& words, size_t at, const std::string& where) {
  double value = 0;
  if (!parse_value(words[at], value))
    throw Error(where + ": expected a number as value " + std::to_string(at) + " of " +
                std::string(words[0]) + ", found " + quote_text(words[at]));
  return value;
}

void read_saccade(const Words& words, const std::string& where, SaccadeEvent& s) {
  s.x0 = value_at(words, 5, where);
  s.y0 = value_at(words, 6, where);
  s.x1 = value_at(words, 7, where);
  s.y1 = value_at(words, 8, where);
  s.amplitude = value_at(words, 9, where);
  s.peak_velocity = value_at(words, 10, where);
}

}  // namespace

double asc_number(const Words& words, size_t at, const char* what, const std::string& where) {
  double value = 0;
  if (at >= words.size() || !attn::io::parse_finite(words[at], value))
    throw Error(where + ": expected a " + what + ", a number, as value " + std::to_string(at) +
                " of " + quote_text(words[0]) + ", found " +
                (at < words.size() ? quote_text(words[at]) : std::string("nothing")));
  return value;
}

std::optional<AscBegin> asc_begin(const Words& words, const std::string& where) {
  const std::optional<AscKind> kind = kind_of(words, kBegins);
  if (!kind) return std::nullopt;
  demand_words(words, 3, false, where);
  return AscBegin{*kind, eye_of(words, where), asc_number(words, 2, "time", where)};
}

std::optional<AscEnd> asc_end(const Words& words, const std::string& where) {
  const std::optional<AscKind> kind = kind_of(words, kEnds);
  if (!kind) return std::nullopt;
  const size_t count = kWords[static_cast<size_t>(*kind)];
  demand_words(words, count, *kind != AscKind::blink, where);
  AscEnd e;
  e.kind = *kind;
  e.eye = eye_of(words, where);
  e.start = asc_number(words, 2, "time", where);
  e.end = asc_number(words, 3, "time", where);
  e.duration = asc_number(words, 4, "duration", where);
  if (e.end < e.start)
    throw Error(where + ": " + std::string(words[0]) + " ends at " + std::string(words[3]) +
                ", before its start at " + std::string(words[2]));
  if (e.duration < 0)
    throw Error(where + ": expected a duration of 0 or more, found " + std::string(words[4]));
  if (*kind == AscKind::fixation) {
    e.fixation = {value_at(words, 5, where), value_at(words, 6, where), e.duration / 1000};
    e.pupil = value_at(words, 7, where);
  } else if (*kind == AscKind::saccade) {
    read_saccade(words, where, e.saccade);
  }
  if (words.size() == count + 2)
    e.resolution = {value_at(words, count, where), value_at(words, count + 1, where)};
  return e;
}

AscMessage asc_message(std::string_view line, const std::string& where) {
  const Words words = words_of(line);
  AscMessage message;
  message.time = asc_number(words, 1, "time", where);
  const auto behind_time = static_cast<size_t>(words[1].data() + words[1].size() - line.data());
  std::string_view text = line.substr(behind_time);
  const auto trimmed = [](std::string_view of) {
    const size_t begin = std::min(of.find_first_not_of(" \t\r"), of.size());
    return of.substr(begin, of.find_last_not_of(" \t\r") + 1 - begin);
  };
  text = trimmed(text);
  message.text = as_utf8(text);
  const size_t blank = std::min(text.find_first_of(" \t"), text.size());
  double offset = 0;
  const bool has_offset = attn::io::parse_finite(text.substr(0, blank), offset);
  message.command = as_utf8(has_offset ? trimmed(text.substr(blank)) : text);
  return message;
}

std::optional<std::string> behind(std::string_view text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return std::nullopt;
  text.remove_prefix(word.size());
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return std::string();
  if (begin == 0) return std::nullopt;  // a longer word
  return std::string(text.substr(begin));
}

std::optional<Screen> asc_screen(const AscMessage& message, std::string_view name,
                                 const std::string& where) {
  const std::optional<std::string> rest = behind(message.command, name);
  if (!rest) return std::nullopt;
  std::vector<double> sides;
  for (const std::string_view word : words_of(*rest)) {
    double value = 0;
    if (attn::io::parse_finite(word, value)) sides.push_back(value);
  }
  if (sides.size() != 4)
    throw Error(where + ": expected left, top, right and bottom behind " + std::string(name) +
                ", found " + quote_text(*rest));
  if (sides[0] != 0 || sides[1] != 0)
    throw Error(where + ": expected a screen that begins at 0 0, found " + quote_text(*rest) +
                "; positions elsewhere are not read");
  return Screen{sides[2] + 1, sides[3] + 1};
}

}  // namespace gaze
