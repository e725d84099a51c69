#include "libattn/train/train_options.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"

namespace attn::train {
namespace {

constexpr std::array<std::pair<const char*, Optimiser>, 2> kOptimisers{
    {{"adamw", Optimiser::adamw}, {"sgd", Optimiser::sgd}}};
constexpr std::array<std::pair<const char*, LrSchedule>, 4> kSchedules{
    {{"cosine", LrSchedule::cosine},
     {"constant", LrSchedule::constant},
     {"one-cycle", LrSchedule::one_cycle},
     {"halve", LrSchedule::halve}}};

/// The value of `word`; throws E, "`what` ..., expected ..., found ...".
template <class E, class Value, size_t N>
Value parse(const std::array<std::pair<const char*, Value>, N>& known, std::string_view word,
            const std::string& what) {
  std::string names;
  for (size_t i = 0; i < N; ++i) {
    if (word == known[i].first) return known[i].second;
    if (i > 0) names += i + 1 == N ? " or " : ", ";
    names += known[i].first;
  }
  throw E(what + ": expected " + names + ", found " + io::quote_text(std::string(word)));
}

template <class Value, size_t N>
const char* word_of(const std::array<std::pair<const char*, Value>, N>& known, Value value) {
  for (const auto& [word, candidate] : known)
    if (candidate == value) return word;
  return known[0].first;
}

constexpr const char* kWhere = "the training configuration";

}  // namespace

void check(const TrainOptions& o) {
  const auto require = [](bool ok, const char* sentence) {
    if (!ok) throw UsageError(sentence);
  };
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  require(o.epochs >= 1, "epochs must be at least 1");
  require(o.batch >= 1, "the batch size must be at least 1");
  require(positive(o.lr), "the learning rate must be a positive number");
  require(!o.warm_up || (*o.warm_up >= 0 && *o.warm_up <= 1),
          "the share of steps in which the learning rate rises must lie between 0 and 1");
  require(positive(o.div) && positive(o.final_div),
          "what one-cycle divides the learning rate by must be a positive number");
  require(std::isfinite(o.weight_decay) && o.weight_decay >= 0,
          "the weight decay must not be negative");
  require(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1,
          "AdamW's betas must be at least 0 and below 1");
  require(positive(o.eps), "AdamW's epsilon must be a positive number");
  require(o.momentum >= 0 && o.momentum < 1, "the momentum must be at least 0 and below 1");
  require(std::isfinite(o.clip_norm) && o.clip_norm >= 0,
          "the largest norm of the gradient must be 0 (not clipped) or a positive number");
  require(o.patience >= 0 && o.min_epochs >= 0, "patience and minimum epochs must not be negative");
}

void to_json(nlohmann::json& j, const TrainOptions& o) {
  j = {{"epochs", o.epochs},
       {"batch", o.batch},
       {"shuffle", o.shuffle},
       {"seed", o.seed},
       {"optimiser", to_string(o.optimiser)},
       {"lr", o.lr},
       {"schedule", to_string(o.schedule)},
       {"weight_decay", o.weight_decay},
       {"beta1", o.beta1},
       {"beta2", o.beta2},
       {"eps", o.eps},
       {"momentum", o.momentum},
       {"clip_norm", o.clip_norm},
       {"patience", o.patience},
       {"min_epochs", o.min_epochs}};
  if (o.warm_up) j["warm_up"] = *o.warm_up;
  if (o.schedule == LrSchedule::one_cycle) {
    j["div"] = o.div;
    j["final_div"] = o.final_div;
  }
}

void from_json(const nlohmann::json& j, TrainOptions& o) {
  const auto read = [&](const char* key, auto& value) {
    value = io::get_or<std::decay_t<decltype(value)>>(j, key, kWhere, value);
  };
  const auto word = [&](const char* key, const auto& known, auto& value) {
    const auto found = io::get_or<std::string>(j, key, kWhere, word_of(known, value));
    value = parse<Error>(known, found, std::string(kWhere) + ": key " + key);
  };
  read("epochs", o.epochs);
  read("batch", o.batch);
  read("shuffle", o.shuffle);
  read("seed", o.seed);
  word("optimiser", kOptimisers, o.optimiser);
  read("lr", o.lr);
  word("schedule", kSchedules, o.schedule);
  if (j.contains("warm_up")) o.warm_up = io::get<double>(j, "warm_up", kWhere);
  read("div", o.div);
  read("final_div", o.final_div);
  read("weight_decay", o.weight_decay);
  read("beta1", o.beta1);
  read("beta2", o.beta2);
  read("eps", o.eps);
  read("momentum", o.momentum);
  read("clip_norm", o.clip_norm);
  read("patience", o.patience);
  read("min_epochs", o.min_epochs);
}

Optimiser parse_optimiser(std::string_view word) {
  return parse<UsageError>(kOptimisers, word, "the optimiser");
}

LrSchedule parse_lr_schedule(std::string_view word) {
  return parse<UsageError>(kSchedules, word, "the learning rate's schedule");
}

std::string to_string(Optimiser optimiser) {
  return word_of(kOptimisers, optimiser);
}

std::string to_string(LrSchedule schedule) {
  return word_of(kSchedules, schedule);
}

}  // namespace attn::train
