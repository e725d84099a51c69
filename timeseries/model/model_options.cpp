#include "timeseries/model/model_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "libattn/train/train_options.h"
#include "timeseries/model/transform_choice.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/calendar_features.h"
#include "timeseries/series/read.h"

namespace timeseries {
namespace {

constexpr std::array<std::pair<Network, const char*>, 4> kNetworks{
    {{Network::entrope, "entrope"},
     {Network::patchtst, "patchtst"},
     {Network::dlinear, "dlinear"},
     {Network::seasonal_naive, "seasonal-naive"}}};
constexpr int64_t kLookback = 96, kLongestLookback = 512;
constexpr double kMeanLength = 8;

void at_least(const char* what, int64_t found, int64_t least) {
  if (found < least)
    throw attn::UsageError(std::string(what) + " must be at least " + std::to_string(least) +
                           ", found " + std::to_string(found));
}

int64_t longest(const std::vector<RowSpan>& ranges) {
  int64_t rows = 0;
  for (const RowSpan& range : ranges) rows = std::max(rows, range.size());
  return rows;
}

/// Rows of the middle range, the longer of two.
int64_t middle(const std::vector<RowSpan>& ranges) {
  std::vector<int64_t> rows;
  for (const RowSpan& range : ranges) rows.push_back(range.size());
  const auto place = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
  std::nth_element(rows.begin(), place, rows.end());
  return rows.empty() ? 0 : *place;
}

/// Whether rows of the same place in a season are the same time of all series.
bool common_clock(const SeriesSet& set) {
  return set.frequency.unit != Unit::index || set.series.size() == 1;
}

bool fits_length(const BoundaryOptions& o) {
  return !o.reference &&
         (o.rule == CutRule::both || o.rule == CutRule::rise || o.rule == CutRule::threshold);
}

/// Steps of two weeks, or one, that a look-back may hold, where `season` is a day of hours or parts
/// of hours; else 0. Steps that are only numbered may be hours.
int64_t weeks(const Frequency& frequency, int64_t season) {
  const bool within_day = frequency.unit == Unit::hour || frequency.unit == Unit::minute ||
                          frequency.unit == Unit::index;
  if (!within_day || season < 24 || season % 24 != 0) return 0;
  for (const int64_t days : {14, 7})
    if (days * season <= kLongestLookback) return days * season;
  return 0;
}

/// `automatic`: nobody has named the look-back.
void require_rows(const ModelOptions& o, const SeriesSet& set, const Split& split, bool automatic) {
  if (set.series.empty()) throw attn::Error(name_of(set) + ": holds no series");
  const int64_t rows = longest(split.train), needed = o.lookback + o.horizon;
  if (rows >= needed) return;
  throw attn::Error(name_of(set) + ": " +
                    (set.series.size() == 1 ? "its " : "the longest series' ") +
                    std::to_string(rows) + " rows to train on are fewer than a look-back" +
                    (automatic ? "" : " of " + std::to_string(o.lookback)) + " and a horizon of " +
                    std::to_string(o.horizon) + " take; shorten " +
                    (automatic ? "" : "--lookback or ") + "--horizon, or give more rows");
}

/// Epochs of which all take `least_steps` steps or more.
int64_t enough_epochs(const ModelOptions& o, const SeriesSet& set, const Split& split) {
  int64_t windows = 0;
  for (const RowSpan& range : split.train)
    windows += std::max<int64_t>(0, range.size() - o.lookback - o.horizon + o.stride) / o.stride;
  windows *= static_cast<int64_t>(set.channels.size());
  const int64_t batch = o.fit.optimisation.batch,
                steps = std::max<int64_t>(1, (windows + batch - 1) / batch);
  return std::max(o.fit.optimisation.epochs, (o.least_steps + steps - 1) / steps);
}

/// Look-back, horizon and what surrounds the networks.
void set_networks(ModelOptions& o, const SeriesSet& set) {
  FrameOptions frame;
  frame.channels = static_cast<int64_t>(set.channels.size());
  frame.known = static_cast<int64_t>(set.future_names.size());
  if (o.calendar) frame.known += static_cast<int64_t>(cyclic_feature_names(set.frequency).size());
  const auto put = [&](auto& network) {
    network.lookback = o.lookback;
    network.horizon = o.horizon;
    network.frame.channels = frame.channels;
    network.frame.known = frame.known;
    network.frame.season = o.cycle.value_or(0);
  };
  put(o.entrope);
  put(o.patchtst);
  o.patchtst.patch = std::min(o.patchtst.patch, o.lookback);
  o.patchtst.stride = std::min(o.patchtst.stride, o.patchtst.patch);
  put(o.dlinear);
  o.entrope.past = static_cast<int64_t>(set.past_names.size() + set.static_names.size());
  o.entrope.season = o.season.value_or(1);
  // What is taught over one series is fitted to it.
  o.entrope.naive_blend = o.entrope.naive_blend && set.series.size() > 1;
  if (o.entrope.vocabulary > 0) o.entrope.vocabulary = o.patching.entropy_model.vocabulary;
  EntropyModelOptions& model = o.patching.entropy_model;
  if (model.position == EntropyPosition::learned)
    model.context = std::max(model.context, o.lookback);
}

}  // namespace

Network parse_network(std::string_view word) {
  for (const auto& [network, name] : kNetworks)
    if (word == name) return network;
  const std::vector<std::string> names = network_names();
  throw attn::UsageError("unknown network " + attn::io::quote_text(word) + "; expected one of " +
                         attn::io::list_names(names) + attn::io::did_you_mean(word, names));
}

std::string to_string(Network network) {
  for (const auto& [candidate, name] : kNetworks)
    if (candidate == network) return name;
  return kNetworks[0].second;
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const auto& [network, name] : kNetworks) names.emplace_back(name);
  return names;
}

ModelOptions::ModelOptions() {
  fit.loss = Loss::huber;
  fit.optimisation.epochs = 5;
  fit.optimisation.batch = 224;
  fit.optimisation.lr = 4e-3;
  fit.optimisation.schedule = attn::train::LrSchedule::one_cycle;
  fit.optimisation.weight_decay = 0.01;
  fit.optimisation.clip_norm = 1;
  fit.optimisation.patience = 0;
}

ModelOptions default_options(Network network, int64_t channels) {
  ModelOptions o;
  o.network = network;
  if (network == Network::entrope) return o;
  o.fit = FitOptions();
  o.transform = Transform::none;
  o.least_steps = 0;
  attn::train::TrainOptions& t = o.fit.optimisation;
  t.weight_decay = 0;
  t.epochs = 10;
  if (network == Network::patchtst) {
    t.batch = 128 * channels;
    t.lr = 1e-3;
    t.schedule = attn::train::LrSchedule::one_cycle;
  } else {
    t.batch = 32 * channels;
    t.lr = 5e-3;
    t.schedule = attn::train::LrSchedule::halve;
    t.patience = 3;
  }
  return o;
}

void check(const ModelOptions& o) {
  at_least("the horizon", o.horizon, 1);
  at_least("the look-back", o.lookback, 0);
  at_least("the season", o.season.value_or(1), 1);
  at_least("the learned season", o.cycle.value_or(0), 0);
  at_least("the stride", o.stride, 1);
  at_least("the steps of the training", o.least_steps, 0);
  check(o.fit);
  if (!(o.intervals.shrink >= 0 && o.intervals.smooth >= 0))
    throw attn::UsageError("shrink and smooth of the intervals must not be negative");
  if (!(o.patching.range >= 0))
    throw attn::UsageError("the range of the tokeniser must not be negative, found " +
                           attn::io::number_text(o.patching.range));
  if (o.network != Network::entrope) return;
  check(o.patching.boundaries);
  check(o.patching.entropy_model);
  check(o.patching.entropy_training);
  if (!(o.patching.mean_length.value_or(1) >= 0))
    throw attn::UsageError("the mean length of patches must not be negative, found " +
                           attn::io::number_text(*o.patching.mean_length));
}

int64_t automatic_lookback(const Split& split, const Frequency& frequency, int64_t horizon,
                           int64_t season) {
  const int64_t wanted = std::max(weeks(frequency, season),
                                  std::min(std::max(kLookback, 2 * season), kLongestLookback));
  const int64_t room = std::min(longest(split.train) / 2, 2 * middle(split.train) / 3) - horizon;
  return std::max<int64_t>(1, std::min(wanted, room));
}

ModelOptions resolved(const ModelOptions& options, const SeriesSet& set, const Split& split) {
  check(options);
  ModelOptions o = options;
  o.season = std::max<int64_t>(1, o.season.value_or(season_length(set.frequency)));
  const bool automatic = o.lookback == 0;
  if (automatic) o.lookback = automatic_lookback(split, set.frequency, o.horizon, *o.season);
  // It repeats a season, which the look-back has to hold.
  if (o.network == Network::seasonal_naive) o.lookback = std::max(o.lookback, *o.season);
  require_rows(o, set, split, automatic);
  if (!o.scale) o.scale = set.series.size() > 1 ? ScaleBy::series : ScaleBy::channel;
  if (!o.transform) o.transform = choose_transform(set, split, o);
  if (!o.cycle) {
    const bool learned = o.network == Network::entrope && *o.season > 1 && common_clock(set) &&
                         longest(split.train) >= 2 * *o.season;
    o.cycle = learned ? *o.season : 0;
  }
  if (!o.patching.mean_length)
    o.patching.mean_length = fits_length(o.patching.boundaries) ? kMeanLength : 0;
  o.fit.optimisation.epochs = enough_epochs(o, set, split);
  o.least_steps = 0;
  o.fit.optimisation.seed = o.seed;
  o.patching.entropy_training.train.seed = o.seed;
  set_networks(o, set);
  if (o.network == Network::entrope) check(o.entrope);
  return o;
}

}  // namespace timeseries
