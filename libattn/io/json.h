// JSON with errors a person can act on. Everything throws Error naming the file (or other origin)
// and the key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace attn::io {

/// Parses `text`; `where` names its origin in messages ("run.json", "the metadata of
/// model.safetensors"). Refuses duplicate keys, bytes that are not UTF-8, numbers beyond double,
/// and nesting deeper than 256.
nlohmann::json parse_json(std::string_view text, std::string_view where);

/// Reads and parses a file.
nlohmann::json read_json(const std::filesystem::path& path);

/// Writes `value` indented by 2 and a final line break, atomically. NaN and infinities become null.
void write_json(const std::filesystem::path& path, const nlohmann::json& value);

/// The value at a dotted key ("tile.mpp"), nullptr where a part is missing. A part that exists but
/// holds no object on the way is an Error.
const nlohmann::json* find(const nlohmann::json& value, std::string_view key,
                           std::string_view where);

/// The value at a dotted key as T: bool, int, int64_t, uint64_t, float, double, std::string,
/// nlohmann::json, or std::vector of int64_t, double, std::string. Whole numbers may be written 3
/// or 3.0; no other conversion is made. Throws Error: "run.json: key tile.mpp is missing",
/// "run.json: key tile.mpp: expected a number, found string "a"".
template <typename T>
T get(const nlohmann::json& value, std::string_view key, std::string_view where);

/// As get(), but `fallback` where the key is missing or null. A value of the wrong type is an Error
/// all the same.
template <typename T>
T get_or(const nlohmann::json& value, std::string_view key, std::string_view where, T fallback);

/// Refuses keys of the object at `value` that are not in `known`, with the nearest known name.
void refuse_unknown_keys(const nlohmann::json& value, std::initializer_list<std::string_view> known,
                         std::string_view where);

}  // namespace attn::io
