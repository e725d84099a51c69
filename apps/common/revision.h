// The revision the program was built from.
#pragma once

namespace attn::app {

/// The short git hash, with "-dirty" when the tree had changes, or "unknown" outside a git
/// checkout.
const char* git_revision();

}  // namespace attn::app
