// What a probe has seen, for people and programs: warnings in words, one HTML page, one JSON file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "attn/export.h"
#include "attn/probe.h"

namespace attn {

/// Thresholds of the warnings. Low attention entropy goes with unstable training: "entropy
/// collapse" (Zhai et al. 2023, arXiv 2303.06296, section 3.1; the entropy falls exponentially in
/// the norm of the logits, theorem 3.1). Heads that stay near the largest entropy tell nothing
/// apart: "entropic overload" (Jha and Reagen 2025, arXiv 2501.03489). Both papers describe the
/// ends of the range and set no threshold; the numbers are ours, near the ends.
inline constexpr double kProbeCollapse = 0.05;  ///< normalised entropy below
inline constexpr double kProbeOverload = 0.98;  ///< normalised entropy above
inline constexpr double kProbeSink =
    0.5;  ///< mass above, of rows that see 4 keys or more on average
inline constexpr double kProbeSinkKeys = 4;

struct ProbeWarning {
  /// The gravest first.
  enum class Kind { nonfinite, dead, collapse, overload, first_key, learned_sink };
  Kind kind = Kind::nonfinite;
  std::string layer;
  int64_t head = -1;  ///< -1: every head
  int64_t step = 0;   ///< where it was found
  double value = 0;   ///< what is beyond the threshold; of dead and nonfinite the number of rows
  std::string text;   ///< one sentence
};

/// What a person should look at, by kind: collapse, overload and sinks in the newest step of each
/// layer; rows without a key or with non-finite results in any, told once a head.
ATTN_PUBLIC std::vector<ProbeWarning> probe_warnings(const ProbeReport& report);

/// {"format": "attn-probe/1", "step_name", "calls", "calls_left_out", "layers": [{"name", "steps":
/// [{"step", "calls", and for each number of ProbeHead its name with an array over heads}]}]};
/// undefined numbers are null. Atomic. Throws attn::StorageError.
ATTN_PUBLIC void write_probe_json(const std::filesystem::path& path, const ProbeReport& report);

/// One HTML page that fetches nothing: warnings in words, maps of entropy and sink mass by layer
/// and head, their course over the steps, and what the numbers mean.
ATTN_PUBLIC std::string probe_page(const ProbeReport& report, const std::string& title);

}  // namespace attn
