#include <nlohmann/json.hpp>

#include "apps/attn-rank/evaluate_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/attention_report.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

struct EvaluateArgs {
  ScoredArgs scored;
  JudgeArgs judge;
};

void declare(EvaluateArgs& args, OptionTable& table) {
  declare_scored(args.scored, table);
  declare_judging(args.judge, table);
}

int run(const EvaluateArgs& args, const Context& context) {
  context.if_interrupted = "an evaluation keeps nothing";
  const std::filesystem::path page =
      context.common.attention_report.value_or(std::filesystem::path());
  io::refuse_overwriting({page}, files_read(args.scored));
  const auto options = args.judge.options(context);
  const AttentionReport attention(context);
  auto scored = read_scored(args.scored, args.judge.stake, context);
  const auto result = finance::evaluate_scores(scored.name, scored.lists, std::move(scored.scores),
                                               scored.thresholds, options, context.hooks);
  context.progress.finish();
  attention.write(scored.name + ", " + scored.lists.name);
  if (context.common.json) {
    auto document = finance::to_json(result);
    document["lists"] = scored.lists.lists();
    document["rows"] = scored.lists.rows();
    print_json(document);
  } else {
    print(lists_text(scored.lists) + "\n" + evaluation_text(result));
  }
  return kDone;
}

}  // namespace

Verb evaluate_verb() {
  return bind(Verb{.name = "evaluate",
                   .summary = "metrics and money of a model's scores, or of any program's, with "
                              "bootstrap intervals",
                   .example = "attn-rank evaluate --run RUN --data X.csv --json",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
