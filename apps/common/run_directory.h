// The folder a training run leaves: run.json, metrics.csv, model.safetensors, checkpoints,
// report.html.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/common/app.h"

namespace attn::app {

/// A run directory in use by this process, locked against others.
class RunDirectory {
 public:
  /// Makes and locks `path`. What is in it stays. Throws attn::Error when the folder cannot be made
  /// or written, or is in use; attn::NewerFormat where a newer program wrote its run.json, unless
  /// --overwrite is to replace it; attn::StorageError. Warns where it holds a finished run of other
  /// options, which this one is to replace, unless that was asked for or the folder is
  /// `part_of_another` run's, which has told it. `context` outlives the object.
  static RunDirectory open(const std::filesystem::path& path, const Context& context,
                           bool part_of_another = false);
  /// A run that began and did not end is noted in run.json: status "interrupted" after a signal,
  /// else "failed", and the context's list of such runs gains it.
  ~RunDirectory();
  RunDirectory(RunDirectory&&) noexcept;
  RunDirectory& operator=(RunDirectory&&) noexcept;

  const std::filesystem::path& path() const;
  std::filesystem::path run_json() const { return path() / "run.json"; }
  std::filesystem::path metrics_csv() const { return path() / "metrics.csv"; }
  std::filesystem::path model() const { return path() / "model.safetensors"; }
  std::filesystem::path checkpoint() const { return path() / "checkpoint.safetensors"; }
  std::filesystem::path report() const { return path() / "report.html"; }

  /// Whether an earlier call with the same configuration ended here ("status": "finished" in
  /// run.json); not where run.json is damaged. Throws attn::NewerFormat where a newer program wrote
  /// it, unless by --overwrite it is to be replaced, and attn::StorageError.
  bool finished(const Context& context) const;
  /// Writes run.json with status "running": format_version, command, verb, configuration, seed,
  /// threads, device, versions, started, written (both UTC), seconds. Where an earlier call with
  /// the same configuration did not finish and is gone on from, `started` is that call's and
  /// `seconds` includes what it took, as far as it could still be written (not after kill -9).
  /// Throws attn::NewerFormat rather than replace a newer program's run.json without --overwrite.
  void begin(const Context& context) const;
  /// Writes run.json with status "finished", and `results` under "metrics".
  void end(const Context& context, const nlohmann::json& results) const;

 private:
  struct State;
  explicit RunDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Adds what ended a run to the run.json of status "failed" in the folder `run`, as "error". Where
/// that cannot be written, nothing happens: what ended the run is told by the caller.
void note_error(const std::filesystem::path& run, const std::string& sentence) noexcept;

}  // namespace attn::app
