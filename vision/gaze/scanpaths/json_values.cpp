#include "vision/gaze/scanpaths/json_values.h"

#include <cmath>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"

namespace gaze {
namespace {

std::string item(std::string_view key, size_t i) {
  return std::string(key) + "[" + std::to_string(i) + "]";
}

const Json& demand_list(const Json& value, const std::string& where, std::string_view key) {
  if (!value.is_array()) refuse_value(where, key, "a list", value);
  return value;
}

}  // namespace

std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return attn::io::one_line(value.dump(), 40);
}

void refuse_value(const std::string& where, std::string_view key, const std::string& expected,
                  const Json& found) {
  throw attn::Error(where + ": key " + attn::io::one_line(key) + ": expected " + expected +
                    ", found " + shown(found));
}

double number_or_nan(const Json& value, const std::string& where, std::string_view key) {
  return value.is_null() ? kNaN : finite_number(value, where, key);
}

double finite_number(const Json& value, const std::string& where, std::string_view key) {
  if (!value.is_number()) refuse_value(where, key, "a number", value);
  return value.get<double>();
}

std::vector<double> numbers_or_nan(const Json& value, const std::string& where,
                                   std::string_view key) {
  std::vector<double> numbers;
  numbers.reserve(demand_list(value, where, key).size());
  for (size_t i = 0; i < value.size(); ++i) {
    const Json& at = value[i];  // names are made for what is refused alone
    numbers.push_back(at.is_number() ? at.get<double>() : number_or_nan(at, where, item(key, i)));
  }
  return numbers;
}

std::vector<double> finite_numbers(const Json& value, size_t count, const std::string& where,
                                   std::string_view key) {
  if (!value.is_array() || value.size() != count)
    refuse_value(where, key, "a list of " + std::to_string(count) + " numbers",
                 value.is_array() ? Json(std::to_string(value.size()) + " values") : value);
  std::vector<double> numbers;
  for (size_t i = 0; i < count; ++i)
    numbers.push_back(finite_number(value[i], where, item(key, i)));
  return numbers;
}

std::string text_value(const Json& value, const std::string& where, std::string_view key) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_integer()) refuse_value(where, key, "text or a whole number", value);
  return value.dump();
}

Box box_of_bbox(const Json& value, const std::string& where, std::string_view key) {
  const std::vector<double> v = finite_numbers(value, 4, where, key);
  if (v[2] < 0 || v[3] < 0)
    refuse_value(where, key, "x, y, width and height with sizes of 0 or more", Json(value.dump()));
  return {.x0 = v[0], .y0 = v[1], .x1 = v[0] + v[2], .y1 = v[1] + v[3]};
}

Screen screen_of_pair(const Json& value, const std::string& where, std::string_view key) {
  const std::vector<double> sides = finite_numbers(value, 2, where, key);
  return {sides[0], sides[1]};
}

Json number_json(double value) {
  if (!std::isfinite(value)) return nullptr;
  const bool whole = std::trunc(value) == value && std::fabs(value) < 9007199254740992.0;
  if (whole && !(value == 0 && std::signbit(value))) return static_cast<int64_t>(value);
  return value;
}

Json numbers_json(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number_json(value));
  return list;
}

Json box_json(const Box& box) {
  Json value = {{"x0", number_json(box.x0)},
                {"y0", number_json(box.y0)},
                {"x1", number_json(box.x1)},
                {"y1", number_json(box.y1)}};
  if (!box.label.empty()) value["label"] = box.label;
  if (std::isfinite(box.score)) value["score"] = number_json(box.score);
  return value;
}

Box box_of_json(const Json& value, const std::string& where, std::string_view key) {
  if (!value.is_object()) refuse_value(where, key, "an object", value);
  const std::string place = where + ": key " + std::string(key);
  Box box;
  box.x0 = attn::io::get<double>(value, "x0", place);
  box.y0 = attn::io::get<double>(value, "y0", place);
  box.x1 = attn::io::get<double>(value, "x1", place);
  box.y1 = attn::io::get<double>(value, "y1", place);
  box.label = attn::io::get_or<std::string>(value, "label", place, "");
  box.score = attn::io::get_or<double>(value, "score", place, kNaN);
  if (!(box.x0 <= box.x1 && box.y0 <= box.y1))
    refuse_value(where, key, "x0 <= x1 and y0 <= y1", Json(value.dump()));
  return box;
}

std::map<std::string, std::string> texts_of_object(const Json& value, const std::string& where,
                                                   std::string_view key) {
  if (!value.is_object()) refuse_value(where, key, "an object", value);
  std::map<std::string, std::string> texts;
  for (const auto& field : value.items()) texts[field.key()] = field.value().dump();
  return texts;
}

Json object_of_texts(const std::map<std::string, std::string>& texts) {
  Json value = Json::object();
  for (const auto& [name, text] : texts)
    value[name] = attn::io::parse_json(text, "the field " + attn::io::quote_text(name));
  return value;
}

}  // namespace gaze
