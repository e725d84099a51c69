#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-rank/list_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "finance/market/simulate_market.h"
#include "libattn/io/outputs.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct SimulateArgs {
  fs::path out;
  std::optional<fs::path> volatility;
  std::string price = "Close";
  finance::MarketOptions options;
};

void declare_market(finance::MarketOptions& o, OptionTable& table) {
  table.group("The market");
  table.add({.name = "regime",
             .target = &o.regime,
             .help = "strength of the hidden regime, which only the whole list shows",
             .min = 0});
  table.add({.name = "flip",
             .target = &o.flip,
             .help = "how probably it turns from a list to the next",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "trades",
             .target = &o.trades,
             .help = "past trades a trader, and future ones",
             .unit = "N",
             .min = 2,
             .max = 10000});
  table.add({.name = "noise", .target = &o.noise, .help = "sd of a trade's return", .min = 0});
  table.add({.name = "degrees",
             .target = &o.degrees,
             .help = "of freedom of Student's t: fewer, stronger tails",
             .min = 2});
  table.add({.name = "tail-probability",
             .target = &o.tail_probability,
             .help = "of a stake with a Pareto tail",
             .unit = "0..1",
             .min = 0,
             .max = 1});
  table.add({.name = "tail-index",
             .target = &o.tail_index,
             .help = "of that tail: lower, stronger",
             .min = 0});
  table.add({.name = "tail-size", .target = &o.tail_size, .help = "its weight", .min = 0});
  table.add({.name = "label-roi",
             .target = &o.label_roi,
             .help = "mean return of the future trades above which a trader is risky"});
  table.add({.name = "window",
             .target = &o.window,
             .help = "returns in a row that make the volatility",
             .unit = "N",
             .min = 2,
             .max = 1000000});
}

void declare(SimulateArgs& args, OptionTable& table) {
  table.add({.name = "out",
             .target = &args.out,
             .help = "the table: .csv, .csv.gz or .parquet",
             .unit = "FILE",
             .required = true});
  table.add({.name = "lists",
             .target = &args.options.lists,
             .help = "trading windows",
             .unit = "N",
             .min = 1,
             .max = 10000000});
  table.add({.name = "traders",
             .target = &args.options.traders,
             .help = "in a list",
             .unit = "N",
             .min = 1,
             .max = 1000000});
  table.add({.name = "ragged",
             .target = &args.options.ragged,
             .help = "lists of between half and all of these"});
  table.add({.name = "volatility",
             .target = &args.volatility,
             .help = "table of prices whose returns make the volatility (a GARCH drawn by --seed)",
             .unit = "FILE"});
  table.add(
      {.name = "price", .target = &args.price, .help = "its column of prices", .unit = "COLUMN"});
  declare_market(args.options, table);
}

std::vector<double> returns_of(const SimulateArgs& args, uint64_t seed) {
  if (args.volatility) {
    const auto table = io::Table::read(*args.volatility);
    const auto prices = table.doubles(args.price);
    for (size_t i = 0; i < prices.size(); ++i)
      if (!(prices[i] > 0))
        throw Error(table.locate(static_cast<int64_t>(i), args.price) +
                    ": expected a positive price, found " + io::number_text(prices[i]));
    return finance::log_returns(prices);
  }
  return finance::garch_returns(std::max<int64_t>(5000, args.options.window * 20), seed);
}

int run(const SimulateArgs& args, const Context& context) {
  context.if_interrupted = "nothing is kept";
  auto options = args.options;
  options.seed = static_cast<uint64_t>(context.common.seed);
  io::refuse_overwriting({args.out}, {args.volatility.value_or(fs::path())});
  io::require_writable(args.out, "--out");
  auto lists = finance::simulate_market(options, returns_of(args, options.seed), context.hooks);
  context.hooks.check();
  lists.name = args.out.string();
  finance::ListOptions names;
  names.list = "qid", names.label = "risky", names.profit = "pnl";
  finance::write_lists(args.out, lists, names);
  if (context.common.json)
    print_json({{"out", args.out.string()},
                {"lists", lists.lists()},
                {"rows", lists.rows()},
                {"seed", options.seed},
                {"list", "qid"},
                {"label", "risky"},
                {"profit", "pnl"},
                {"stake", "stake"}});
  else
    print(lists_text(lists) + "; list qid, label risky, profit pnl, stake stake\n");
  return kDone;
}

}  // namespace

Verb simulate_verb() {
  return bind(Verb{.name = "simulate",
                   .summary = "make lists of traders in a market with a hidden regime",
                   .example = "attn-rank simulate --lists 500 --seed 3 --out market.csv"},
              declare, run);
}

}  // namespace attn::app
