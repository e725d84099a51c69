#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-rank/list_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/tables.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct ScoreArgs {
  fs::path run, data, out;
  std::vector<std::string> with;
  ListArgs lists;
};

void declare(ScoreArgs& args, OptionTable& table) {
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory of a training, or its model file",
             .unit = "RUN",
             .required = true});
  table.add({.name = "data",
             .target = &args.data,
             .help = "table of lists; - for standard input; may be larger than memory",
             .unit = "FILE",
             .required = true});
  table.add({.name = "out",
             .target = &args.out,
             .help = "where list, row, score and rank go",
             .unit = "FILE.csv",
             .required = true});
  table.add({.name = "with",
             .target = &args.with,
             .help = "scores of other models that the training had, too: FILE or FILE:COLUMN",
             .unit = "FILE"});
  declare_lists(args.lists, table, ListUse::scored);
}

int run(const ScoreArgs& args, const Context& context) {
  context.if_interrupted = "nothing is kept";
  io::refuse_overwriting(
      {args.out, context.common.attention_report.value_or(fs::path())},
      files_read({args.data, finance::model_path(args.run)}, args.lists, args.with));
  io::require_writable(args.out, "--out");
  const auto model = finance::load_rank_model(args.run);
  const auto with = read_score_files(args.with);
  const AttentionReport attention(context);
  const auto done =
      finance::score_file(model, args.data, args.lists.options_for(model, false, context), with,
                          args.out, context.hooks);
  context.progress.finish();
  tell_unused(args.data.string(), done.unused);
  attention.write(args.run.string() + ", " + args.data.string());
  if (context.common.json)
    print_json({{"out", args.out.string()}, {"lists", done.lists}, {"rows", done.rows}});
  else
    print(fmt::format("{}: scores of {} in {}\n", args.out.string(),
                      counted(done.rows, "row", "rows"), counted(done.lists, "list", "lists")));
  return kDone;
}

}  // namespace

Verb score_verb() {
  return bind(Verb{.name = "score",
                   .summary = "score and rank the rows of a table of lists",
                   .example = "attn-rank score --run RUN --data X.csv --out scores.csv",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
