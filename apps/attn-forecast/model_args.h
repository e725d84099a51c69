// Options about the model and its training, which train and evaluate share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "apps/common/app.h"
#include "timeseries/model/model_options.h"

namespace attn::app {

/// What is given on the command line; the rest is the network's own (default_options).
struct ModelArgs {
  std::optional<std::string> network;  ///< not given: that of --settings, else entrope
  std::optional<std::filesystem::path> settings;
  std::optional<int64_t> lookback, cycle, stride;
  std::optional<std::string> scale;
  bool calendar = false;
  std::optional<int64_t> epochs, batch, patience;
  std::optional<double> lr, dropout;
  std::optional<int64_t> width;
  std::optional<std::string> cut;
  std::optional<double> mean_patch, threshold, rise;
  std::optional<int64_t> max_patch, min_patch;
  std::optional<int64_t> vocabulary, entropy_width, entropy_depth, entropy_epochs;

  /// The network's own options for series of `channels` channels, with --settings, then these
  /// options, over them. Throws attn::UsageError for those that the network has no use for, and as
  /// timeseries::check.
  timeseries::ModelOptions resolve(int64_t channels, const std::optional<int64_t>& season,
                                   const Context& context) const;

 private:
  void set_training(timeseries::ModelOptions& out) const;
  void set_patching(timeseries::ModelOptions& out) const;
};

/// Without --horizon, which differs between the verbs.
void declare_model(ModelArgs& args, OptionTable& table);

/// What `network` is called in tables: "EntroPE".
std::string title_of(timeseries::Network network);

}  // namespace attn::app
