// Which slides of a whole run are drawn, and what its model says of those without a label.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/mil/mil_run.h"
#include "pathology/slide/find_slides.h"

namespace pathology {

/// At most `most` of `slides`: labelled ones, classes in turn, in the order of their ids.
std::vector<SlideItem> slides_to_draw(const BagSet& labelled, const std::vector<SlideItem>& slides,
                                      int64_t most);

/// Writes predictions.csv of a run: the bags of `set` as `run` predicted them, and those of
/// `slides` that have no label, part "unlabelled", from `features`/ID.h5. Gives id and reason of
/// those that have no prediction. Throws Error when the table cannot be written; Interrupted.
std::vector<std::pair<std::string, std::string>> write_all_predictions(
    const std::filesystem::path& path, const TrainRunResult& run, const BagSet& set,
    const std::vector<SlideItem>& slides, const std::filesystem::path& features,
    const attn::Hooks& hooks);

/// Digest of the ids and features (`features`/ID.h5) of those of `slides` that are not in
/// `labelled`: whether their predictions are still theirs. Throws Interrupted.
std::string unlabelled_digest(const BagSet& labelled, const std::vector<SlideItem>& slides,
                              const std::filesystem::path& features, const attn::Hooks& hooks);

/// Digest of the outlines of `slides` (`truth_file`), of those that have any: whether they are the
/// same as before. Empty without truth.
std::string truth_digest(const std::optional<std::filesystem::path>& truth,
                         const std::vector<SlideItem>& slides);

}  // namespace pathology
