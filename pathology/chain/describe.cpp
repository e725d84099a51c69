#include "pathology/chain/describe.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "attn/error.h"
#include "libattn/io/hdf5.h"
#include "libattn/io/json.h"
#include "libattn/io/run_json.h"
#include "libattn/io/table.h"
#include "libattn/train/model_file.h"
#include "pathology/chain/bag_inputs.h"
#include "pathology/geojson/geojson.h"
#include "pathology/mil/bag_csv.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/mil/mil_run.h"
#include "pathology/slide/features.h"
#include "pathology/slide/find_slides.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tiles.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string first_bytes(const fs::path& path) {
  std::array<char, 16> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  return {bytes.data(), static_cast<size_t>(file.gcount())};
}

json describe_slide(const fs::path& path) {
  const Slide slide = Slide::open(path);
  json levels = json::array();
  for (int i = 0; i < slide.level_count(); ++i)
    levels.push_back({{"width", slide.level(i).width},
                      {"height", slide.level(i).height},
                      {"downsample", slide.level(i).downsample_x}});
  json out{{"kind", "slide"},
           {"id", slide.id()},
           {"vendor", slide.vendor()},
           {"width", slide.width()},
           {"height", slide.height()},
           {"levels", levels},
           {"bytes", slide.file().bytes}};
  if (slide.mpp()) {
    out["mpp"] = *slide.mpp();
    out["mpp_source"] = slide.resolution().source;
  } else {
    out["mpp"] = nullptr;
    out["mpp_problem"] = slide.resolution().problem;
  }
  return out;
}

json describe_h5(const fs::path& path) {
  const auto file = attn::io::Hdf5File::open(path);
  if (file.exists("features")) {
    const Features features = read_features(path);
    return {{"kind", "features"},
            {"slide", features.slide_id},
            {"tiles", features.size()},
            {"width", features.dim},
            {"footprint", features.footprint},
            {"unreadable", features.unreadable},
            {"made_with", features.config}};
  }
  if (file.exists("coords")) {
    const Tiles tiles = read_tiles(path);
    return {{"kind", "tiles"},
            {"slide", tiles.slide_id},
            {"tiles", tiles.coords.size()},
            {"footprint", tiles.footprint},
            {"mpp", tiles.mpp},
            {"level", tiles.geometry.level},
            {"size", tiles.geometry.size},
            {"unreadable", tiles.unreadable},
            {"made_with", tiles.config}};
  }
  json contents = json::object();
  for (const auto& name : file.datasets()) contents[name] = file.dataset(name).describe();
  return {{"kind", "hdf5"}, {"datasets", contents}, {"groups", file.groups()}};
}

json counts_of(const std::vector<std::string>& labels) {
  json counts = json::object();
  for (const auto& label : labels) counts[label] = counts.value(label, 0) + 1;
  return counts;
}

json describe_table(const fs::path& path, const attn::Hooks& hooks) {
  const auto table = attn::io::Table::read(path);
  json out{{"kind", "table"}, {"rows", table.rows()}, {"columns", table.columns()}};
  if (table.has("predicted") && table.has("attention_entropy")) {
    out["kind"] = "predictions";
    out["predicted"] = counts_of(table.strings("predicted"));
    return out;
  }
  if (table.has("bag") && table.has("label")) {
    const BagSet set = read_bag_csv(path, {}, hooks);
    std::vector<std::string> labels;
    std::vector<int64_t> sizes;
    for (const Bag& bag : set.bags) {
      labels.push_back(set.classes[static_cast<size_t>(bag.label)]);
      sizes.push_back(bag.instances);
    }
    std::sort(sizes.begin(), sizes.end());
    return {{"kind", "bags"},
            {"bags", set.size()},
            {"width", set.dim},
            {"instances", table.rows()},
            {"instances_per_bag",
             {{"min", sizes.front()}, {"median", sizes[sizes.size() / 2]}, {"max", sizes.back()}}},
            {"labels", counts_of(labels)}};
  }
  if (table.has("label")) {
    out["kind"] = "labels";
    out["labels"] = counts_of(table.strings("label"));
  }
  return out;
}

json describe_model(const fs::path& path) {
  json config = attn::train::read_model_config(path);
  config["model_kind"] = config.value("kind", "");
  config["kind"] = "model";
  return config;
}

json describe_run(const fs::path& folder) {
  json out = attn::io::read_run_json(folder);
  out["kind"] = "run";
  return out;
}

/// Names only: a folder may hold thousands.
json describe_files(const char* kind, const std::vector<fs::path>& files) {
  json names = json::array();
  for (const fs::path& file : files) names.push_back(file.stem().string());
  return {{"kind", kind}, {"slides", names}};
}

bool holds_tiles(const fs::path& h5) {
  const auto file = attn::io::Hdf5File::open(h5);
  return file.exists("coords") && !file.exists("features");
}

json describe_folder(const fs::path& path) {
  if (fs::exists(path / "run.json")) return describe_run(path);
  if (fs::is_directory(path / "patches") && !feature_files(path / "patches").empty())
    return describe_files("folder of tiles", feature_files(path / "patches"));
  const std::vector<fs::path> files = feature_files(path);
  if (!files.empty() && (files.front().parent_path() == path || holds_bags(path))) {
    return describe_files(holds_tiles(files.front()) ? "folder of tiles" : "folder of features",
                          files);
  }
  const auto slides = find_slides(path);
  json ids = json::array();
  for (const auto& slide : slides) ids.push_back(slide.id);
  return {{"kind", "folder of slides"}, {"slides", ids}};
}

json describe_outlines(const fs::path& path) {
  json classes = json::object();
  const std::vector<Outline> outlines = read_geojson(path);
  for (const Outline& outline : outlines)
    classes[outline.classification] = classes.value(outline.classification, 0) + 1;
  return {{"kind", "outlines"}, {"outlines", outlines.size()}, {"classes", classes}};
}

// run.json, simulate.json, source.json and the facts beside pictures: as they stand.
json describe_json(const fs::path& path) {
  if (path.filename() == "run.json") return describe_run(path.parent_path());
  json contents = attn::io::read_json(path);
  if (contents.is_object() && contents.value("type", json()) == "FeatureCollection")
    return describe_outlines(path);
  return {{"kind", "json"}, {"contents", std::move(contents)}};
}

// The suffix of tables; gzip may be around it.
bool names_a_table(const fs::path& path) {
  const fs::path inner = path.extension() == ".gz" ? path.stem() : path;
  const std::string extension = inner.extension().string();
  return extension == ".csv" || extension == ".tsv" || extension == ".tab" ||
         extension == ".parquet";
}

}  // namespace

json describe(const fs::path& path, const attn::Hooks& hooks) {
  if (!fs::exists(path)) throw attn::Error(path.string() + ": no such file or folder");
  if (fs::is_directory(path)) return describe_folder(path);
  const std::string head = first_bytes(path);
  if (head.empty()) throw attn::Error(path.string() + " is empty");
  if (head.starts_with("\x89HDF\r\n\x1a\n") || path.extension() == ".h5") return describe_h5(path);
  if (path.extension() == ".geojson") return describe_outlines(path);
  if (path.extension() == ".json") return describe_json(path);
  if ((head.size() > 8 && head[8] == '{') || path.extension() == ".safetensors")
    return describe_model(path);
  if (head.starts_with("PAR1") || names_a_table(path)) return describe_table(path, hooks);
  return describe_slide(path);
}

}  // namespace pathology
