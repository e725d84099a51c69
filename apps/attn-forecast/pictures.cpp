#include "apps/attn-forecast/pictures.h"

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "timeseries/model/outputs.h"

namespace attn::app {

bool is_page(const std::filesystem::path& file) {
  return file.extension() == ".html" || file.extension() == ".htm";
}

void check_picture(const std::filesystem::path& file, const std::string& option) {
  if (file.extension() != ".svg" && !is_page(file))
    throw UsageError(option + " " + file.string() + ": a picture is written as .svg or .html");
  timeseries::require_writable(file, option);
}

void write_svg(const std::filesystem::path& file, const std::string& svg) {
  constexpr std::string_view kOpening = "<svg ";
  std::string text = svg;
  text.insert(text.find(kOpening) + kOpening.size(), "style=\"background:#fff;color:#1b1f24\" ");
  io::write_file(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + text + "\n");
}

}  // namespace attn::app
