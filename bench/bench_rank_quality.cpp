#include "bench/bench_rank_quality.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/peer_process.h"
#include "finance/lists/read_lists.h"
#include "finance/market/simulate_market.h"
#include "finance/model/train_run.h"
#include "finance/score/decisions.h"
#include "finance/score/rank_metrics.h"
#include "libattn/io/table.h"

namespace attn::bench {
namespace {

namespace fs = std::filesystem;
using finance::LossKind;
using finance::RankLists;
using finance::RankModel;
using nlohmann::json;

constexpr double kMoney = 20;  // of log-profit, ours and LightGBM's
constexpr const char* kPython = "/bench/peers/rank_trees.py";

/// The columns of sim_market.
finance::ListOptions columns() {
  finance::ListOptions o;
  o.list = "qid", o.label = "risky", o.profit = "pnl", o.ignore = {"stake"};
  return o;
}

/// A folder that ends with this.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(fs::temp_directory_path() / ("bench-rank-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Three parts, and the files that LightGBM reads them from.
struct Market {
  std::string name;
  RankLists train, validation, test;
  fs::path train_file, validation_file, test_file;
};

Market read_market(const std::string& name, const fs::path& folder) {
  Market m;
  m.name = name;
  m.train_file = folder / "train.csv", m.validation_file = folder / "val.csv";
  m.test_file = folder / "test.csv";
  m.train = finance::read_lists(m.train_file, columns());
  m.validation = finance::read_lists(m.validation_file, columns());
  m.test = finance::read_lists(m.test_file, columns());
  return m;
}

/// Heavier tails of stakes and returns than sim_market's, and other traders; as many lists.
void write_tails(const fs::path& folder) {
  finance::MarketOptions o;
  o.lists = 1200, o.seed = 77;
  o.tail_probability = 0.06, o.tail_index = 1.3, o.degrees = 3;
  const RankLists all = finance::simulate_market(o, finance::garch_returns(5000, o.seed));
  int64_t first = 0;
  for (const auto& [file, count] :
       {std::pair<const char*, int64_t>{"train.csv", 800}, {"val.csv", 150}, {"test.csv", 250}}) {
    std::vector<int64_t> which(static_cast<size_t>(count));
    std::iota(which.begin(), which.end(), first);
    first += count;
    finance::write_lists(folder / file, finance::selected(all, which), columns());
  }
}

fs::path shared_market() {
  const char* root = std::getenv("ATTN_SHARED_DATA");
  fs::path folder =
      (root != nullptr ? fs::path(root) : fs::path(ATTN_SOURCE_DIR) / ".." / "shared" / "data") /
      "finance" / "sim_market";
  if (!fs::exists(folder / "train.csv"))
    throw std::runtime_error(folder.string() +
                             " is not there; point ATTN_SHARED_DATA at the shared data, or ask "
                             "for --market tails, which is simulated");
  return folder;
}

/// Of the test lists, or their mean over seeds and its sd.
struct Worth {
  double profit = 0, ndcg = 0, pndcg = 0, macro_f1 = 0;
};
constexpr double Worth::*kWorth[] = {&Worth::profit, &Worth::ndcg, &Worth::pndcg, &Worth::macro_f1};
constexpr const char* kNames[] = {"profit@5", "ndcg@5", "pndcg@5", "macro_f1"};

double metric(const std::vector<finance::Metric>& metrics, const std::string& name) {
  for (const finance::Metric& m : metrics)
    if (m.name == name) return m.value;
  throw std::logic_error("no metric " + name);
}

/// The place of each row among all by falling score, of equal ones the earlier first, as a score
/// without ties.
std::vector<double> without_ties(const std::vector<double>& scores) {
  std::vector<double> places(scores.size());
  double place = 0;
  for (const int64_t row : finance::ranked(scores)) places[static_cast<size_t>(row)] = -place++;
  return places;
}

/// pndcg@5: of the gain log(1 + max(p, 0)); macro_f1: as many flagged as there are positives.
Worth worth_of(const RankLists& lists, const std::vector<double>& scores) {
  finance::MetricsOptions o;
  o.at = {5}, o.resamples = 0;
  double positive = 0;
  std::vector<double> gain;
  const std::vector<double> places = without_ties(scores);
  for (const double y : lists.label) positive += y > 0 ? 1 : 0;
  for (const double p : lists.profit) gain.push_back(std::log1p(std::max(p, 0.0)));
  const auto by_label =
      finance::rank_metrics({lists.offsets, scores, lists.label, lists.profit}, o);
  const auto by_gain = finance::rank_metrics({lists.offsets, scores, gain, {}}, o);
  o.threshold = finance::prior_threshold(places, positive / static_cast<double>(lists.rows()));
  const auto decided = finance::rank_metrics({lists.offsets, places, lists.label, {}}, o);
  return {metric(by_label, "profit@5"), metric(by_label, "ndcg@5"), metric(by_gain, "ndcg@5"),
          metric(decided, "macro_f1")};
}

struct Row {
  std::string name, model, loss, peer;
  std::string log = {};  // of PA-BCE's weight
  int64_t top = 0, members = 1;
  std::vector<Worth> seeds = {};
  double seconds = 0;  // of the processor, a seed's training
  double away = -1;    // greatest difference of LightGBM's own measures, relative

  double mean(double Worth::*of) const {
    double sum = 0;
    for (const Worth& w : seeds) sum += w.*of;
    return sum / static_cast<double>(seeds.size());
  }
  double sd(double Worth::*of) const {
    double sum = 0;
    for (const Worth& w : seeds) sum += (w.*of - mean(of)) * (w.*of - mean(of));
    return seeds.size() < 2 ? std::nan("") : std::sqrt(sum / static_cast<double>(seeds.size() - 1));
  }
};

void print_header() {
  std::printf("%-30s %9s %7s %7s %8s %8s %6s %8s\n", "case", "profit@5", "sd", "ndcg@5", "pndcg@5",
              "macro-F1", "seeds", "s/seed");
}
void print_row(const Row& r) {
  std::printf("%-30s %9.1f", r.name.c_str(), r.mean(&Worth::profit));
  if (r.seeds.size() > 1) {
    std::printf(" %7.1f", r.sd(&Worth::profit));
  } else {
    std::printf(" %7s", "");
  }
  std::printf(" %7.4f %8.4f %8.4f %6zu %8.1f\n", r.mean(&Worth::ndcg), r.mean(&Worth::pndcg),
              r.mean(&Worth::macro_f1), r.seeds.size(), r.seconds);
  std::fflush(stdout);
}

json to_json(const Row& r, const Market& m) {
  json out = {{"case", "quality/" + m.name + "/" + r.name},
              {"market", m.name},
              {"model", r.model},
              {"loss", r.loss},
              {"peer", r.peer.empty() ? json(nullptr) : json(r.peer)},
              {"seeds", r.seeds.size()},
              {"seconds", r.seconds},
              {"train_lists", m.train.lists()},
              {"validation_lists", m.validation.lists()},
              {"test_lists", m.test.lists()}};
  if (r.peer.empty()) out["top"] = r.top, out["members"] = r.members, out["log"] = r.log;
  if (r.away >= 0) out["greatest_relative_difference"] = r.away;
  for (size_t i = 0; i < std::size(kWorth); ++i) {
    out[kNames[i]] = r.mean(kWorth[i]);
    if (r.seeds.size() > 1) out[std::string(kNames[i]) + "_sd"] = r.sd(kWorth[i]);
  }
  return out;
}

/// What is trained of ours.
struct Ours {
  RankModel model;
  LossKind loss;
  int64_t top = 0;
  finance::GapWeight weight = finance::GapWeight::log10;
  std::string name() const {
    return to_string(model) + "/" + to_string(loss) + (top > 0 ? "-K" + std::to_string(top) : "") +
           (weight == finance::GapWeight::linear ? "-gap" : "");
  }
};
const std::vector<Ours>& all_ours() {
  static const std::vector<Ours> all{
      {RankModel::linear, LossKind::bce},
      {RankModel::linear, LossKind::pa_bce},
      {RankModel::mlp, LossKind::bce},
      {RankModel::mlp, LossKind::pa_bce},
      {RankModel::cross, LossKind::bce},
      {RankModel::cross, LossKind::pa_bce},
      {RankModel::cross, LossKind::pa_bce, 0, finance::GapWeight::linear},
      {RankModel::cross, LossKind::softmax},
      {RankModel::cross, LossKind::lambdarank},
      {RankModel::cross, LossKind::log_profit},
      {RankModel::cross, LossKind::pa_bce, 6},
      {RankModel::rankformer, LossKind::softmax}};
  return all;
}

Row ours_of(const Ours& what, const Market& m, int64_t seeds, int64_t members) {
  Row row{what.name(), to_string(what.model), to_string(what.loss), {}};
  row.top = what.top, row.members = members, row.log = to_string(what.weight);
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    finance::TrainRunOptions o = finance::default_run(what.model, what.loss);
    o.fit.loss.top = what.top, o.fit.loss.weight = what.weight, o.members = members;
    if (what.loss == LossKind::log_profit) o.fit.loss.money = kMoney;
    o.fit.optimisation.seed = static_cast<uint64_t>(seed);
    const std::clock_t start = std::clock();
    const auto model = finance::train_run({m.train, &m.validation, columns(), {}}, o, {}, {});
    row.seconds += static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    row.seeds.push_back(worth_of(m.test, finance::model_scores(model, m.test, {})));
  }
  row.seconds /= static_cast<double>(seeds);
  return row;
}

/// How far LightGBM's side is from ours in what both say of the same scores. Throws where that is
/// not rounding.
double away_of(const json& run, const Worth& ours, const std::string& column) {
  double away = 0;
  for (size_t i = 0; i < std::size(kWorth); ++i) {
    const auto theirs = run.at(kNames[i]).get<double>();
    const double one = std::abs(theirs - ours.*kWorth[i]) / std::max(std::abs(theirs), 1e-9);
    if (!(one <= 1e-9))
      throw std::runtime_error("the measures disagree: of " + column + " the peer has " +
                               kNames[i] + " " + std::to_string(theirs) + ", ours is " +
                               std::to_string(ours.*kWorth[i]));
    away = std::max(away, one);
  }
  return away;
}

std::vector<Row> trees_of(const std::string& python, const Market& m, int64_t seeds,
                          const TemporaryFolder& temporary) {
  const fs::path scores = temporary.path() / (m.name + "-trees.csv");
  PeerProcess peer({python,
                    ATTN_SOURCE_DIR + std::string(kPython),
                    "lightgbm",
                    "--train",
                    m.train_file.string(),
                    "--valid",
                    m.validation_file.string(),
                    "--test",
                    m.test_file.string(),
                    "--list",
                    "qid",
                    "--label",
                    "risky",
                    "--profit",
                    "pnl",
                    "--ignore",
                    "stake",
                    "--seeds",
                    std::to_string(seeds),
                    "--money",
                    std::to_string(kMoney),
                    "--out",
                    scores.string()});
  const json told = peer.whole();
  const io::Table table = io::Table::read(scores);
  std::vector<Row> rows;
  for (const json& run : told.at("runs")) {
    const auto objective = run.at("objective").get<std::string>();
    const auto seed = run.at("seed").get<int64_t>();
    const std::string column = objective + "/" + std::to_string(seed);
    const Worth worth = worth_of(m.test, table.doubles(column));
    const double away = away_of(run, worth, column);
    if (seed == 0) continue;  // without chance
    const std::string name = "lightgbm/" + objective;
    if (rows.empty() || rows.back().name != name)
      rows.push_back({name, "trees", objective, name, {}, 0, 1, {}, 0, 0});
    Row& row = rows.back();
    row.seeds.push_back(worth);
    row.seconds += run.at("seconds").get<double>() / static_cast<double>(seeds);
    row.away = std::max(row.away, away);
  }
  return rows;
}

struct Plan {
  std::vector<std::string> markets;
  std::vector<Ours> ours;
  bool trees = false;
  int64_t seeds = 3, members = 1;
};

Plan plan_of(const Options& options) {
  Plan plan;
  const std::string& market = options.own.at("--market");
  if (market != "sim" && market != "tails" && market != "both")
    throw std::invalid_argument("--market " + market + ": expected sim, tails or both");
  for (const char* name : {"sim", "tails"})
    if (market == name || market == "both") plan.markets.emplace_back(name);
  std::string names = " lightgbm";
  for (const Ours& o : all_ours()) {
    names.append(" ").append(o.name());
    if (o.name().find(options.cases) != std::string::npos) plan.ours.push_back(o);
  }
  plan.trees = std::string("lightgbm").find(options.cases) != std::string::npos;
  if (plan.ours.empty() && !plan.trees)
    throw std::invalid_argument("no case has '" + options.cases + "' in its name; there are" +
                                names);
  plan.seeds = positive(options.own.at("--seeds"));
  plan.members = positive(options.own.at("--members"));
  return plan;
}

void run(const Plan& plan, const Options& options) {
  at::set_num_threads(options.threads.front());
  const std::string python = plan.trees ? python_of(options.own.at("--peer")) : std::string();
  const TemporaryFolder temporary;
  json all = json::array();
  for (const std::string& name : plan.markets) {
    if (name == "tails") write_tails(temporary.path());
    const Market m = read_market(name, name == "tails" ? temporary.path() : shared_market());
    if (!options.json) {
      std::printf("market %s: %lld lists train, %lld choose the epoch, %lld are told of\n",
                  name.c_str(), static_cast<long long>(m.train.lists()),
                  static_cast<long long>(m.validation.lists()),
                  static_cast<long long>(m.test.lists()));
      print_header();
    }
    const auto tell = [&](const Row& row) {
      if (!options.json) print_row(row);
      all.push_back(to_json(row, m));
    };
    for (const Ours& what : plan.ours) tell(ours_of(what, m, plan.seeds, plan.members));
    if (python.empty()) {
      if (plan.trees)
        std::cerr << "LightGBM's rows are left out: there is no Python of the peers\n";
      continue;
    }
    for (const Row& row : trees_of(python, m, plan.seeds, temporary)) tell(row);
  }
  if (options.json) std::cout << all.dump(1) << "\n";
}

}  // namespace

std::function<void()> quality(const Options& options) {
  return [plan = plan_of(options), options] { run(plan, options); };
}

}  // namespace attn::bench
