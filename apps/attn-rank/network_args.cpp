#include "apps/attn-rank/network_args.h"

#include "attn/error.h"

namespace attn::app {
namespace {

template <class T, class U>
void take(const std::optional<T>& given, U& target) {
  if (given) target = *given;
}

void declare_loss(NetworkArgs& args, OptionTable& table) {
  table.add(
      {.name = "loss",
       .target = &args.loss,
       .help = "what training makes small; pa-bce and log-profit know money, the others labels",
       .choices = finance::loss_names()});
  table.add({.name = "top",
             .target = &args.top,
             .help = "pa-bce: only the K most profitable of a list (the published code: 6); 0: the "
                     "whole list",
             .unit = "K",
             .min = 0});
  table.add({.name = "log",
             .target = &args.log,
             .help = "pa-bce: of the weight log(1 + profit gap); none: the gap itself, for money "
                     "that lies in a few large gaps",
             .choices = {"10", "e", "none"}});
  table.add({.name = "money",
             .target = &args.money,
             .help = "unit of profit in the losses that know it",
             .min = 1e-12});
  table.add({.name = "gain",
             .target = &args.gain,
             .help = "lambdarank: of a label, 2^y - 1 or y",
             .choices = {"exponential", "linear"}});
  table.add({.name = "truncation",
             .target = &args.truncation,
             .help = "lambdarank: pairs with one of both among the first so many; 0: all",
             .unit = "N",
             .min = 0});
}

void declare_training(NetworkArgs& args, OptionTable& table) {
  table.group("Training (in brackets: where the option is not given)");
  table.add({.name = "select",
             .target = &args.select,
             .help = "by what of the validation lists an epoch is chosen: profit@K, ndcg@K, auc, "
                     "loss (profit@5 for losses of money, else ndcg@10)",
             .unit = "RULE"});
  table.add({.name = "max-epochs",
             .target = &args.epochs,
             .help = "passes over the training lists at most (30)",
             .unit = "N",
             .min = 1});
  table.add({.name = "batch",
             .target = &args.batch,
             .help = "lists in a step (32)",
             .unit = "N",
             .min = 1});
  table.add({.name = "lr",
             .target = &args.lr,
             .help = "peak learning rate (0.001; linear 0.01)",
             .min = 1e-12});
  table.add(
      {.name = "weight-decay", .target = &args.weight_decay, .help = "decoupled (0.01)", .min = 0});
  table.add({.name = "patience",
             .target = &args.patience,
             .help = "stop after so many epochs without a better one; 0: never (0)",
             .unit = "N",
             .min = 0});
  table.add({.name = "average",
             .target = &args.average,
             .help =
                 "weight that the running average of the parameters keeps at a step; it is what "
                 "is validated and kept; 0: the parameters themselves (0.98)",
             .unit = "0..1",
             .min = 0,
             .max = 0.999999});
  table.add({.name = "members",
             .target = &args.members,
             .help = "networks of different seeds whose scores are averaged",
             .unit = "N",
             .min = 1,
             .max = 1000});
  table.add(
      {.name = "pretrain",
       .target = &args.pretrain,
       .help = "self-cross, self: epochs of attention among features alone, by bce on the label",
       .unit = "N",
       .min = 0});
}

}  // namespace

void declare_network(NetworkArgs& args, OptionTable& table) {
  table.group("Network and loss (in brackets: where the option is not given)");
  table.add({.name = "model",
             .target = &args.model,
             .help = "cross: attention across the traders of a list; self-cross: first among a "
                     "trader's features; rankformer: across traders, on bare features; mlp: each "
                     "trader alone; self: alone, by attention among its features; linear: a "
                     "weighted sum of the features",
             .choices = finance::rank_model_names()});
  declare_loss(args, table);
  table.add({.name = "width",
             .target = &args.width,
             .help = "numbers a trader is held in (32)",
             .unit = "N",
             .min = 1});
  table.add({.name = "heads",
             .target = &args.heads,
             .help = "of attention across traders (4)",
             .unit = "N",
             .min = 1});
  table.add({.name = "layers",
             .target = &args.layers,
             .help = "of attention across traders, or hidden ones of mlp (2)",
             .unit = "N",
             .min = 0});
  table.add({.name = "hidden",
             .target = &args.hidden,
             .help = "units of the feed-forward halves (64)",
             .unit = "N",
             .min = 1});
  table.add({.name = "self-layers",
             .target = &args.self_layers,
             .help = "of attention among a trader's features (2)",
             .unit = "N",
             .min = 0});
  table.add({.name = "self-heads",
             .target = &args.self_heads,
             .help = "of that attention (8)",
             .unit = "N",
             .min = 1});
  table.add({.name = "dropout",
             .target = &args.dropout,
             .help = "of both branches of a layer (0.1)",
             .unit = "0..1",
             .min = 0,
             .max = 0.99});
  table.add({.name = "input-dropout",
             .target = &args.input_dropout,
             .help = "of the features (0)",
             .unit = "0..1",
             .min = 0,
             .max = 0.99});
  table.add({.name = "bins",
             .target = &args.bins,
             .help = "quantiles at which what is made of a number may bend (piecewise linear "
                     "encoding); 0: none (cross, mlp: 8; others 0)",
             .unit = "N",
             .min = 0,
             .max = 1000});
  table.add({.name = "bounded",
             .target = &args.bounded,
             .help = "scores between -1 and 1 (tanh), as published"});
  declare_training(args, table);
}

namespace {

// Options that would change nothing are no options.
void check_effects(const NetworkArgs& args, const finance::TrainRunOptions& o) {
  const auto refuse = [](bool given, const std::string& option, const std::string& on) {
    if (given) throw UsageError("--" + option + " has no effect on the " + on + "; leave it out");
  };
  const std::string loss = "loss " + args.loss, model = "model " + args.model;
  using finance::LossKind, finance::RankModel;
  refuse(args.top > 0 && o.fit.loss.kind != LossKind::pa_bce, "top", loss);
  const bool pairs = o.fit.loss.kind == LossKind::pa_bce;
  refuse(args.log != "10" && !pairs, "log", loss);
  refuse(args.money != 1 && !finance::needs_profit(o.fit.loss.kind), "money", loss);
  refuse(args.gain != "exponential" && o.fit.loss.kind != LossKind::lambdarank, "gain", loss);
  refuse(args.truncation > 0 && o.fit.loss.kind != LossKind::lambdarank, "truncation", loss);
  const bool linear = o.network.model == RankModel::linear;
  refuse(args.width && linear, "width", model);
  refuse(args.dropout && linear, "dropout", model);
  refuse(args.hidden && linear, "hidden", model);
  const bool layers = finance::looks_across(o.network.model) || o.network.model == RankModel::mlp;
  refuse(args.layers && !layers, "layers", model);
  refuse(args.heads && !finance::looks_across(o.network.model), "heads", model);
  const bool tokens = finance::looks_at_features(o.network.model);
  refuse(args.self_layers && !tokens, "self-layers", model);
  refuse(args.self_heads && !tokens, "self-heads", model);
}

}  // namespace

finance::TrainRunOptions NetworkArgs::resolve(const Context& context, bool validated) const {
  auto o = finance::default_run(finance::parse_rank_model(model), finance::parse_loss(loss));
  take(width, o.network.width), take(heads, o.network.heads), take(layers, o.network.layers);
  take(hidden, o.network.hidden), take(dropout, o.network.dropout);
  take(input_dropout, o.network.input_dropout);
  take(self_layers, o.network.self_layers), take(self_heads, o.network.self_heads);
  o.network.bounded = bounded;
  auto& l = o.fit.loss;
  l.top = top, l.truncation = truncation, l.money = money;
  l.weight = finance::parse_gap_weight(log);
  l.gain = gain == "linear" ? finance::LambdaGain::linear : finance::LambdaGain::exponential;
  if (select) o.fit.select = finance::parse_select(*select);
  auto& t = o.fit.optimisation;
  take(epochs, t.epochs), take(batch, t.batch), take(lr, t.lr);
  take(weight_decay, t.weight_decay), take(patience, t.patience);
  take(average, o.fit.average);
  t.seed = static_cast<uint64_t>(context.common.seed);
  o.members = members, o.pretrain = pretrain;
  take(bins, o.bins);
  if (!validated && (select || patience.value_or(0) > 0))
    throw UsageError("--select and --patience need validation lists; give --valid or --validation");
  check_effects(*this, o);
  finance::check(o.fit);
  return o;
}

}  // namespace attn::app
