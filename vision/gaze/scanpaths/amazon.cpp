// Amazon covers (STI-Dataset): image -> {fixations {subject: [[x, y] ...]}, ground_truth
// [{xmin, ymin, xmax, ymax} ...], size {width, height}, target}.
#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::io::get;

Box target_of(const Json& value, const std::string& where) {
  Box box{.x0 = get<double>(value, "xmin", where),
          .y0 = get<double>(value, "ymin", where),
          .x1 = get<double>(value, "xmax", where),
          .y1 = get<double>(value, "ymax", where)};
  if (!(box.x0 <= box.x1 && box.y0 <= box.y1))
    throw attn::Error(where + ": expected xmin <= xmax and ymin <= ymax, found " +
                      attn::io::one_line(value.dump()));
  return box;
}

Image image_of(const Json& value, const std::string& name, const std::string& where,
               const ReadOptions& options) {
  Image image;
  image.name = name;
  const Screen size{get<double>(value, "size.width", where),
                    get<double>(value, "size.height", where)};
  image.size = known_screen(size, options.screen, where);
  const Json boxes = get<Json>(value, "ground_truth", where);
  if (!boxes.is_array()) refuse_value(where, "ground_truth", "a list", boxes);
  for (size_t i = 0; i < boxes.size(); ++i)
    image.targets.push_back(target_of(boxes[i], where + ": ground_truth " + std::to_string(i + 1)));
  for (const auto& field : value.items())
    if (field.key() != "fixations" && field.key() != "ground_truth" && field.key() != "size")
      image.extra[field.key()] = field.value().dump();
  return image;
}

std::vector<Fixation> fixations_of(const Json& value, const std::string& where) {
  if (!value.is_array())
    throw attn::Error(where + ": expected a list of [x, y], found " + shown(value));
  std::vector<Fixation> fixations;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string key = "fixations[" + std::to_string(i) + "]";
    const std::vector<double> xy = finite_numbers(value[i], 2, where, key);
    fixations.push_back({xy[0], xy[1], kNaN});
  }
  return fixations;
}

}  // namespace

Scanpaths amazon_scanpaths(const Json& value, const std::string& name, const ReadOptions& options) {
  if (!value.is_object())
    throw attn::Error(name + ": expected an object of images, found " + shown(value));
  Scanpaths scanpaths;
  for (const auto& entry : value.items()) {
    const std::string where = name + ": image " + attn::io::quote_text(entry.key());
    scanpaths.images.push_back(image_of(entry.value(), entry.key(), where, options));
    const Image& image = scanpaths.images.back();
    Trial trial;
    trial.image = image.name;
    trial.task = get<std::string>(entry.value(), "target", where);
    trial.screen = image.size;
    if (!image.targets.empty()) trial.target = image.targets.front();
    const Json paths = get<Json>(entry.value(), "fixations", where);
    if (!paths.is_object()) refuse_value(where, "fixations", "an object of subjects", paths);
    for (const auto& path : paths.items()) {
      trial.subject = path.key();
      trial.fixations =
          fixations_of(path.value(), where + ": subject " + attn::io::quote_text(path.key()));
      scanpaths.trials.push_back(trial);
    }
  }
  return scanpaths;
}

}  // namespace gaze
