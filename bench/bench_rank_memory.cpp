#include "bench/bench_rank_memory.h"

#include <ATen/Parallel.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "bench/bench_common.h"
#include "bench/bench_rank_set.h"
#include "bench/peer_process.h"

namespace attn::bench {
namespace {

constexpr const char* kScore = "score";
constexpr const char* kStep = "train-step";

/// A line of /proc/self/status, kB.
double status_kb(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == key + ":") {
      double kb = 0;
      file >> kb;
      return kb;
    }
  throw std::runtime_error("/proc/self/status tells no " + key);
}

void run_case(const finance::RankSet& set, bool step) {
  const finance::Ranker ranker = ranker_of();
  if (step) {
    train_epoch(ranker, set, finance::LossKind::pa_bce);
  } else {
    finance::scores_of(ranker, set, {});
  }
}

}  // namespace

std::vector<std::string> memory_cases() {
  std::vector<std::string> names;
  for (const char* what : {kScore, kStep})
    for (const int traders : {1250, 2500, 5000})
      names.push_back("memory/list-" + std::to_string(traders) + "/" + what);
  return names;
}

std::function<void()> memory_alone(const std::string& what) {
  const size_t colon = what.find(':');
  const std::string word = colon == std::string::npos ? "" : what.substr(colon + 1);
  if (word != kScore && word != kStep)
    throw std::invalid_argument("--memory-of " + what + ": expected N:score or N:train-step");
  const int64_t traders = positive(what.substr(0, colon));
  return [traders, word] {
    at::set_num_threads(1);
    run_case(drawn_set(1, 8, 8), word == kStep);  // what the libraries take once
    const finance::RankSet set = drawn_set(1, traders, traders);
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts again
    const double before = status_kb("VmRSS");
    run_case(set, word == kStep);
    std::cout << nlohmann::json{{"peak_mb", (status_kb("VmHWM") - before) / 1024}}.dump() << "\n";
  };
}

nlohmann::json memory_rows(const std::vector<std::string>& cases) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  nlohmann::json rows = nlohmann::json::array();
  for (const std::string& name : cases) {
    const size_t dash = name.find('-'), slash = name.find('/', dash);
    const std::string traders = name.substr(dash + 1, slash - dash - 1);
    // Freed memory goes back there, so that the peak is what was held at a time.
    PeerProcess alone({"env", "ATTN_BENCH_FRESH=1", program, "--memory-of",
                       traders + ":" + name.substr(slash + 1)});
    const auto peak = alone.answer().at("peak_mb").get<double>();
    rows.push_back({{"case", name},
                    {"traders", std::stoi(traders)},
                    {"peak_mb", peak},
                    {"bytes_per_trader", peak * 1024 * 1024 / std::stod(traders)}});
  }
  return rows;
}

}  // namespace attn::bench
