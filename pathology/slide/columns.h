// Columns of tables by their usual names, and cells without the blanks around them.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "libattn/io/table.h"

namespace pathology {

/// Usual names of a table's columns, the first found is taken.
inline constexpr std::array kSlideColumns{"slide_id", "slide", "bag", "filename", "FILENAME"};
inline constexpr std::array kPatientColumns{"case_id", "patient", "patient_id", "PATIENT"};
inline constexpr std::array kLabelColumns{"label"};

/// Which columns a table of labels or bags, or a manifest, has them in.
struct LabelOptions {
  std::string id_column = {};  ///< empty: `slide_id`, `slide`, `bag` or `filename`, whichever there
                               ///< is; of a table of bags: `bag`; of a manifest: `slide_id`
  std::string label_column = {};  ///< empty: `label`
  std::string patient_column =
      {};  ///< empty: `case_id`, `patient` or `patient_id` where there is one
};

/// The column asked for, or the first of `usual` that the table has; empty when there is none.
/// Throws Error, listing the columns there are, when the table lacks the one asked for.
std::string choose_column(const attn::io::Table& table, const std::string& wanted,
                          std::span<const char* const> usual);

/// The cells of a column without blanks around them: "0 " is the class "0".
std::vector<std::string> trimmed_cells(const attn::io::Table& table, const std::string& column);

/// Whether a cell without blanks says that there is no value: nothing, NA, N/A, NaN, null, None.
bool is_missing(const std::string& cell);
/// As trimmed_cells, with missing values as empty cells; all are empty where `column` is.
std::vector<std::string> told_cells(const attn::io::Table& table, const std::string& column);

}  // namespace pathology
