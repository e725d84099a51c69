#include "vision/gaze/scanpaths/objects.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "attn/error.h"
#include "libattn/io/byte_stream.h"
#include "libattn/io/json.h"
#include "libattn/io/table_stream.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/table_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;

/// Pictures in the order of their first mention.
class Pictures {
 public:
  ImageObjects& of(const std::string& image, const std::string& task = "") {
    const auto [found, fresh] = at_.emplace(std::pair(image, task), all_.size());
    if (fresh) all_.push_back({.image = image, .task = task, .boxes = {}});
    return all_[found->second];
  }
  std::vector<ImageObjects> all() { return std::move(all_); }

 private:
  std::map<std::pair<std::string, std::string>, size_t> at_;
  std::vector<ImageObjects> all_;
};

const Json& demand(const Json& value, const char* key, const std::string& where) {
  const Json* found = attn::io::find(value, key, where);
  if (found == nullptr) throw Error(where + ": key " + key + " is missing");
  return *found;
}

/// The entries of a list at a key, each with its place.
template <class Take>
void each(const Json& list, const std::string& where, const Take& take) {
  if (!list.is_array()) throw Error(where + ": expected a list, found " + shown(list));
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = where + " " + std::to_string(i + 1);
    if (!list[i].is_object()) throw Error(place + ": expected an object, found " + shown(list[i]));
    take(list[i], place);
  }
}

std::string text_at(const Json& value, const char* key, const std::string& where) {
  return text_value(demand(value, key, where), where, key);
}

/// The names of categories, by id.
using Names = std::map<std::string, std::string>;

Box box_of(const Json& value, const Names& categories, const std::string& where) {
  Box box = box_of_bbox(demand(value, "bbox", where), where, "bbox");
  box.score = attn::io::get_or<double>(value, "score", where, kNaN);
  for (const char* key : {"category", "category_name", "label"})
    if (value.contains(key) && box.label.empty()) box.label = text_at(value, key, where);
  if (box.label.empty() && value.contains("category_id")) {
    const std::string id = text_at(value, "category_id", where);
    const auto name = categories.find(id);
    box.label = name == categories.end() ? id : name->second;
  }
  return box;
}

std::vector<ImageObjects> of_coco(const Json& value, const std::string& name) {
  Names categories, images;
  Pictures pictures;
  if (value.contains("categories"))
    each(value["categories"], name + ": category", [&](const Json& entry, const std::string& at) {
      categories[text_at(entry, "id", at)] = text_at(entry, "name", at);
    });
  each(demand(value, "images", name), name + ": image",
       [&](const Json& entry, const std::string& at) {
         const std::string file = text_at(entry, "file_name", at);
         if (!images.emplace(text_at(entry, "id", at), file).second)
           throw Error(at + ": its id stands there twice");
         pictures.of(file).size = {attn::io::get_or<double>(entry, "width", at, kNaN),
                                   attn::io::get_or<double>(entry, "height", at, kNaN)};
       });
  each(demand(value, "annotations", name), name + ": annotation",
       [&](const Json& entry, const std::string& at) {
         const std::string id = text_at(entry, "image_id", at);
         const auto image = images.find(id);
         if (image == images.end())
           throw Error(at + ": there is no image of the id " + attn::io::quote_text(id));
         pictures.of(image->second).boxes.push_back(box_of(entry, categories, at));
       });
  return pictures.all();
}

std::vector<ImageObjects> of_detections(const Json& value, const std::string& name) {
  Pictures pictures;
  each(value, name + ": detection", [&](const Json& entry, const std::string& at) {
    const bool named = entry.contains("file_name");
    const std::string image = text_at(entry, named ? "file_name" : "image_id", at);
    pictures.of(image).boxes.push_back(box_of(entry, {}, at));
  });
  return pictures.all();
}

Box box_of_row(const TextTable& texts, int64_t row) {
  const attn::io::Table& table = texts.table();
  const auto side = [&](const char* column) {
    const double value = texts.number(row, column);
    if (!std::isnan(value)) return value;
    throw Error(table.locate(row, column) + ": expected a number, found none");
  };
  Box box{.x0 = side("x1"), .y0 = side("y1"), .x1 = side("x2"), .y1 = side("y2")};
  if (box.x1 < box.x0 || box.y1 < box.y0)
    throw Error(table.locate(row) + ": expected a box with x1 <= x2 and y1 <= y2, found x1 " +
                texts.text(row, "x1") + ", y1 " + texts.text(row, "y1") + ", x2 " +
                texts.text(row, "x2") + ", y2 " + texts.text(row, "y2"));
  if (table.has("label")) box.label = texts.text(row, "label");
  if (table.has("score")) box.score = texts.number(row, "score");
  return box;
}

std::vector<ImageObjects> of_table(attn::io::ByteStream bytes) {
  attn::io::TableStream table(std::move(bytes));
  for (const char* column : {"image", "x1", "y1", "x2", "y2"}) table.require(column);
  Pictures pictures;
  while (const auto piece = table.next()) {
    const TextTable texts(*piece);
    for (int64_t row = 0; row < piece->rows(); ++row)
      pictures.of(texts.text(row, "image"), piece->has("task") ? texts.text(row, "task") : "")
          .boxes.push_back(box_of_row(texts, row));
  }
  return pictures.all();
}

}  // namespace

std::vector<ImageObjects> read_objects(const std::filesystem::path& path) {
  attn::io::ByteStream bytes(path);
  const std::string_view head = bytes.head();
  if (head.empty())
    throw Error(bytes.name() + ": expected objects of pictures, found an empty file");
  const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == head.npos || (head[first] != '[' && head[first] != '{'))
    return of_table(std::move(bytes));
  const std::string name = bytes.name();
  const Json value = attn::io::parse_json(bytes.rest(), name);
  return value.is_array() ? of_detections(value, name) : of_coco(value, name);
}

std::vector<Box> grid_boxes(const Screen& screen, int64_t rows, int64_t columns) {
  constexpr int64_t kMost = 1'000'000;
  if (rows < 1 || columns < 1 || rows > kMost || columns > kMost || rows * columns > kMost)
    throw attn::UsageError("a grid of " + std::to_string(rows) + " x " + std::to_string(columns) +
                           " cells: expected 1 row and column or more, and 1000000 cells at most");
  if (!(std::isfinite(screen.width) && screen.width > 0 && std::isfinite(screen.height) &&
        screen.height > 0))
    throw attn::UsageError("a screen of " + screen_text(screen) +
                           " pixels: expected two finite numbers above 0");
  const auto at = [](double size, int64_t i, int64_t n) {
    return size * static_cast<double>(i) / static_cast<double>(n);
  };
  std::vector<Box> boxes;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      boxes.push_back({.x0 = at(screen.width, c, columns),
                       .y0 = at(screen.height, r, rows),
                       .x1 = at(screen.width, c + 1, columns),
                       .y1 = at(screen.height, r + 1, rows)});
  return boxes;
}

}  // namespace gaze
