// Bags from one CSV table, a row per instance: the classical MIL benchmarks and features of any
// other tool.
#pragma once

#include <filesystem>

#include "pathology/mil/bag.h"

namespace pathology {

struct BagCsvOptions {
  LabelOptions columns = {};
  bool labelled = true;  ///< whether there must be labels; else none are read
};

/// Columns: `bag`, `label`, optional `case_id` (or `patient`, `patient_id`), or as named by the
/// options; all others are numeric features in file order. Of several columns with a patient's name
/// one counts, and a warning says which; none is a feature, nor is another column with a usual name
/// of labels or bags. Rows of a bag need not be adjacent;
/// bags keep the order of their first row. Throws Error: unreadable file, missing column, no rows,
/// no feature column, a value that is not a finite number (names row and column), a label that
/// is missing (`is_missing`), a bag with two
/// labels or two patients.
BagSet read_bag_csv(const std::filesystem::path& path, const BagCsvOptions& options,
                    const attn::Hooks& hooks);

}  // namespace pathology
