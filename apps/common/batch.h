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
  std::vector<std::filesystem::path> companions =
      {};  ///< of the same work; set aside with `output`
};

struct Batch {
  std::string noun = "slide";         ///< what an item is
  std::filesystem::path folder;       ///< where the list of failures goes; made if absent
  std::string failures = "failures";  ///< its name, less .csv
  std::vector<BatchItem> items;
  /// Whether item i's output is whole and was made from the same input with the same parameters.
  /// Exceptions count as "no", but for those that tell nothing of either file: attn::NewerFormat,
  /// attn::StorageError (which is also an input that is not there now), attn::UsageError (options
  /// that do not suit the item) and lack of memory are the item's failure.
  std::function<bool(size_t i)> current;
  /// Makes item i. Whatever it throws, except attn::Interrupted, is that item's failure; the others
  /// go on.
  std::function<void(size_t i)> work;
};

struct BatchResult {
  int64_t done = 0;     ///< made now
  int64_t skipped = 0;  ///< were finished
  int64_t busy = 0;     ///< in the hands of another process now, so not known to be good
  int64_t total = 0;    ///< of this shard
  struct Failure {
    std::string item, reason;
  };
  std::vector<Failure> failures;
  /// Of a dry run: "run", "skip" or "fail" for each item, and why.
  struct Plan {
    std::string item, action, reason;
  };
  std::vector<Plan> plan;
  std::vector<bool> good;  ///< per item of Batch::items: its output is there and current

  int exit_code() const { return failures.empty() && busy == 0 ? kDone : kFailed; }
};

/// Runs the batch with --overwrite, --shard and --dry-run of `context`. Each item is locked while
/// in work, so that several processes may share one folder. Failures are written to
/// FOLDER/failures.csv (item, reason), or with --shard to FOLDER/failures.I-of-N.csv; without
/// failures that file is removed. An outdated output of an item whose work failed for what is in
/// its input is set aside with its companions (`set_aside_path`), so that no later step takes it
/// for the item's; an input that is not there now, options that do not suit it, a full disk, a lock
/// or lack of memory, and --overwrite, leave every output where it is. Logs a summary
/// line. Throws attn::Interrupted after the failures so far are written; attn::Error when two items
/// have the same output, the folder cannot be written, or a file of the list's name holds something
/// else.
BatchResult run_batch(const Batch& batch, const Context& context);

/// OUTPUT.stale: where the older output of a failed item is, until the item succeeds.
std::filesystem::path set_aside_path(const std::filesystem::path& output);
/// Moves `output` there; a warning when that cannot be done.
void set_aside(const std::filesystem::path& output);

/// Writes item,reason rows, or removes such a list when there are none. Throws attn::Error rather
/// than touch a file at `path` that is not such a list.
void write_failures(const std::filesystem::path& path,
                    const std::vector<BatchResult::Failure>& failures);

/// {"done":, "skipped":, "busy":, "failed": [{"item":, "reason":}], "total":} for --json; of a dry
/// run also "plan": [{"item":, "action":, "reason":}].
nlohmann::json to_json(const BatchResult& result);
nlohmann::json to_json(const std::vector<BatchResult::Failure>& failures);

}  // namespace attn::app
