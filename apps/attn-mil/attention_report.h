// --attention-report: what the model's attention did while the verb worked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "attn/probe.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/predict.h"

namespace attn::app {

/// Entropy of the attention over one bag.
struct BagEntropy {
  std::string bag;
  int64_t instances = 0;
  double entropy = 0, normalised = 0;
};
std::vector<BagEntropy> entropies_of(const pathology::BagSet& set,
                                     const std::vector<pathology::BagPrediction>& predictions);
/// The same from what ID.json holds beside a heat map.
std::vector<BagEntropy> entropies_of(const std::vector<nlohmann::json>& facts);
/// The same from a predictions.csv.
std::vector<BagEntropy> read_entropies(const std::filesystem::path& predictions);

/// Records, from where it is made, every attention call of this thread and of those that join it;
/// nothing where the call does not ask for the page.
class AttentionReport {
 public:
  explicit AttentionReport(const Context& context);

  /// Whether the page is asked for.
  explicit operator bool() const { return probe_.has_value(); }
  /// Writes the page; what `bags` holds stands in it also where everything was finished before and
  /// nothing was recorded.
  void write(const std::string& model, const std::vector<BagEntropy>& bags) const;

 private:
  std::filesystem::path path_;
  std::optional<Probe> probe_;
};

}  // namespace attn::app
