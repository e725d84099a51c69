#include <nlohmann/json.hpp>

#include "apps/attn-rank/evaluate_args.h"
#include "apps/attn-rank/verbs.h"
#include "finance/model/pages.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct ReportArgs {
  ScoredArgs scored;
  JudgeArgs judge;
  fs::path out;
  int64_t attention = 3;
};

void declare(ReportArgs& args, OptionTable& table) {
  table.add({.name = "out",
             .target = &args.out,
             .help = "the page",
             .unit = "FILE.html",
             .required = true});
  table.add({.name = "attention",
             .target = &args.attention,
             .help = "lists of which the page shows whom the model compares with whom",
             .unit = "N",
             .min = 0,
             .max = 20});
  declare_scored(args.scored, table);
  declare_judging(args.judge, table);
}

int run(const ReportArgs& args, const Context& context) {
  context.if_interrupted = "nothing is kept";
  io::refuse_overwriting({args.out}, files_read(args.scored));
  require_page(args.out, "--out");
  const auto options = args.judge.options(context);
  auto scored = read_scored(args.scored, args.judge.stake, context);
  const auto result = finance::evaluate_scores(scored.name, scored.lists, std::move(scored.scores),
                                               scored.thresholds, options, context.hooks);
  auto page = finance::page_of(result, scored.lists, scored.model ? &*scored.model : nullptr,
                               args.attention, args.scored.run.value_or(fs::path()));
  page.level = options.metrics.level;
  finance::rank_page(page).write(args.out);
  context.progress.finish();
  if (context.common.json)
    print_json({{"page", args.out.string()}});
  else
    print(args.out.string() + "\n");
  return kDone;
}

}  // namespace

Verb report_verb() {
  return bind(Verb{.name = "report",
                   .summary = "a page of what scores are worth: profit by the number hedged, money "
                              "over time, calibration, whom the model compares with whom",
                   .example = "attn-rank report --run RUN --data X.csv --out report.html"},
              declare, run);
}

}  // namespace attn::app
