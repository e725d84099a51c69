// Who trains, who validates, who tests: by patient, never by slide.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pathology/mil/bag.h"

namespace pathology {

/// Indices into BagSet::bags, each ascending; no patient in two parts.
struct Split {
  std::vector<int64_t> train, validation, test;
};

struct SplitOptions {
  double validation = 0.2;  ///< fraction of patients
  double test = 0.2;
  bool stratified =
      true;  ///< per class (a patient's class is the most frequent, then highest, of its bags')
  uint64_t seed = 0;
};

/// Shuffles patients (per class when stratified) and cuts; every part with a positive fraction gets
/// at least one patient of each class that has enough patients, train first. Throws Error when
/// there are too few patients for the parts asked for, or the training part would hold fewer than
/// two classes.
Split split_bags(const BagSet& set, const SplitOptions& options);

/// k parts of patients, sizes differing by at most one: fold f is tested by a model trained on the
/// others. Not stratified: shuffled patients cut evenly, as the published protocol of the classical
/// sets. Throws Error for folds < 2 or > patients.
std::vector<Split> k_folds(const BagSet& set, int64_t folds, bool stratified, uint64_t seed);

/// Moves a validation part, `fraction` of its patients, out of `split.train`, stratified by class.
Split with_validation(const BagSet& set, const Split& split, double fraction, uint64_t seed);

/// The indices of all bags.
std::vector<int64_t> all_bags(const BagSet& set);

/// Throws Error unless `items` hold at least two classes.
void require_two_classes(const BagSet& set, const std::vector<int64_t>& items);

/// Part of each bag by its id: train, validation or test. Bags in no part are left out.
using PartOfBag = std::map<std::string, std::string>;
PartOfBag parts_of(const BagSet& set, const Split& split);
/// Digest of who is in which part: two splits are the same.
std::string digest_of(const PartOfBag& parts);

/// Stands for a patient of the set with this digest in splits.csv: no name, but the same for the
/// same patient.
std::string patient_key(const std::string& set_digest, const std::string& patient);

/// Whether the set was told of patients: otherwise each bag is a patient of its own.
bool tells_patients(const BagSet& set);

/// CSV `bag,part,patient` with part = train, validation or test, and `patient_key`, empty where the
/// set tells no patients. Atomic.
void write_splits(const std::filesystem::path& path, const BagSet& set, const Split& split);
/// The rows of such a file. Throws Error: a bag twice, an unknown part.
PartOfBag read_parts(const std::filesystem::path& path);
/// Part of each patient by `patient_key`, that which saw most of the training where there are two
/// (train, validation, test); empty for files that tell none. Throws Error: an unknown part.
std::map<std::string, std::string> read_patient_parts(const std::filesystem::path& path);
/// Of two parts that which saw more of the training: train, then validation, then test, then none
/// ("").
std::string worse_part(const std::string& a, const std::string& b);
/// Throws Error: unknown bag, missing bag, a bag twice, a patient in two parts, an unknown part.
Split read_splits(const std::filesystem::path& path, const BagSet& set);
/// The split of bags that may have changed since it was made, `where` naming it: bags that it does
/// not name are in no part, bags of it that are gone are warned of. Throws Error: a patient in two
/// parts.
Split match_parts(const PartOfBag& parts, const BagSet& set, const std::string& where,
                  const attn::Hooks& hooks);

}  // namespace pathology
