// Ctrl-C and its relatives.
#pragma once

#include <atomic>

namespace attn::app {

/// Installs the handlers: the first SIGINT, SIGTERM or SIGHUP (unless nohup has it ignored) sets
/// the flag that attn::Hooks::stop points at; a SIGINT or SIGTERM after it ends the process at once
/// with code 130.
/// SIGPIPE is ignored: a reader that went away must not end a batch.
void install_signal_handlers();

/// Set by the first of these signals.
const std::atomic<bool>& stop_flag();

}  // namespace attn::app
