// The driver of every job over many inputs: skip what is finished, go on past a bad item, tell what
// failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/common/app.h"

namespace attn::app {

struct BatchItem {
  std::string id;  ///< as it is named in messages and failures.csv
  std::filesystem::path
      output;  ///< written through io::AtomicFile by `Batch::work`; empty: always done
};

struct Batch {
  std::string noun = "slide";    ///< what an item is
  std::filesystem::path folder;  ///< where failures.csv goes; made if absent
  std::vector<BatchItem> items;
  /// Whether item i's output is whole and was made from the same input with the same parameters.
  /// Exceptions count as "no".
  std::function<bool(size_t i)> current;
  /// Makes item i. Whatever it throws, except attn::Interrupted, is that item's failure; the others
  /// go on.
  std::function<void(size_t i)> work;
};

struct BatchResult {
  int64_t done = 0;     ///< made now
  int64_t skipped = 0;  ///< were finished
  int64_t busy = 0;     ///< in the hands of another process now
  int64_t total = 0;    ///< of this shard
  struct Failure {
    std::string item, reason;
  };
  std::vector<Failure> failures;
  std::vector<bool> good;  ///< per item of Batch::items: its output is there and current

  int exit_code() const { return failures.empty() ? kDone : kFailed; }
};

/// Runs the batch with --overwrite, --shard and --dry-run of `context`. Each item is locked while
/// in work, so that several processes may share one folder. Failures are written to
/// FOLDER/failures.csv (item, reason), or with --shard to FOLDER/failures.I-of-N.csv; without
/// failures that file is removed. Logs a summary line. Throws attn::Interrupted after the failures
/// so far are written; attn::Error when two items have the same output or the folder cannot be
/// written.
BatchResult run_batch(const Batch& batch, const Context& context);

/// {"done":, "skipped":, "failed": [{"item":, "reason":}], "total":} for --json.
nlohmann::json to_json(const BatchResult& result);

}  // namespace attn::app
