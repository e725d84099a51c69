#include "finance/lists/rank_lists.h"

#include <algorithm>
#include <stdexcept>

namespace finance {
namespace {

/// Elements begin ... end - 1 of `from` behind those of `to`, each `width` values wide.
template <class T>
void take(std::vector<T>& to, const std::vector<T>& from, int64_t begin, int64_t end,
          int64_t width = 1) {
  if (from.empty()) return;
  to.insert(to.end(), from.begin() + begin * width, from.begin() + end * width);
}

/// Lists begin ... end - 1 of `from`, which has the columns of `to`.
void take_lists(RankLists& to, const RankLists& from, int64_t begin, int64_t end) {
  const int64_t first = from.offsets[static_cast<size_t>(begin)];
  const int64_t last = from.offsets[static_cast<size_t>(end)];
  const int64_t shift = to.rows() - first;
  for (int64_t l = begin; l < end; ++l)
    to.offsets.push_back(from.offsets[static_cast<size_t>(l) + 1] + shift);
  take(to.list_ids, from.list_ids, begin, end);
  take(to.times, from.times, begin, end);
  take(to.features, from.features, first, last, from.width());
  for (size_t c = 0; c < to.categories.size(); ++c)
    take(to.categories[c].values, from.categories[c].values, first, last);
  take(to.label, from.label, first, last);
  take(to.profit, from.profit, first, last);
  take(to.unflagged, from.unflagged, first, last);
  for (size_t c = 0; c < to.kept.size(); ++c)
    take(to.kept[c].values, from.kept[c].values, first, last);
  take(to.rows_in_file, from.rows_in_file, first, last);
}

template <class Column>
bool same_names(const std::vector<Column>& a, const std::vector<Column>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Column& x, const Column& y) { return x.name == y.name; });
}

bool same_columns(const RankLists& a, const RankLists& b) {
  const bool both_hold_rows = a.rows() > 0 && b.rows() > 0;
  return a.feature_names == b.feature_names && same_names(a.categories, b.categories) &&
         same_names(a.kept, b.kept) &&
         (!both_hold_rows ||
          (a.label.empty() == b.label.empty() && a.profit.empty() == b.profit.empty() &&
           a.times.empty() == b.times.empty() && a.rows_in_file.empty() == b.rows_in_file.empty()));
}

}  // namespace

const NamedColumn* RankLists::find(std::string_view column) const {
  const auto found = std::find_if(kept.begin(), kept.end(),
                                  [&](const NamedColumn& c) { return c.name == column; });
  return found == kept.end() ? nullptr : &*found;
}

RankLists selected(const RankLists& all, const std::vector<int64_t>& which) {
  RankLists out;
  out.name = all.name;
  out.feature_names = all.feature_names;
  out.unused = all.unused;
  out.file_has_ids = all.file_has_ids;
  for (const CategoryColumn& c : all.categories) out.categories.push_back({c.name, {}});
  for (const NamedColumn& c : all.kept) out.kept.push_back({c.name, {}});
  for (const int64_t l : which) take_lists(out, all, l, l + 1);
  return out;
}

void append(RankLists& all, const RankLists& more) {
  if (!same_columns(all, more)) throw std::logic_error("append: lists of differing columns");
  take_lists(all, more, 0, more.lists());
}

}  // namespace finance
