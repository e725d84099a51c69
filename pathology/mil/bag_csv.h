// Bags from one CSV table, a row per instance: the classical MIL benchmarks and features of any
// other tool.
#pragma once

#include <filesystem>

#include "pathology/mil/bag.h"

namespace pathology {

/// Columns: `bag`, `label`, optional `patient` (or `case_id`), all others numeric features in file
/// order. Rows of a bag need not be adjacent; bags keep the order of their first row. Throws Error:
/// unreadable file, missing column, no rows, no feature column, a value that is not a finite number
/// (names row and column), a bag with two labels or two patients.
BagSet read_bag_csv(const std::filesystem::path& path, const attn::Hooks& hooks);

}  // namespace pathology
