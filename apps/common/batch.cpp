#include "apps/common/batch.h"

#include <fmt/format.h>

#include <cctype>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/common/file_lock.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

enum class State { finished, absent, outdated, forced };

const char* reason_of(State state) {
  switch (state) {
    case State::finished:
      return "finished";
    case State::absent:
      return "no output yet";
    case State::outdated:
      return "its output is damaged, or was made with other parameters or from another file";
    case State::forced:
      return "--overwrite";
  }
  return "";
}

// Whether a failure says nothing about what the item's input and output hold.
bool lies_outside(const std::exception& error) {
  return dynamic_cast<const Interrupted*>(&error) != nullptr ||
         dynamic_cast<const StorageError*>(&error) != nullptr ||
         dynamic_cast<const UsageError*>(&error) != nullptr ||
         dynamic_cast<const NewerFormat*>(&error) != nullptr ||
         dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
}

// Throws what lies outside of both files: such an output is not to be made again.
State state_of(const Batch& batch, size_t i, bool overwrite) {
  std::error_code ignored;
  if (!fs::exists(batch.items[i].output, ignored)) return State::absent;
  if (overwrite) return State::forced;
  try {
    return batch.current(i) ? State::finished : State::outdated;
  } catch (const std::exception& error) {
    if (lies_outside(error)) throw;
    return State::outdated;  // the work itself will say what is wrong with the input
  }
}

// Whether the work failed because of what is in the item's input, so that its older output is of an
// input that is no more.
bool blames_input(const std::exception& error) {
  return dynamic_cast<const Error*>(&error) != nullptr && !lies_outside(error);
}

void refuse_shared_outputs(const Batch& batch) {
  std::map<fs::path, std::string> seen;
  for (const auto& item : batch.items) {
    if (item.output.empty()) continue;
    const auto [at, fresh] = seen.emplace(item.output.lexically_normal(), item.id);
    if (!fresh)
      throw Error(fmt::format("{} and {} would both be written to {}; give them different names",
                              at->second, item.id, item.output.string()));
  }
}

void set_item_aside(const BatchItem& item) {
  set_aside(item.output);
  std::error_code ignored;
  for (const auto& companion : item.companions)
    if (fs::exists(companion, ignored)) set_aside(companion);
}

void remove_set_aside(const BatchItem& item) {
  std::error_code ignored;
  fs::remove(set_aside_path(item.output), ignored);
  for (const auto& companion : item.companions) fs::remove(set_aside_path(companion), ignored);
}

fs::path failures_path(const Batch& batch, const Shard& shard) {
  return batch.folder / (shard.count == 1 ? batch.failures + ".csv"
                                          : fmt::format("{}.{}-of-{}.csv", batch.failures,
                                                        shard.index, shard.count));
}

// A list of somebody else's is not ours to overwrite.
void refuse_foreign_list(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;
  std::string header;
  std::getline(std::ifstream(path), header);
  if (header != "item,reason")
    throw Error(
        fmt::format("{} is not a list of failures (item,reason) but a file of its own; "
                    "move it, or write elsewhere",
                    path.string()));
}

// "1 slide", "3 slides".
std::string counted(int64_t n, const std::string& noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

// One plain word about time as soon as the first item tells how long one takes.
class Estimate {
 public:
  void finished_one(int64_t left, const std::string& noun) {
    const std::chrono::duration<double> taken = Clock::now() - start_;
    ++done_;
    if (done_ == 1 && left > 0 && taken.count() * static_cast<double>(left) > 10)
      log_info(fmt::format("{} to go, about {}", counted(left, noun),
                           duration_text(taken.count() * static_cast<double>(left))));
  }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  Clock::time_point start_ = Clock::now();
  int64_t done_ = 0;
};

BatchResult dry_run(const Batch& batch, const Context& context) {
  BatchResult result;
  result.good.resize(batch.items.size());
  std::string text;
  for (size_t i = 0; i < batch.items.size(); ++i) {
    if (!context.common.shard.takes(static_cast<int64_t>(i))) continue;
    const auto tell = [&](const char* what, const std::string& why) {
      result.plan.push_back({batch.items[i].id, what, why});
      text += fmt::format("{}\t{}\t{}\n", what, batch.items[i].id, why);
    };
    ++result.total;
    try {
      const State state = state_of(batch, i, context.common.overwrite);
      result.skipped += state == State::finished ? 1 : 0;
      tell(state == State::finished ? "skip" : "run", reason_of(state));
    } catch (const Error& error) {
      result.failures.push_back({batch.items[i].id, sentence_of(error)});
      tell("fail", result.failures.back().reason);
    }
  }
  if (!context.common.json) print(text);
  log_info(fmt::format("{} of {} would be done",
                       result.total - result.skipped - std::ssize(result.failures),
                       counted(result.total, batch.noun)));
  return result;
}

// Warns of failures; of those that differ by the item's name only, of the first few.
class FailureLog {
 public:
  void tell(const std::string& noun, const std::string& id, const std::string& reason) {
    constexpr int kTold = 3;
    const int seen = ++count_[without(id, reason)];
    if (seen <= kTold) log_warning(fmt::format("{} {} failed: {}", noun, id, reason));
    if (seen == kTold + 1)
      log_warning(
          fmt::format("{} {} failed for the same reason; where further ones do, they are "
                      "not told one by one",
                      noun, id));
  }

 private:
  // The reason with every `id` that stands as a word of its own taken out.
  static std::string without(const std::string& id, std::string reason) {
    const auto in_word = [&](size_t at) {
      return at < reason.size() && std::isalnum(static_cast<unsigned char>(reason[at])) != 0;
    };
    for (size_t at = reason.find(id); at != std::string::npos && !id.empty();
         at = reason.find(id, at)) {
      if ((at > 0 && in_word(at - 1)) || in_word(at + id.size())) {
        ++at;
      } else {
        reason.erase(at, id.size());
      }
    }
    return reason;
  }

  std::map<std::string, int> count_;
};

// One item: skipped, done, or noted as failed.
void run_item(const Batch& batch, size_t i, const Context& context, BatchResult& result,
              FailureLog& log) {
  const BatchItem& item = batch.items[i];
  State state = State::finished;  // until known
  try {
    if (item.output.empty()) {  // nothing of its own to keep or to lock
      batch.work(i);
      ++result.done;
      result.good[i] = true;
      return;
    }
    if (item.output.has_parent_path()) io::make_directories(item.output.parent_path());
    const fs::path lock_path =
        item.output.parent_path() / fmt::format(".{}.lock", item.output.filename().string());
    const FileLock lock = FileLock::try_lock(lock_path);
    if (!lock.locked()) {
      ++result.busy;
      log_warning(fmt::format("{} {} is in work by {}: passed over", batch.noun, item.id,
                              FileLock::holder(lock_path)));
      return;
    }
    state = state_of(batch, i, context.common.overwrite);
    if (state == State::finished) {
      ++result.skipped;
      log_debug(fmt::format("{} {}: finished, skipped", batch.noun, item.id));
    } else {
      log_debug(fmt::format("{} {}: {}", batch.noun, item.id, reason_of(state)));
      batch.work(i);
      remove_set_aside(item);
      ++result.done;
    }
    result.good[i] = true;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    result.failures.push_back({item.id, sentence_of(error)});
    log.tell(batch.noun, item.id, result.failures.back().reason);
    if (state == State::outdated && blames_input(error)) set_item_aside(item);
  }
}

}  // namespace

fs::path set_aside_path(const fs::path& output) {
  return output.string() + ".stale";
}

void set_aside(const fs::path& output) {
  const fs::path aside = set_aside_path(output);
  std::error_code error;
  fs::rename(output, aside, error);
  if (error)
    log_warning(fmt::format("{} is of an earlier call and cannot be set aside: {}", output.string(),
                            error.message()));
  else
    log_info(fmt::format("{} is of an earlier call; it is now {}", output.string(),
                         aside.filename().string()));
}

void write_failures(const fs::path& path, const std::vector<BatchResult::Failure>& failures) {
  refuse_foreign_list(path);
  if (failures.empty()) {
    std::error_code ignored;
    fs::remove(path, ignored);
    return;
  }
  std::vector<std::vector<io::Cell>> rows;
  for (const auto& failure : failures) rows.push_back({failure.item, failure.reason});
  io::write_csv(path, {"item", "reason"}, rows);
}

BatchResult run_batch(const Batch& batch, const Context& context) {
  refuse_shared_outputs(batch);
  if (context.common.dry_run) return dry_run(batch, context);
  io::make_directories(batch.folder);
  const fs::path failures = failures_path(batch, context.common.shard);
  refuse_foreign_list(failures);
  std::vector<size_t> mine;
  for (size_t i = 0; i < batch.items.size(); ++i)
    if (context.common.shard.takes(static_cast<int64_t>(i))) mine.push_back(i);

  BatchResult result;
  result.good.resize(batch.items.size());
  result.total = static_cast<int64_t>(mine.size());
  Estimate estimate;
  FailureLog log;
  try {
    for (size_t n = 0; n < mine.size(); ++n) {
      context.hooks.check();
      context.progress.set_prefix(fmt::format("{} {} of {}: ", batch.noun, n + 1, mine.size()));
      const int64_t before = result.done;
      run_item(batch, mine[n], context, result, log);
      if (result.done > before)
        estimate.finished_one(static_cast<int64_t>(mine.size() - n - 1), batch.noun);
    }
  } catch (const Interrupted&) {
    try {
      write_failures(failures, result.failures);
    } catch (const std::exception& error) {
      log_warning(sentence_of(error));  // that it was stopped is the caller's to tell
    }
    throw;
  }
  context.progress.set_prefix("");
  context.progress.finish();
  write_failures(failures, result.failures);
  log_info(fmt::format(
      "{}: {} done, {} were finished, {} failed{}{} ({})", counted(result.total, batch.noun),
      result.done, result.skipped, result.failures.size(),
      result.failures.empty() ? "" : ", see " + failures.string(),
      result.busy == 0 ? "" : fmt::format(", {} in work by another process", result.busy),
      duration_text(estimate.seconds())));
  return result;
}

nlohmann::json to_json(const std::vector<BatchResult::Failure>& failures) {
  auto list = nlohmann::json::array();
  for (const auto& failure : failures)
    list.push_back({{"item", failure.item}, {"reason", failure.reason}});
  return list;
}

nlohmann::json to_json(const BatchResult& result) {
  nlohmann::json document{{"total", result.total},
                          {"done", result.done},
                          {"skipped", result.skipped},
                          {"busy", result.busy},
                          {"failed", to_json(result.failures)}};
  for (const auto& one : result.plan)
    document["plan"].push_back(
        {{"item", one.item}, {"action", one.action}, {"reason", one.reason}});
  return document;
}

}  // namespace attn::app
