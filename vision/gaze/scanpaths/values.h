// Small things that the readers and writers of this room share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vision/gaze/scanpath/fixation.h"

namespace gaze {

/// "1680 x 1050".
std::string screen_text(const Screen& screen);
inline bool same_screen(const Screen& a, const Screen& b) {
  return a.width == b.width && a.height == b.height;
}

/// The screen that a file tells, or the one asked for where it tells none. Throws attn::Error
/// beginning with `where` where there is neither, where both are there and differ, and where it is
/// no size.
Screen known_screen(const std::optional<Screen>& told, const std::optional<Screen>& asked,
                    const std::string& where);

/// A number of a table or an ASC file: NaN for what such files write where they have none (".",
/// "n/a", "NA", "nan"). False for any other text that is not a finite number.
bool parse_value(std::string_view text, double& value);

/// Milliseconds that divided by 1000 give `seconds` again, the shortest such number; where there is
/// none the nearest.
double milliseconds(double seconds);

/// Bytes that are not UTF-8 are taken as Latin-1, as older trackers write.
std::string as_utf8(std::string_view bytes);

/// Pieces between blanks and tabs.
std::vector<std::string_view> words_of(std::string_view line);

}  // namespace gaze
