// The verbs of attn-rank, one file each.
#pragma once

#include "apps/common/app.h"

namespace attn::app {

Verb simulate_verb();
Verb train_verb();
Verb cv_verb();
Verb score_verb();
Verb evaluate_verb();
Verb compare_verb();
Verb report_verb();
Verb info_verb();

}  // namespace attn::app
