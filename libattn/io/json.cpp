#include "libattn/io/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

using Json = nlohmann::json;

/// "expected X, found Y" needs the type as a person would say it, with a scalar's value.
std::string found(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::string:
      return "the text " + quote_text(value.get_ref<const std::string&>());
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "an object";
    default:
      return "the number " + value.dump();
  }
}

Error wrong_type(std::string_view key, std::string_view where, const std::string& expected,
                 const Json& value) {
  return Error(std::string(where) + ": key " + std::string(key) + ": expected " + expected +
               ", found " + found(value));
}

template <typename T>
T whole_number(const Json& value, std::string_view key, std::string_view where) {
  const std::string expected = "a whole number from " +
                               std::to_string(std::numeric_limits<T>::min()) + " to " +
                               std::to_string(std::numeric_limits<T>::max());
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_float()) {
    // 2^53: beyond it a double is no exact statement of a whole number.
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::fabs(number) <= 9007199254740992.0) {
      const auto whole = static_cast<int64_t>(number);
      if (std::in_range<T>(whole)) return static_cast<T>(whole);
    }
  }
  throw wrong_type(key, where, expected, value);
}

template <typename T>
struct Convert;

template <>
struct Convert<Json> {
  static Json from(const Json& value, std::string_view, std::string_view) { return value; }
};
template <>
struct Convert<bool> {
  static bool from(const Json& value, std::string_view key, std::string_view where) {
    if (!value.is_boolean()) throw wrong_type(key, where, "true or false", value);
    return value.get<bool>();
  }
};
template <>
struct Convert<int> {
  static int from(const Json& value, std::string_view key, std::string_view where) {
    return whole_number<int>(value, key, where);
  }
};
template <>
struct Convert<int64_t> {
  static int64_t from(const Json& value, std::string_view key, std::string_view where) {
    return whole_number<int64_t>(value, key, where);
  }
};
template <>
struct Convert<uint64_t> {
  static uint64_t from(const Json& value, std::string_view key, std::string_view where) {
    return whole_number<uint64_t>(value, key, where);
  }
};
template <>
struct Convert<double> {
  static double from(const Json& value, std::string_view key, std::string_view where) {
    if (!value.is_number()) throw wrong_type(key, where, "a number", value);
    return value.get<double>();
  }
};
template <>
struct Convert<float> {
  static float from(const Json& value, std::string_view key, std::string_view where) {
    const double number = Convert<double>::from(value, key, where);
    if (std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max()))
      throw wrong_type(key, where, "a number of single precision", value);
    return static_cast<float>(number);
  }
};
template <>
struct Convert<std::string> {
  static std::string from(const Json& value, std::string_view key, std::string_view where) {
    if (!value.is_string()) throw wrong_type(key, where, "text", value);
    return value.get<std::string>();
  }
};
template <typename T>
struct Convert<std::vector<T>> {
  static std::vector<T> from(const Json& value, std::string_view key, std::string_view where) {
    if (!value.is_array()) throw wrong_type(key, where, "a list", value);
    std::vector<T> list;
    list.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i)
      list.push_back(
          Convert<T>::from(value[i], std::string(key) + "[" + std::to_string(i) + "]", where));
    return list;
  }
};

/// Watches the parser: keys seen in each open object, and the depth.
class Watcher {
 public:
  explicit Watcher(std::string_view where) : where_(where) {}

  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    if (depth > 256)
      throw Error(std::string(where_) + ": nested deeper than 256 levels; this is no file of ours");
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second)
        throw Error(std::string(where_) + ": key " + quote_text(key) +
                    " stands twice in one object; remove one");
    }
    return true;
  }

 private:
  std::string_view where_;
  std::vector<std::set<std::string>> keys_;
};

/// "line 3, column 7" of a byte (1-based as the parser counts).
std::string position(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n' ? 1 : 0;
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw Error(std::string(where) + ": expected JSON, found nothing");
  try {
    return Json::parse(text, Json::parser_callback_t(Watcher(where)));
  } catch (const Json::parse_error& error) {
    const std::size_t at = error.byte > 0 ? error.byte - 1 : 0;
    const bool ended = at >= text.size();
    throw Error(std::string(where) + ": not valid JSON at " + position(text, error.byte) +
                (ended ? ": it ends there unfinished"
                       : ", near " + quote_text(text.substr(at > 12 ? at - 12 : 0, 24))));
  } catch (const Json::out_of_range&) {
    throw Error(std::string(where) + ": a number is too large for double precision");
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

void write_json(const std::filesystem::path& path, const Json& value) {
  // Text that is not UTF-8 (a file name in another encoding) is replaced, not thrown over.
  write_file(path, value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

const Json* find(const Json& value, std::string_view key, std::string_view where) {
  const Json* at = &value;
  std::size_t begin = 0;
  while (begin <= key.size()) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    if (!at->is_object()) {
      const std::string parent = begin == 0 ? "" : ": key " + std::string(key.substr(0, begin - 1));
      throw Error(std::string(where) + parent + ": expected an object, found " + found(*at));
    }
    const auto child = at->find(std::string(key.substr(begin, end - begin)));
    if (child == at->end()) return nullptr;
    at = &*child;
    begin = end + 1;
  }
  return at;
}

template <typename T>
T get(const Json& value, std::string_view key, std::string_view where) {
  const Json* const found_value = find(value, key, where);
  if (found_value == nullptr)
    throw Error(std::string(where) + ": key " + std::string(key) + " is missing");
  return Convert<T>::from(*found_value, key, where);
}

template <typename T>
T get_or(const Json& value, std::string_view key, std::string_view where, T fallback) {
  const Json* const found_value = find(value, key, where);
  if (found_value == nullptr || found_value->is_null()) return fallback;
  return Convert<T>::from(*found_value, key, where);
}

void refuse_unknown_keys(const Json& value, std::initializer_list<std::string_view> known,
                         std::string_view where) {
  if (!value.is_object())
    throw Error(std::string(where) + ": expected an object, found " + found(value));
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& item : value.items()) {
    if (std::find(names.begin(), names.end(), item.key()) == names.end())
      throw Error(std::string(where) + ": unknown key " + quote_text(item.key()) +
                  did_you_mean(item.key(), names));
  }
}

#define ATTN_JSON_TYPE(T)                                             \
  template T get<T>(const Json&, std::string_view, std::string_view); \
  template T get_or<T>(const Json&, std::string_view, std::string_view, T);
ATTN_JSON_TYPE(bool)
ATTN_JSON_TYPE(int)
ATTN_JSON_TYPE(int64_t)
ATTN_JSON_TYPE(uint64_t)
ATTN_JSON_TYPE(float)
ATTN_JSON_TYPE(double)
ATTN_JSON_TYPE(std::string)
ATTN_JSON_TYPE(Json)
ATTN_JSON_TYPE(std::vector<int64_t>)
ATTN_JSON_TYPE(std::vector<double>)
ATTN_JSON_TYPE(std::vector<std::string>)
#undef ATTN_JSON_TYPE

}  // namespace attn::io
