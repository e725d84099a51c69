// Labels of the slides of one job.
#pragma once

#include <filesystem>
#include <vector>

#include "pathology/mil/bag.h"
#include "pathology/slide/find_slides.h"

namespace pathology {

/// The labels in `csv`, or where that is empty those of the manifest the slides came from. Throws
/// attn::Error when there are none, or when the table has no label for any of the slides.
LabelTable labels_of(const std::vector<SlideItem>& slides, const std::filesystem::path& csv,
                     const LabelOptions& options);

/// Writes slide_id,label,case_id for those of `slides` that have a label. Atomic.
void write_labels(const std::filesystem::path& path, const LabelTable& labels,
                  const std::vector<SlideItem>& slides);

}  // namespace pathology
