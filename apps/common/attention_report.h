// --attention-report: what the model's attention did while the verb worked.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "apps/common/app.h"
#include "attn/probe.h"

namespace attn::app {

/// Records, from where it is made, every attention call of this thread and of those that join it;
/// nothing where the call does not ask for the page.
class AttentionReport {
 public:
  explicit AttentionReport(const Context& context);

  /// Writes the page, where it is asked for. `subject` says of what: "RUN, ETTh1.csv".
  void write(const std::string& subject) const;

 private:
  std::filesystem::path path_;
  std::optional<Probe> probe_;
};

}  // namespace attn::app
