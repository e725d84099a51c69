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

/// The column asked for, or the first of `usual` that the table has; empty when there is none.
/// Throws Error, listing the columns there are, when the table lacks the one asked for.
std::string choose_column(const attn::io::Table& table, const std::string& wanted,
                          std::span<const char* const> usual);

/// The cells of a column without blanks around them: "0 " is the class "0".
std::vector<std::string> trimmed_cells(const attn::io::Table& table, const std::string& column);

}  // namespace pathology
