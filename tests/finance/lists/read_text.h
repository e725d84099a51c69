// Lists read from a text, and what they hold.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "finance/lists/read_lists.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace finance::test {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class ReadTest : public testing::Test {
 protected:
  RankLists read(const std::string& text, const ListOptions& options,
                 const std::string& name = "x.csv") {
    attn::test::put(folder_ / name, text);
    return read_lists(folder_ / name, options);
  }
  /// The sentence without the folder.
  std::string refusal(const std::string& text, const ListOptions& options,
                      const std::string& name = "x.csv") {
    return short_sentence([&] { read(text, options, name); });
  }
  template <class Action>
  std::string short_sentence(const Action& action) {
    std::string sentence = attn::test::sentence_of(action);
    const std::string prefix = folder_.path().string() + "/";
    for (size_t at = sentence.find(prefix); at != std::string::npos; at = sentence.find(prefix))
      sentence.erase(at, prefix.size());
    return sentence;
  }
  attn::test::TempFolder folder_;
};

/// Equal, NaN to NaN.
MATCHER_P(SameValues, expected, "") {
  if (arg.size() != expected.size()) return false;
  for (size_t i = 0; i < arg.size(); ++i)
    if (!(arg[i] == expected[i] || (std::isnan(arg[i]) && std::isnan(expected[i])))) return false;
  return true;
}

inline void expect_same(const RankLists& a, const RankLists& b) {
  EXPECT_EQ(a.offsets, b.offsets);
  EXPECT_EQ(a.list_ids, b.list_ids);
  EXPECT_EQ(a.feature_names, b.feature_names);
  EXPECT_THAT(a.features, SameValues(b.features));
  ASSERT_EQ(a.categories.size(), b.categories.size());
  for (size_t c = 0; c < a.categories.size(); ++c) {
    EXPECT_EQ(a.categories[c].name, b.categories[c].name);
    EXPECT_EQ(a.categories[c].values, b.categories[c].values);
  }
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.profit, b.profit);
  ASSERT_EQ(a.kept.size(), b.kept.size());
  for (size_t c = 0; c < a.kept.size(); ++c) {
    EXPECT_EQ(a.kept[c].name, b.kept[c].name);
    EXPECT_EQ(a.kept[c].values, b.kept[c].values);
  }
  EXPECT_EQ(a.times, b.times);
  EXPECT_EQ(a.rows_in_file, b.rows_in_file);
}

/// All parts of at least `rows` rows, one behind the other.
inline RankLists in_parts(const std::filesystem::path& path, const ListOptions& options,
                          int64_t rows, int64_t& parts) {
  ListReader reader(path, options);
  std::optional<RankLists> all;
  parts = 0;
  int64_t last = std::numeric_limits<int64_t>::max();
  while (std::optional<RankLists> part = reader.next(rows)) {
    EXPECT_GE(last, rows) << "only the last part may be smaller";
    last = part->rows();
    EXPECT_LT(part->offsets[part->offsets.size() - 2], rows) << "a list too many";
    ++parts;
    if (all) {
      append(*all, *part);
    } else {
      all = std::move(part);
    }
  }
  EXPECT_FALSE(reader.next(rows));
  return std::move(*all);
}

}  // namespace finance::test
