// What our HDF5 files carry beside CLAM's datasets: how they were made, and why they are empty.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libattn/io/hdf5.h"

namespace pathology {

inline constexpr int kConfigVersion = 1;
inline constexpr const char* kConfigAttribute = "attn_config";
inline constexpr const char* kReasonAttribute = "attn_reason";

/// The root attribute attn_config, or null where the file has none. Throws attn::Error where it is
/// no JSON, of another kind
/// ("tiles", "features"), or attn::NewerFormat.
nlohmann::json stored_config(const attn::io::Hdf5File& file, const std::string& kind);
/// Why the file is empty, or "".
std::string stored_reason(const attn::io::Hdf5File& file);

/// (N, 2) whole numbers as coordinates.
std::vector<std::array<int64_t, 2>> read_coords(const attn::io::Hdf5File& file,
                                                const std::string& name);

/// Coordinates row by row.
template <typename T>
std::vector<T> flat_coords(const std::vector<std::array<int64_t, 2>>& coords) {
  std::vector<T> flat;
  flat.reserve(coords.size() * 2);
  for (const auto& xy : coords) {
    flat.push_back(static_cast<T>(xy[0]));
    flat.push_back(static_cast<T>(xy[1]));
  }
  return flat;
}

/// Whether `path` exists, `read` reads it whole, and the configuration it gives equals `config`.
/// Where the slide lies does not count (slide.path): its name, size and time of change do. Throws
/// attn::NewerFormat and attn::StorageError, which are no reason to make the file again.
bool is_current(const std::filesystem::path& path, const nlohmann::json& config,
                const std::function<nlohmann::json(const std::filesystem::path&)>& read);

}  // namespace pathology
