// attn-rank: lists of traders to ranked lists, by attention across traders and losses that weigh
// the money at stake.
#include "apps/attn-rank/verbs.h"
#include "apps/common/torch_start.h"

int main(int argc, char** argv) {
  using namespace attn::app;
  const App app{.name = "attn-rank",
                .summary =
                    "lists of traders to ranked lists and hedges, by attention across traders and "
                    "profit-aware losses (PA-RiskRanker)",
                .example =
                    "attn-rank train --train T.csv --valid V.csv --list qid --label risky --profit "
                    "pnl --out RUN",
                .verbs = {simulate_verb(), train_verb(), cv_verb(), score_verb(), evaluate_verb(),
                          compare_verb(), report_verb(), info_verb()},
                .start = start_torch,
                .libraries = torch_and_arrow_versions};
  return run_app(app, argc, argv);
}
