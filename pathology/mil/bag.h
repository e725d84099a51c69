// A bag: one slide (or molecule, or image) as a set of instances with one label for all of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "libattn/io/digest.h"
#include "pathology/slide/columns.h"

namespace pathology {

struct Bag {
  std::string id;
  std::string patient;  ///< the id where no patient is known
  int64_t label = -1;   ///< index into BagSet::classes; -1: unknown
  int64_t instances = 0;
  at::Tensor features;  ///< (N,D) float32; undefined: read from `path` at each use
  std::vector<std::array<int64_t, 2>>
      coords;                  ///< level-0 top-left of each tile; empty where there are none
  std::filesystem::path path;  ///< feature file the bag came from; empty for CSV bags
  double unreadable = 0;       ///< share of its tiles that could not be decoded
};

struct BagSet {
  std::vector<Bag> bags;
  std::vector<std::string> classes;        ///< sorted; label i is classes[i]
  int64_t dim = 0;                         ///< D
  std::vector<std::string> feature_names;  ///< (D), or empty
  nlohmann::json preprocessing;  ///< the feature files' `attn_config` less the per-slide parts;
                                 ///< null for other bags
  nlohmann::json source;  ///< where the bags were read from, so that `evaluate` finds them again
  std::string digest;     ///< XXH3-128 of ids, labels, patients and features: says whether two sets
                          ///< are the same

  int64_t size() const { return static_cast<int64_t>(bags.size()); }
  /// (N,D) float32 of bag i, from memory or from its file. Safe to call from several threads.
  at::Tensor features(int64_t i) const;
};

/// Adds a bag with its features to the digest of a set. A bag whose patient is not known counts as
/// in sets that know none.
void digest_bag(attn::io::Digest& digest, const Bag& bag, const std::string& label);

/// Cells without the blanks around them.
struct LabelTable {
  std::vector<std::string> ids, labels,
      patients;  ///< a label or patient is empty where none is told (is_missing)
};
/// Throws Error: missing column (names those found), empty table, an id twice with different labels
/// or patients.
LabelTable read_labels(const std::filesystem::path& csv, const LabelOptions& options = {});

/// Row of the table for each slide: the id less folders and a slide's extension, so that
/// `sub/a.svs` in a table finds the slide `a`; ask by `without_slide_extension(id)`. Throws Error
/// where two rows name the same slide with different labels or patients; `csv` names the table.
std::map<std::string, size_t> label_rows(const LabelTable& table, const std::filesystem::path& csv);

/// Sorted distinct labels: numerically where all are numbers, else by text.
std::vector<std::string> class_names(const std::vector<std::string>& labels);
/// "40 bags of 38 patients: normal 20, tumor 20".
std::string classes_text(const BagSet& set);
/// Warns of classes that one patient alone has: such a class can be learnt or tested, never both.
void warn_of_single_patients(const BagSet& set, const attn::Hooks& hooks);
/// Warns of classes that are one number written twice ("1" and "1.0"); `where` names their table.
void warn_of_equal_classes(const std::vector<std::string>& classes, const std::string& where,
                           const attn::Hooks& hooks);

/// Reads again what `source` (BagSet::source) names.
BagSet load_source(const nlohmann::json& source, const attn::Hooks& hooks);
/// Bags of a .csv (bag_csv.h) or a folder of .h5 (bag_h5.h) with `labels` (needed for a folder,
/// empty for a CSV); `options` are of whichever table holds the labels.
BagSet load_bags(const std::filesystem::path& bags, const std::filesystem::path& labels,
                 const LabelOptions& options, const attn::Hooks& hooks);

}  // namespace pathology
