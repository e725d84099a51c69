#include "finance/lists/split_lists.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "libattn/random/seed.h"

namespace finance {
namespace {

struct Sizes {
  int64_t train = 0, validation = 0, test = 0;
};

/// Shares rounded to whole lists, one at least where a part is asked for.
Sizes sizes_of(int64_t lists, double validation, double test) {
  if (!(validation >= 0 && test >= 0 && validation + test < 1))
    throw attn::UsageError(
        "the shares of validation and test must be 0 or more and leave lists to train on, found " +
        attn::io::number_text(validation) + " and " + attn::io::number_text(test));
  const auto size = [&](double share) {
    const auto rounded = static_cast<int64_t>(std::llround(share * static_cast<double>(lists)));
    return share > 0 ? std::max<int64_t>(1, rounded) : 0;
  };
  Sizes sizes{0, size(validation), size(test)};
  sizes.train = lists - sizes.validation - sizes.test;
  return sizes;
}

attn::Error too_few(const char* part, const std::string& found) {
  return attn::Error(std::string("the ") + part + " part of the split would hold no list: " +
                     found + "; add lists or ask for other shares");
}

void demand_parts(const ListSplit& split, double validation, double test,
                  const std::string& found) {
  if (split.train.empty()) throw too_few("training", found);
  if (validation > 0 && split.validation.empty()) throw too_few("validation", found);
  if (test > 0 && split.test.empty()) throw too_few("test", found);
}

std::string count_text(int64_t lists) {
  return "there " + (lists == 1 ? "is 1 list" : "are " + std::to_string(lists) + " lists") +
         " in all";
}

/// order[0 .. train) trains, the next validate, the last test.
ListSplit cut(const std::vector<int64_t>& order, int64_t validation_from, int64_t test_from) {
  ListSplit split;
  split.train.assign(order.begin(), order.begin() + validation_from);
  split.validation.assign(order.begin() + validation_from, order.begin() + test_from);
  split.test.assign(order.begin() + test_from, order.end());
  for (auto* part : {&split.train, &split.validation, &split.test})
    std::sort(part->begin(), part->end());
  return split;
}

/// Whether a text begins as a date of ISO 8601, whose order of characters is that of time.
bool is_iso_date(const std::string& text) {
  const std::string_view form = "0000-00-00";
  if (text.size() < form.size()) return false;
  return std::equal(form.begin(), form.end(), text.begin(),
                    [](char of, char c) { return of == '0' ? c >= '0' && c <= '9' : c == of; });
}

void demand_dates(const std::vector<std::string>& times) {
  for (const std::string& time : times)
    if (!is_iso_date(time))
      throw attn::Error("the time " + attn::io::quote_text(time) +
                        " of a list is no number, as all would have to be, and no date like "
                        "2020-01-31: which time is later is not told; write all in one of these "
                        "two ways");
}

/// The place of each list's time among the different times, by value where all are numbers, else by
/// date; without times the list's own. Throws Error for times that are neither.
std::vector<int64_t> time_ranks(const RankLists& lists) {
  std::vector<int64_t> ranks(static_cast<size_t>(lists.lists()));
  std::iota(ranks.begin(), ranks.end(), int64_t{0});
  if (lists.times.empty()) return ranks;
  std::vector<double> numbers(ranks.size());
  bool all_numbers = true;
  for (size_t l = 0; l < ranks.size() && all_numbers; ++l)
    all_numbers = attn::io::parse_finite(lists.times[l], numbers[l]);
  if (!all_numbers) demand_dates(lists.times);
  const auto before = [&](int64_t a, int64_t b) {
    const auto i = static_cast<size_t>(a), j = static_cast<size_t>(b);
    return all_numbers ? numbers[i] < numbers[j] : lists.times[i] < lists.times[j];
  };
  std::vector<int64_t> order = ranks;
  std::stable_sort(order.begin(), order.end(), before);
  int64_t rank = 0;
  for (size_t place = 0; place < order.size(); ++place) {
    if (place > 0 && before(order[place - 1], order[place])) ++rank;
    ranks[static_cast<size_t>(order[place])] = rank;
  }
  return ranks;
}

}  // namespace

ListSplit random_split(int64_t lists, double validation, double test, uint64_t seed) {
  const Sizes sizes = sizes_of(lists, validation, test);
  if (sizes.train <= 0) throw too_few("training", count_text(lists));
  return cut(attn::random::permutation(lists, attn::random::derive_seed(seed, "split")),
             sizes.train, sizes.train + sizes.validation);
}

ListSplit time_split(const RankLists& lists, double validation, double test) {
  const Sizes sizes = sizes_of(lists.lists(), validation, test);
  if (sizes.train <= 0) throw too_few("training", count_text(lists.lists()));
  const std::vector<int64_t> ranks = time_ranks(lists);
  std::vector<int64_t> order(ranks.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto rank = [&](int64_t l) { return ranks[static_cast<size_t>(l)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
  // A cut that would part lists of one time moves behind them.
  const auto moved = [&](int64_t place) {
    while (place > 0 && place < lists.lists() &&
           rank(order[static_cast<size_t>(place)]) == rank(order[static_cast<size_t>(place) - 1]))
      ++place;
    return place;
  };
  ListSplit split = cut(order, moved(sizes.train), moved(sizes.train + sizes.validation));
  const int64_t times = order.empty() ? 0 : rank(order.back()) + 1;
  demand_parts(split, validation, test,
               count_text(lists.lists()) + (lists.times.empty()
                                                ? ""
                                                : ", of " + std::to_string(times) +
                                                      (times == 1 ? " time" : " different times")));
  return split;
}

std::vector<std::vector<int64_t>> list_folds(int64_t lists, int64_t folds, uint64_t seed) {
  if (folds < 2)
    throw attn::UsageError("cross-validation needs at least 2 folds, found " +
                           std::to_string(folds));
  if (folds > lists)
    throw attn::UsageError("too few lists for " + std::to_string(folds) +
                           " folds: " + count_text(lists) + "; ask for fewer folds");
  const std::vector<int64_t> order =
      attn::random::permutation(lists, attn::random::derive_seed(seed, "fold"));
  std::vector<std::vector<int64_t>> parts(static_cast<size_t>(folds));
  for (size_t i = 0; i < order.size(); ++i)
    parts[i % static_cast<size_t>(folds)].push_back(order[i]);
  for (std::vector<int64_t>& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace finance
