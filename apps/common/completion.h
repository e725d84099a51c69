// Words for the shell's completion; apps/common/completion.bash asks the program for them.
#pragma once

#include <string>
#include <vector>

#include "apps/common/app.h"

namespace attn::app {

/// The hidden verb that completion.bash calls.
inline constexpr const char* kCompletionVerb = "__complete";

/// One word a line: the verbs, or with a verb its options, or with a verb and an option that
/// option's choices.
std::string completion_words(const App& app, const std::vector<std::string>& given);

}  // namespace attn::app
