// Objects of a picture, as a detector or a person found them, and a grid where there are none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vision/gaze/scanpath/box.h"

namespace gaze {

struct ImageObjects {
  std::string image;        ///< its file's name, or its id where the file has no names
  std::string task;         ///< of a table that has objects by task
  Screen size{kNaN, kNaN};  ///< where it is told
  std::vector<Box> boxes;   ///< in the file's order; pixels as the file has them
};

/// Boxes by picture (and task), in the order in which these come first:
/// - JSON: COCO's {images, annotations, categories}, or a list of detections {image_id or
///   file_name, bbox [x, y, width, height], category or category_id, score}.
/// - CSV, TSV, Parquet: image, x1, y1, x2, y2; label, score and task where there.
/// Pictures of COCO's JSON without a box are there, too. Throws attn::Error naming file and record
/// for other contents, values that are no numbers, and boxes that end before they begin.
std::vector<ImageObjects> read_objects(const std::filesystem::path& path);

/// rows * columns boxes of one size that fill the screen, row by row. Throws attn::UsageError for
/// less than one row or column, more than a million boxes, or a screen that is none.
std::vector<Box> grid_boxes(const Screen& screen, int64_t rows, int64_t columns);

}  // namespace gaze
