// Rows of svmrank and LIBSVM text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finance {

/// `label qid:N id:value ... # comment`.
struct SvmRow {
  double label = 0;
  std::string_view qid;                           ///< of the line; empty where there is none
  std::vector<std::pair<int64_t, float>> values;  ///< by ascending id, each once
};

/// The line without comment and blanks at its ends; empty where it holds no row.
std::string_view svm_row_text(std::string_view line);

/// Whether a row begins as svmrank (with `qid`) or LIBSVM text: a number, then `qid:` or `id:`.
bool looks_like_svm(std::string_view line, bool with_qid);

/// Takes a row apart into `row`. Throws Error that begins with `where` for a label that is no
/// number of 0 or more, an id that is no whole number of 0 or more or is there twice, a value that
/// is not finite, a second qid or one behind the features.
void parse_svm_row(std::string_view text, const std::string& where, SvmRow& row);

/// "17" as a feature's id; false for other texts.
bool parse_svm_id(std::string_view text, int64_t& id);

}  // namespace finance
