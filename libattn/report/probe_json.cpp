// Written as text: a document tree of a million numbers would take hundreds of megabytes.
#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "attn/probe_page.h"
#include "libattn/io/atomic_file.h"

namespace attn {
namespace {

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void add_number(std::string& out, double value) {
  if (std::isfinite(value))
    fmt::format_to(std::back_inserter(out), "{:.9g}", value);
  else
    out += "null";
}
void add_number(std::string& out, int64_t value) {
  out += std::to_string(value);
}

/// , "name": [a number of each head]
template <class Number>
void add_heads(std::string& out, const char* name, const ProbeStep& step,
               Number ProbeHead::*number) {
  fmt::format_to(std::back_inserter(out), ", \"{}\": [", name);
  for (size_t h = 0; h < step.heads.size(); ++h) {
    if (h > 0) out += ", ";
    add_number(out, step.heads[h].*number);
  }
  out += "]";
}

void add_step(std::string& out, const ProbeStep& step) {
  fmt::format_to(std::back_inserter(out), "{{\"step\": {}, \"calls\": {}", step.step, step.calls);
  add_heads(out, "rows", step, &ProbeHead::rows);
  add_heads(out, "dead_rows", step, &ProbeHead::dead_rows);
  add_heads(out, "nonfinite_rows", step, &ProbeHead::nonfinite_rows);
  add_heads(out, "keys", step, &ProbeHead::keys);
  add_heads(out, "entropy", step, &ProbeHead::entropy);
  add_heads(out, "entropy_min", step, &ProbeHead::entropy_min);
  add_heads(out, "entropy_max", step, &ProbeHead::entropy_max);
  add_heads(out, "normalised_entropy", step, &ProbeHead::normalised_entropy);
  add_heads(out, "max_mass", step, &ProbeHead::max_mass);
  add_heads(out, "first_key_mass", step, &ProbeHead::first_key_mass);
  add_heads(out, "learned_sink_mass", step, &ProbeHead::learned_sink_mass);
  out += "}";
}

}  // namespace

void write_probe_json(const std::filesystem::path& path, const ProbeReport& report) {
  std::string out = fmt::format(
      "{{\"format\": \"attn-probe/1\", \"step_name\": {}, \"calls\": {}, \"calls_left_out\": {},\n"
      "\"layers\": [",
      quoted(report.step_name), report.calls, report.calls_left_out);
  for (size_t l = 0; l < report.layers.size(); ++l) {
    const ProbeLayerReport& layer = report.layers[l];
    out += fmt::format("{}\n{{\"name\": {}, \"steps\": [", l > 0 ? "," : "", quoted(layer.name));
    for (size_t s = 0; s < layer.steps.size(); ++s) {
      out += s > 0 ? ",\n" : "\n";
      add_step(out, layer.steps[s]);
    }
    out += "]}";
  }
  io::write_file(path, out + "\n]}\n");
}

}  // namespace attn
