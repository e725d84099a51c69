#include "finance/model/pages.h"

#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "finance/model/list_attention.h"
#include "libattn/io/table.h"

namespace finance {
namespace {

namespace fs = std::filesystem;

void add_model(const TrainedRanker& model, RankPage& page) {
  const RankerOptions& o = model.members.front().options();
  const auto add = [&](const char* name, const std::string& value) {
    page.facts.emplace_back(name, value);
  };
  add("model", to_string(o.model));
  add("loss", to_string(model.fit.loss.kind));
  add("epoch chosen by", to_string(model.fit.select));
  add("members", std::to_string(model.members.size()));
  add("parameters", std::to_string(model.members.front().parameters().count()));
  add("seed", std::to_string(model.fit.optimisation.seed));
  page.selected_by = to_string(model.fit.select);
}

}  // namespace

std::vector<TrainingEpoch> training_epochs(const fs::path& run) {
  const fs::path path = run / "metrics.csv";
  std::vector<TrainingEpoch> out;
  if (run.empty() || !fs::exists(path)) return out;
  const auto table = attn::io::Table::read(path);
  const attn::io::NumberRule rule{.allow_missing = true, .allow_nonfinite = true};
  const auto loss = table.doubles("loss", rule);
  std::vector<double> validation(loss.size(), std::numeric_limits<double>::quiet_NaN());
  for (const std::string& name : table.columns())
    if (name.starts_with("validation_")) validation = table.doubles(name, rule);
  for (size_t i = 0; i < loss.size(); ++i) out.push_back({loss[i], validation[i]});
  return out;
}

RankPage page_of(const Evaluation& e, const RankLists& lists, const TrainedRanker* model,
                 int64_t attention, const fs::path& run) {
  RankPage page;
  page.title = "Ranking report";
  page.subtitle = fmt::format("{} on {}", e.name, lists.name);
  page.facts = {{"scores", e.name},
                {"lists", std::to_string(lists.lists())},
                {"rows", std::to_string(lists.rows())}};
  page.lists = &lists;
  page.scores = e.scores;
  page.metrics = e.metrics;
  page.threshold = e.threshold, page.threshold_rule = e.threshold_rule;
  page.hedge_rule = e.hedge_rule;
  if (e.hedge) page.hedge = &*e.hedge;
  page.curve = e.curve;
  page.bins = e.bins;
  if (model == nullptr) return page;
  add_model(*model, page);
  std::vector<int64_t> which(static_cast<size_t>(std::min(attention, lists.lists())));
  std::iota(which.begin(), which.end(), 0);
  page.attention = list_attention(*model, lists, which);
  page.training = training_epochs(run);
  page.best_epoch = model->training.value("best_epoch", int64_t{0});
  return page;
}

}  // namespace finance
