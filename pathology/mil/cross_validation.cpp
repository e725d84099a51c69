#include "pathology/mil/cross_validation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/train/seed.h"
#include "libattn/train/threads.h"

namespace pathology {
namespace {

using attn::train::derive_seed;

/// One model to train: fold `fold` of repeat `repeat`, and what it said of its test bags.
struct Job {
  int64_t repeat = 0, fold = 0;
  Split split;
  MilConfig config;
  std::filesystem::path file;
  std::vector<BagPrediction> predictions;
};

nlohmann::json number(double v) {
  return std::isfinite(v) ? nlohmann::json(v) : nlohmann::json();
}

std::string job_fingerprint(const BagSet& set, const Job& job) {
  const nlohmann::json all = {{"config", nlohmann::json(job.config)},
                              {"data", set.digest},
                              {"train", job.split.train},
                              {"validation", job.split.validation},
                              {"test", job.split.test}};
  return attn::io::digest(all.dump());
}

void write_fold(const Job& job, const std::string& fingerprint) {
  nlohmann::json rows = nlohmann::json::array();
  for (const BagPrediction& p : job.predictions)
    rows.push_back({p.bag, p.probability, number(p.entropy), number(p.normalised_entropy)});
  attn::io::write_file(
      job.file, nlohmann::json({{"fingerprint", fingerprint}, {"predictions", rows}}).dump());
}

/// The fold's predictions from an earlier call; none where the file is absent, damaged or of other
/// settings.
std::optional<std::vector<BagPrediction>> read_fold(const BagSet& set, const Job& job,
                                                    const std::string& fingerprint) {
  if (job.file.empty() || !std::filesystem::exists(job.file)) return std::nullopt;
  try {
    const nlohmann::json j = attn::io::read_json(job.file);
    if (j.at("fingerprint") != fingerprint) return std::nullopt;
    const auto value = [](const nlohmann::json& v) {
      return v.is_null() ? std::numeric_limits<double>::quiet_NaN() : v.get<double>();
    };
    std::vector<BagPrediction> out;
    for (const nlohmann::json& row : j.at("predictions")) {
      BagPrediction p;
      p.bag = row.at(0).get<int64_t>();
      const Bag& bag = set.bags.at(static_cast<size_t>(p.bag));
      p.label = bag.label;
      p.instances = bag.instances;
      p.probability = row.at(1).get<std::vector<double>>();
      p.predicted =
          std::max_element(p.probability.begin(), p.probability.end()) - p.probability.begin();
      p.entropy = value(row.at(2));
      p.normalised_entropy = value(row.at(3));
      out.push_back(std::move(p));
    }
    return out.size() == job.split.test.size() ? std::optional(std::move(out)) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;  // trained again
  }
}

void run_job(const BagSet& set, Job& job, const attn::Hooks& hooks) {
  const std::string fingerprint = job_fingerprint(set, job);
  if (auto known = read_fold(set, job, fingerprint)) {
    job.predictions = std::move(*known);
    return;
  }
  const FitResult result = fit(set, job.split, job.config, {}, hooks);
  attn::probe_step(job.config.optimisation.epochs);  // of all folds, whenever they stopped
  job.predictions = predict_bags(result.fitted, set, job.split.test, hooks);
  if (!job.file.empty()) write_fold(job, fingerprint);
}

std::vector<Job> make_jobs(const BagSet& set, const CrossValidationOptions& o) {
  const uint64_t seed = o.config.optimisation.seed;
  std::vector<Job> jobs;
  for (int64_t r = 0; r < o.repeats; ++r) {
    const uint64_t repeat_seed = derive_seed(seed, "repeat", static_cast<uint64_t>(r));
    const std::vector<Split> splits =
        k_folds(set, o.folds, o.stratified, derive_seed(repeat_seed, "folds"));
    for (int64_t f = 0; f < o.folds; ++f) {
      Job job;
      job.repeat = r;
      job.fold = f;
      job.config = o.config;
      job.config.optimisation.seed = derive_seed(repeat_seed, "fold", static_cast<uint64_t>(f));
      job.split = splits[static_cast<size_t>(f)];
      if (o.validation > 0)
        job.split = with_validation(set, job.split, o.validation, job.config.optimisation.seed);
      if (!o.cache.empty())
        job.file = o.cache /
                   ("repeat" + std::to_string(r + 1) + "-fold" + std::to_string(f + 1) + ".json");
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

/// Before hours of training: every training part must hold two classes.
void check_folds(const BagSet& set, const std::vector<Job>& jobs, bool stratified) {
  for (const Job& job : jobs) {
    try {
      require_two_classes(set, job.split.train);
    } catch (const attn::Error& error) {
      throw attn::Error("fold " + std::to_string(job.fold + 1) + " of repeat " +
                        std::to_string(job.repeat + 1) + ": " + error.what() +
                        (stratified ? "; ask for fewer folds"
                                    : "; deal the classes out evenly with "
                                      "--stratified, or ask for fewer folds"));
    }
  }
}

std::vector<Job> checked_jobs(const BagSet& set, const CrossValidationOptions& options) {
  if (options.repeats < 1) throw attn::UsageError("cross-validation needs at least 1 repeat");
  if (!(options.validation >= 0 && options.validation < 1))
    throw attn::UsageError("the validation fraction must lie in [0, 1)");
  check(options.config);
  std::vector<Job> jobs = make_jobs(set, options);
  check_folds(set, jobs, options.stratified);
  return jobs;
}

/// Trains all jobs on `threads` threads, LibTorch running on one thread in each, and reports from
/// the calling thread.
class Pool {
 public:
  Pool(const BagSet& set, std::vector<Job>& jobs, const attn::Hooks& hooks)
      : set_(set), jobs_(jobs), hooks_(hooks) {}

  void run(int threads) {
    const attn::train::ThreadLimit one(1);  // new threads start with it
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) workers.emplace_back([this] { work(); });
    watch();
    for (std::thread& w : workers) w.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void work() {
    const attn::train::ThreadLimit one(1);
    const attn::ProbeThread recorded(probes_);
    attn::Hooks quiet;
    quiet.stop = &stop_;
    for (size_t i = next_++; i < jobs_.size() && !stop_; i = next_++) {
      try {
        run_job(set_, jobs_[i], quiet);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        stop_ = true;
      }
      const std::lock_guard lock(mutex_);
      ++done_;
      changed_.notify_one();
    }
  }

  /// Reports finished folds and passes the caller's stop on, until all are done or the work was
  /// stopped.
  void watch() {
    const auto total = static_cast<int64_t>(jobs_.size());
    int64_t reported = 0;
    std::unique_lock lock(mutex_);
    while (done_ < total && !stop_) {
      changed_.wait_for(lock, std::chrono::milliseconds(100));
      if (hooks_.stopping()) {
        if (!error_) error_ = std::make_exception_ptr(attn::Interrupted());
        stop_ = true;
      }
      if (done_ == reported) continue;
      const int64_t now = reported = done_;
      lock.unlock();
      hooks_.report("folds", now, total);
      lock.lock();
    }
  }

  const BagSet& set_;
  std::vector<Job>& jobs_;
  const attn::Hooks& hooks_;
  const attn::ProbeContext probes_;  // of the thread that made the pool
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  int64_t done_ = 0;
  std::exception_ptr error_;
};

CrossValidationRepeat pool_repeat(const BagSet& set, const std::vector<Job>& jobs, int64_t repeat) {
  CrossValidationRepeat out;
  out.predictions.resize(set.bags.size());
  out.fold.resize(set.bags.size());
  for (const Job& job : jobs) {
    if (job.repeat != repeat) continue;
    for (const BagPrediction& p : job.predictions) {
      out.predictions[static_cast<size_t>(p.bag)] = p;
      out.fold[static_cast<size_t>(p.bag)] = job.fold;
    }
  }
  out.metrics = attn::train::classification_metrics(metrics_input(set, out.predictions));
  std::vector<double> entropy;
  for (const BagPrediction& p : out.predictions) entropy.push_back(p.normalised_entropy);
  out.entropy = attn::train::mean_sd(entropy).mean;
  return out;
}

template <class Get>
attn::train::MeanSd over_repeats(const CrossValidationResult& result, Get get) {
  std::vector<double> values;
  for (const CrossValidationRepeat& r : result.repeats) values.push_back(get(r));
  return attn::train::mean_sd(values);
}

}  // namespace

void check_cross_validation(const BagSet& set, const CrossValidationOptions& options) {
  checked_jobs(set, options);
}

CrossValidationResult cross_validate(const BagSet& set, const CrossValidationOptions& options,
                                     const attn::Hooks& hooks) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Job> jobs = checked_jobs(set, options);
  if (!options.cache.empty()) attn::io::make_directories(options.cache);
  Pool(set, jobs, hooks).run(std::max(1, std::min(options.threads, static_cast<int>(jobs.size()))));
  CrossValidationResult result;
  for (int64_t r = 0; r < options.repeats; ++r) result.repeats.push_back(pool_repeat(set, jobs, r));
  result.accuracy = over_repeats(result, [](const auto& r) { return r.metrics.accuracy; });
  result.auc = over_repeats(result, [](const auto& r) { return r.metrics.auc; });
  result.balanced_accuracy =
      over_repeats(result, [](const auto& r) { return r.metrics.balanced_accuracy; });
  result.f1 = over_repeats(result, [](const auto& r) { return r.metrics.f1; });
  result.entropy = over_repeats(result, [](const auto& r) { return r.entropy; });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

double cross_validation_bytes(const BagSet& set, const CrossValidationOptions& options) {
  return bag_bytes(set) + std::max(1, options.threads) * step_bytes(set, options.config);
}

nlohmann::json to_json(const CrossValidationResult& result, const BagSet& set,
                       const CrossValidationOptions& options) {
  const auto both = [](const attn::train::MeanSd& m) {
    return nlohmann::json{{"mean", number(m.mean)}, {"sd", number(m.sd)}};
  };
  nlohmann::json repeats = nlohmann::json::array();
  for (const CrossValidationRepeat& r : result.repeats) {
    repeats.push_back({{"accuracy", number(r.metrics.accuracy)},
                       {"auc", number(r.metrics.auc)},
                       {"balanced_accuracy", number(r.metrics.balanced_accuracy)},
                       {"f1", number(r.metrics.f1)},
                       {"entropy", number(r.entropy)}});
  }
  return {{"accuracy", both(result.accuracy)},
          {"auc", both(result.auc)},
          {"balanced_accuracy", both(result.balanced_accuracy)},
          {"f1", both(result.f1)},
          {"entropy", both(result.entropy)},
          {"repeats", repeats},
          {"folds", options.folds},
          {"stratified", options.stratified},
          {"bags", set.size()},
          {"classes", set.classes},
          {"config", nlohmann::json(for_bags(options.config, set))},
          {"data_digest", set.digest},
          {"seconds", result.seconds}};
}

void write_cv_predictions(const std::filesystem::path& path, const BagSet& set,
                          const CrossValidationResult& result) {
  std::vector<std::string> header{"repeat", "fold", "bag", "label", "predicted"};
  for (const std::string& c : set.classes) header.push_back("prob_" + c);
  header.insert(header.end(),
                {"instances", "attention_entropy", "attention_entropy_normalised", "unreadable"});
  const auto cell = [](double v) {
    return std::isfinite(v) ? attn::io::Cell(v) : attn::io::Cell(std::string());
  };
  std::vector<std::vector<attn::io::Cell>> rows;
  for (size_t r = 0; r < result.repeats.size(); ++r) {
    for (size_t b = 0; b < set.bags.size(); ++b) {
      const BagPrediction& p = result.repeats[r].predictions[b];
      std::vector<attn::io::Cell> row{static_cast<int64_t>(r) + 1, result.repeats[r].fold[b] + 1,
                                      set.bags[b].id, set.classes[static_cast<size_t>(p.label)],
                                      set.classes[static_cast<size_t>(p.predicted)]};
      for (const double v : p.probability) row.emplace_back(v);
      row.emplace_back(p.instances);
      row.push_back(cell(p.entropy));
      row.push_back(cell(p.normalised_entropy));
      row.emplace_back(set.bags[b].unreadable);
      rows.push_back(std::move(row));
    }
  }
  attn::io::write_csv(path, header, rows);
}

}  // namespace pathology
