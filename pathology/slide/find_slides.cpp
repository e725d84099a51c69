#include "pathology/slide/find_slides.h"

#include <openslide.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "attn/error.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"
#include "pathology/slide/flat_image.h"
#include "pathology/slide/resolution.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;

/// Extensions that promise a slide: a file that has one is reported when it is broken.
bool is_slide_extension(const std::string& extension) {
  static const std::set<std::string> kExtensions = {
      ".svs", ".ndpi", ".scn", ".mrxs", ".bif",    ".vms",     ".vmu",
      ".tif", ".tiff", ".btf", ".dcm",  ".qptiff", ".svslide", ".isyntax"};
  return kExtensions.count(extension) != 0;
}

bool is_picture_extension(const std::string& extension) {
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// Files that the .vms and .vmu files of a folder name as their parts (ImageFile=, MacroImage=,
/// ...): JPEGs of pixels, and of the glass with its label.
std::set<std::string> parts_of_slides(const fs::path& folder) {
  std::set<std::string> parts;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string extension = lower_extension(entry.path());
    if (extension != ".vms" && extension != ".vmu") continue;
    std::string head(std::size_t{1} << 16, '\0');  // OpenSlide reads no longer ones
    std::ifstream file(entry.path(), std::ios::binary);
    file.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(file.gcount()));
    std::istringstream lines(head);
    for (std::string line; std::getline(lines, line);) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      const std::size_t value = line.find('=');
      if (value != std::string::npos) parts.insert(line.substr(value + 1));
    }
  }
  return parts;
}

std::string id_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  return attn::io::one_line(stem, stem.size());
}

/// What a folder without slides may have been meant to be.
std::string hint_of(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(folder / "patches", ignored))
    return "; it holds tiles, of which the verb features makes what a model reads";
  if (fs::is_directory(folder / "slides", ignored)) return "; its subfolder slides may be meant";
  return "";
}

void add_folder(const fs::path& folder, std::vector<SlideItem>& items) {
  const std::set<std::string> parts = parts_of_slides(folder);
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    const fs::path& path = entry->path();
    const std::string name = path.filename().string();
    if (name.starts_with('.') || parts.contains(name)) continue;
    // A link that leads nowhere is a slide gone missing: opening it says so.
    const bool lost = entry->is_symlink(ignored) && !entry->exists(ignored);
    if (lost ? is_slide_extension(lower_extension(path))
             : entry->is_regular_file(ignored) && looks_like_slide(path))
      items.push_back({path, id_of(path), {}, {}, {}});
  }
  if (error)
    throw attn::Error("cannot read the folder " + folder.string() + ": " + error.message());
  if (items.empty())
    throw attn::Error(
        "the folder " + folder.string() +
        " holds no slides; expected whole-slide images (.svs, .ndpi, .tiff, ...) or PNG and JPEG "
        "pictures directly in it" +
        hint_of(folder));
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

void add_manifest(const fs::path& manifest, const LabelOptions& columns,
                  std::vector<SlideItem>& items) {
  const attn::io::Table table = attn::io::Table::read(manifest);
  const std::string path_column = table.has("slide") ? "slide" : "path";
  if (!table.has(path_column))
    throw attn::Error("the manifest " + manifest.string() +
                      " has no column slide or path; it has " + [&] {
                        std::string names;
                        for (const std::string& name : table.columns())
                          names += (names.empty() ? "" : ", ") + name;
                        return names;
                      }());
  const auto paths = table.strings(path_column);
  const std::string id_column = choose_column(table, columns.id_column, std::array{"slide_id"});
  const auto ids = told_cells(table, id_column);
  const auto cases =
      told_cells(table, choose_column(table, columns.patient_column, kPatientColumns));
  const auto labels = told_cells(table, choose_column(table, columns.label_column, kLabelColumns));
  const auto mpps = table.has("mpp") ? table.doubles("mpp", {.allow_missing = true})
                                     : std::vector<double>(paths.size(), std::nan(""));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (paths[i].empty())
      throw attn::Error(table.locate(row, path_column) +
                        ": expected the path of a slide, found nothing");
    SlideItem item;
    item.path =
        fs::path(paths[i]).is_absolute() ? fs::path(paths[i]) : manifest.parent_path() / paths[i];
    item.id = ids[i].empty() ? id_of(item.path) : ids[i];
    if (item.id.find('/') != std::string::npos || item.id.starts_with('.'))
      throw attn::Error(table.locate(row, id_column) + ": found " + attn::io::quote_text(item.id) +
                        "; expected a name that can name a file, without a dot at its start");
    if (std::isfinite(mpps[i])) {
      if (!(mpps[i] >= kMinMpp && mpps[i] <= kMaxMpp))
        throw attn::Error(table.locate(row, "mpp") + ": found " + attn::io::number_text(mpps[i]) +
                          "; expected " + attn::io::number_text(kMinMpp) + " to " +
                          attn::io::number_text(kMaxMpp) + " um per pixel, or nothing");
      item.mpp = mpps[i];
    }
    item.case_id = unless_empty(cases[i]);
    item.label = unless_empty(labels[i]);
    items.push_back(std::move(item));
  }
  if (items.empty()) throw attn::Error("the manifest " + manifest.string() + " has no rows");
}

void refuse_same_id(const std::vector<SlideItem>& items) {
  std::map<std::string, const SlideItem*> seen;
  for (const SlideItem& item : items) {
    const auto [at, fresh] = seen.emplace(item.id, &item);
    if (fresh) continue;
    throw attn::Error("two slides have the name " + attn::io::quote_text(item.id, 80) + ": " +
                      at->second->path.string() + " and " + item.path.string() +
                      "; rename one, or list them in a manifest with a column slide_id");
  }
}

}  // namespace

std::string without_slide_extension(const std::string& id) {
  const fs::path name(id);
  const std::string extension = lower_extension(name);
  const bool known =
      is_slide_extension(extension) || is_picture_extension(extension) || extension == ".h5";
  return known ? id.substr(0, id.size() - extension.size()) : id;
}

bool is_picture(const fs::path& file) {
  using attn::io::FileKind;
  const std::string extension = lower_extension(file);
  if (!is_picture_extension(extension)) return false;
  const FileKind kind = attn::io::file_kind_of(file);
  return kind == (extension == ".png" ? FileKind::png : FileKind::jpeg);
}

bool looks_like_slide(const fs::path& file) {
  if (is_slide_extension(lower_extension(file)) || is_picture(file)) return true;
  return openslide_detect_vendor(file.c_str()) != nullptr;
}

std::vector<SlideItem> find_slides(const fs::path& input, const LabelOptions& columns) {
  std::vector<SlideItem> items;
  std::error_code error;
  const fs::file_status status = fs::status(input, error);
  if (status.type() == fs::file_type::not_found || status.type() == fs::file_type::none)
    throw attn::Error("there is no file or folder " + input.string() +
                      "; expected a slide, a folder of slides, or a manifest (.csv)");
  if (status.type() == fs::file_type::directory) {
    add_folder(input, items);
  } else if (lower_extension(input) == ".csv") {
    add_manifest(input, columns, items);
  } else {
    items.push_back({input, id_of(input), {}, {}, {}});
    if (items.front().id.starts_with('.'))
      throw attn::Error(
          input.string() +
          " is a hidden file, whose outputs would be hidden, too; rename it, or list it "
          "in a manifest with a column slide_id");
  }
  refuse_same_id(items);
  std::sort(items.begin(), items.end(),
            [](const SlideItem& a, const SlideItem& b) { return a.id < b.id; });
  return items;
}

std::vector<SlideItem> find_slides(const std::vector<fs::path>& inputs,
                                   const LabelOptions& columns) {
  std::vector<SlideItem> all;
  for (const fs::path& input : inputs) {
    std::vector<SlideItem> items = find_slides(input, columns);
    all.insert(all.end(), items.begin(), items.end());
  }
  refuse_same_id(all);
  return all;
}

}  // namespace pathology
