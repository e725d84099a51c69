#include <nlohmann/json.hpp>

#include "apps/attn-rank/list_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/tables.h"
#include "finance/model/describe.h"

namespace attn::app {
namespace {

struct InfoArgs {
  std::filesystem::path file;
  ListArgs lists;
};

void declare(InfoArgs& args, OptionTable& table) {
  table.add({.name = "FILE",
             .target = &args.file,
             .help = "a table of lists, a model file, or a run directory",
             .required = true,
             .positional = true});
  declare_lists(args.lists, table, ListUse::learned);
}

int run(const InfoArgs& args, const Context& context) {
  const auto facts = finance::describe(args.file, args.lists.options(context), context.hooks);
  if (context.common.json)
    print_json(facts);
  else
    print(fact_lines(facts));
  return kDone;
}

}  // namespace

Verb info_verb() {
  return bind(Verb{.name = "info",
                   .summary = "tell what a file is and what is in it: lists, rows, columns, money",
                   .example = "attn-rank info market.csv --list qid --label risky --profit pnl"},
              declare, run);
}

}  // namespace attn::app
