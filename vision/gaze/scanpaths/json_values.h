// Values of JSON as this room reads and writes them. `where` begins every sentence.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vision/gaze/scanpath/box.h"

namespace gaze {

using Json = nlohmann::json;

/// What stands there, for a sentence: cut, without line breaks.
std::string shown(const Json& value);

/// "expected WHAT, found ..." as attn::Error.
[[noreturn]] void refuse_value(const std::string& where, std::string_view key,
                               const std::string& expected, const Json& found);

/// Finite by JSON's nature; null is NaN.
double number_or_nan(const Json& value, const std::string& where, std::string_view key);
double finite_number(const Json& value, const std::string& where, std::string_view key);
/// A list of those, of `count` where that is given.
std::vector<double> numbers_or_nan(const Json& value, const std::string& where,
                                   std::string_view key);
std::vector<double> finite_numbers(const Json& value, size_t count, const std::string& where,
                                   std::string_view key);
/// Text, or a whole number as its digits; null is empty.
std::string text_value(const Json& value, const std::string& where, std::string_view key);

/// [x, y, width, height].
Box box_of_bbox(const Json& value, const std::string& where, std::string_view key);
Screen screen_of_pair(const Json& value, const std::string& where, std::string_view key);

/// Whole numbers without ".0", NaN as null.
Json number_json(double value);
Json numbers_json(const std::vector<double>& values);
/// {x0, y0, x1, y1, label, score}, the last two where told.
Json box_json(const Box& box);
Box box_of_json(const Json& value, const std::string& where, std::string_view key);

/// Further fields: name -> JSON text.
std::map<std::string, std::string> texts_of_object(const Json& value, const std::string& where,
                                                   std::string_view key);
Json object_of_texts(const std::map<std::string, std::string>& texts);

}  // namespace gaze
