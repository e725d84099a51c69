// Options about the network, its loss and its training.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "finance/model/train_run.h"

namespace attn::app {

/// What is not given is that of finance::default_run.
struct NetworkArgs {
  std::string model = "cross", loss = "pa-bce", log = "10", gain = "exponential";
  int64_t top = 0, truncation = 0;
  double money = 1;
  std::optional<std::string> select;
  std::optional<int64_t> width, heads, layers, hidden, self_layers, self_heads;
  std::optional<int64_t> epochs, batch, patience, bins;
  std::optional<double> dropout, input_dropout, lr, weight_decay, average;
  bool bounded = false;
  int64_t members = 1, pretrain = 0;

  /// With --seed. Throws attn::UsageError. `validated`: whether lists choose the epoch.
  finance::TrainRunOptions resolve(const Context& context, bool validated) const;
};
void declare_network(NetworkArgs& args, OptionTable& table);

}  // namespace attn::app
