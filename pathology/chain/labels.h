// Labels of the slides of one job.
#pragma once

#include <filesystem>
#include <vector>

#include "attn/hooks.h"
#include "pathology/mil/bag.h"
#include "pathology/slide/find_slides.h"

namespace pathology {

/// The labels in `csv`, or where that is empty those of the manifest the slides came from; patients
/// that the table does not tell are the manifest's. Warns of labelled slides of the table that are
/// not among `slides`. Throws attn::Error when the table has no label
/// for any of the slides or another patient than the manifest; attn::UsageError when there is
/// neither table nor column.
LabelTable labels_of(const std::vector<SlideItem>& slides, const std::filesystem::path& csv,
                     const LabelOptions& options, const attn::Hooks& hooks = {});

/// The bags that `slides` will be, in the order of load_bags, as far as they have a label: ids,
/// labels and patients, no features.
BagSet planned_bags(const LabelTable& labels, const std::vector<SlideItem>& slides,
                    const std::filesystem::path& csv);

/// Writes slide_id,label,case_id for those of `slides` that have a label. Atomic.
void write_labels(const std::filesystem::path& path, const LabelTable& labels,
                  const std::vector<SlideItem>& slides);

}  // namespace pathology
