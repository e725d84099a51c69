#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/verbs.h"
#include "apps/common/tables.h"
#include "pathology/chain/describe.h"

namespace attn::app {
namespace {

struct InfoArgs {
  std::filesystem::path file;
};

void declare(InfoArgs& args, OptionTable& table) {
  table.add(
      {.name = "FILE",
       .target = &args.file,
       .help =
           "a slide, tile or feature file, table of bags or labels, model file, or run directory",
       .required = true,
       .positional = true});
}

int run(const InfoArgs& args, const Context& context) {
  const auto facts = pathology::describe(args.file, context.hooks);
  if (context.common.json)
    print_json(facts);
  else
    print(fact_lines(facts, 28));
  return kDone;
}

}  // namespace

Verb info_verb() {
  return bind(Verb{.name = "info",
                   .summary = "tell what a file is and what is in it",
                   .example = "attn-mil info W/run"},
              declare, run);
}

}  // namespace attn::app
