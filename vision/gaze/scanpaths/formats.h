// The formats, one by one.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libattn/io/byte_stream.h"
#include "vision/gaze/scanpaths/read_scanpaths.h"

namespace gaze {

/// As read_scanpaths.
Scanpaths read_asc(attn::io::ByteStream bytes, const ReadOptions& options);
Scanpaths read_report(attn::io::ByteStream bytes, const ReadOptions& options);
Scanpaths read_multimatch(attn::io::ByteStream bytes, const ReadOptions& options);
Scanpaths read_bids(attn::io::ByteStream bytes, const ReadOptions& options);
Scanpaths amazon_scanpaths(const nlohmann::json& value, const std::string& name,
                           const ReadOptions& options);
/// Own JSON or COCO-Search18's list.
Scanpaths scanpaths_of_json(const nlohmann::json& value, const std::string& name,
                            const ReadOptions& options);

nlohmann::json json_of_scanpaths(const Scanpaths& scanpaths);
nlohmann::json coco_of_scanpaths(const Scanpaths& scanpaths);
void write_report(const std::filesystem::path& path, const Scanpaths& scanpaths);
void write_multimatch(const std::filesystem::path& path, const Trial& trial);

/// `_eyetrack.tsv.gz` and its kin.
bool has_bids_name(const std::filesystem::path& path);
/// The JSON beside a BIDS table.
std::filesystem::path bids_sidecar(const std::filesystem::path& table);

/// Whether a text begins as edf2asc's does.
bool looks_like_asc(std::string_view head);

}  // namespace gaze
