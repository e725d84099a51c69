// The folder a training run leaves: run.json, metrics.csv, model.safetensors, checkpoints,
// report.html.
#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/common/app.h"
#include "apps/common/file_lock.h"

namespace attn::app {

/// A run directory in use by this process, locked against others.
class RunDirectory {
 public:
  /// Makes and locks `path`. What is in it stays. Throws attn::Error when the folder cannot be made
  /// or written, or is in use.
  static RunDirectory open(const std::filesystem::path& path, const Context& context);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path run_json() const { return path_ / "run.json"; }
  std::filesystem::path metrics_csv() const { return path_ / "metrics.csv"; }
  std::filesystem::path model() const { return path_ / "model.safetensors"; }
  std::filesystem::path checkpoint() const { return path_ / "checkpoint.safetensors"; }
  std::filesystem::path report() const { return path_ / "report.html"; }

  /// Whether an earlier call with the same configuration ended here ("status": "finished" in
  /// run.json).
  bool finished(const Context& context) const;
  /// Writes run.json with status "running": format_version, command, verb, configuration, seed,
  /// versions, started.
  void begin(const Context& context) const;
  /// Writes run.json with status "finished", the time taken, and `results` under "metrics".
  void end(const Context& context, const nlohmann::json& results) const;

 private:
  RunDirectory(std::filesystem::path path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  FileLock lock_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace attn::app
