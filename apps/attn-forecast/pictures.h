// Pictures into files: one chart as SVG, a page of them as HTML.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "libattn/report/report.h"

namespace attn::app {

/// Throws attn::UsageError where the file that `option` ("--plot") names ends in neither .svg nor
/// .html, attn::StorageError where it cannot be written.
void check_picture(const std::filesystem::path& file, const std::string& option);
bool is_page(const std::filesystem::path& file);

/// An <svg> element as a file of its own, on a white ground.
void write_svg(const std::filesystem::path& file, const std::string& svg);

}  // namespace attn::app
