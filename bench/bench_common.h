// What the benchmarks share: their options, and how a time is taken.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace attn::bench {

struct Options {
  bool json = false, quick = false, help = false;
  std::vector<int> threads = {1, 2};
  std::string cases;
  int repeats = 7;
  std::map<std::string, std::string> own;  // a benchmark's own options, each with its value
  std::map<std::string, bool> flags;       // those without one: whether they were given
};

inline int positive(const std::string& text) {
  size_t used = 0;
  int value = 0;
  try {
    value = std::stoi(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || value < 1)
    throw std::invalid_argument("expected a positive whole number, found '" + text + "'");
  return value;
}

/// --json, --quick, --cases, --repeats, --threads, --help, and those of `own` and `flags`, from
/// `options` on; throws std::invalid_argument.
inline Options parse(int argc, char** argv, Options options = {}) {
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) throw std::invalid_argument(key + " needs a value");
      return argv[++i];
    };
    if (key == "--json") {
      options.json = true;
    } else if (key == "--help" || key == "-h") {
      options.help = true;
    } else if (key == "--quick") {
      options.quick = true;
      options.repeats = 2;
    } else if (key == "--cases") {
      options.cases = value();
    } else if (key == "--repeats") {
      options.repeats = positive(value());
    } else if (key == "--threads") {
      options.threads.clear();
      std::istringstream list(value());
      for (std::string item; std::getline(list, item, ',');)
        options.threads.push_back(positive(item));
      if (options.threads.empty())
        throw std::invalid_argument("--threads is empty; give numbers such as 1,2");
    } else if (options.own.count(key) > 0) {
      options.own[key] = value();
    } else if (options.flags.count(key) > 0) {
      options.flags[key] = true;
    } else {
      throw std::invalid_argument("unknown option '" + key + "'");
    }
  }
  return options;
}

/// The least of the times taken: what else runs on the machine only adds.
inline double best(const std::vector<double>& times) {
  return *std::min_element(times.begin(), times.end());
}

/// The median of times[r] / others[r], two things timed one right after the other, over the
/// repetitions that both have: the machine's speed, which changes within minutes, is the same in
/// both of a pair. Of an even number of them the upper middle; neither may be empty.
inline double median_ratio(const std::vector<double>& times, const std::vector<double>& others) {
  std::vector<double> ratios;
  for (size_t r = 0; r < std::min(times.size(), others.size()); ++r)
    ratios.push_back(times[r] / others[r]);
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  return *middle;
}

/// Seconds of one of `times` calls.
template <class Run>
double seconds_of(int times, const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

/// The same, on one thread of the processor's time, which other work on the machine takes nothing
/// of; on more of the clock's.
template <class Run>
double processor_seconds_of(int threads, int times, const Run& run) {
  if (threads > 1) return seconds_of(times, run);
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) run();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / times;
}

/// Memory that is freed stays with the process, ours and the peers' alike: otherwise every large
/// result is made of fresh pages, whose first touch costs more than the work (3 microseconds a page
/// on the virtual machine of the figures). ATTN_BENCH_FRESH=1 in the environment leaves it be.
inline void keep_freed_memory() {
  if (std::getenv("ATTN_BENCH_FRESH") != nullptr) return;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

/// main of the benchmark `name`: prepare(options) throws std::invalid_argument for wrong usage and
/// returns what is run then.
template <class Prepare>
int run_main(const char* name, const char* usage, int argc, char** argv, const Options& defaults,
             const Prepare& prepare) {
  try {
    const Options options = parse(argc, argv, defaults);
    if (options.help) {
      std::cout << usage;
      return 0;
    }
    const auto bench = prepare(options);
    keep_freed_memory();
    bench();
    return 0;
  } catch (const std::invalid_argument& e) {
    std::cerr << "error: " << name << ": " << e.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return 1;
  }
}

}  // namespace attn::bench
